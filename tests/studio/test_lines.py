"""The lines to pages: numbered messages, requests that come twice, and pages that the studio has forgotten."""

import json
import re
import threading
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware

from cinn_app.studio import lines
from cinn_app.studio.clients import Clients
from cinn_app.studio.guard import Guard
from cinn_app.studio.lines import GONE, Lines
from cinn_app.studio.refusals import Refusals


class Served:
    """A page with one event, which is answered when the test lets it be."""

    def __init__(self, folder) -> None:
        self.runs, self.go_on = 0, threading.Semaphore(0)
        with gr.Blocks(analytics_enabled=False) as page:
            text = gr.Textbox()
            text.submit(self._work, text, text)
        self.clients = Clients(page)
        self.lines = Lines(self.clients)
        guard = Middleware(Guard, folder=folder, clients=self.clients, lines=self.lines)
        page.launch(
            prevent_thread_lock=True, quiet=True, ssr_mode=False, run_history=False,
            app_kwargs={"middleware": [Middleware(Refusals), guard]},
        )  # fmt: skip
        self.page, self.http = page, httpx.Client(base_url=f"{page.local_url}gradio_api/", timeout=60, trust_env=False)

    def _work(self, text: str) -> str:
        self.runs += 1
        assert self.go_on.acquire(timeout=60)
        return text * 2

    def join(self, text: str, number: str, heard: int = 0) -> httpx.Response:
        asked = {"data": [text], "fn_index": 0, "session_hash": "me"}
        headers = {"x-gradio-user": "app", "x-line-once": number, "x-line-heard": str(heard)}
        return self.http.post("queue/join", json=asked, headers=headers)

    def hear(self, until: str, heard: int | None = None) -> list[tuple[int, dict]]:
        """Listen until a message of a kind comes, then be cut off."""
        told = ""
        query = {} if heard is None else {"heard": str(heard)}
        with self.http.stream("GET", "line/me", params=query) as line:
            assert line.status_code == 200
            for part in line.iter_text():
                told += part
                if until in told and told.endswith("\n\n"):
                    break
        return [(int(number), json.loads(text)) for number, text in re.findall(r"id: (\d+)\ndata: (.*)\n", told)]


@pytest.fixture
def served(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    monkeypatch.setattr(lines, "PING", 0.05)
    served = Served(tmp_path)
    yield served
    served.go_on.release(100)
    served.http.close()
    served.lines.close()
    served.page.close(verbose=False)


def test_a_page_that_was_cut_off_hears_all_that_it_lacks_and_no_request_runs_twice(served: Served) -> None:
    served.hear(":")
    first = served.join("a", "1")
    again = served.join("a", "1")  # its confirmation did not arrive
    assert first.json() == again.json() and first.status_code == 200
    start = served.hear("process_starts", 0)
    served.go_on.release()  # while nobody listens
    rest = served.hear("process_completed", start[-1][0])
    whole = served.hear("process_completed", 0)
    assert [number for number, _ in whole] == list(range(1, len(whole) + 1))
    assert whole[-len(rest) :] == rest and rest[-1][1]["output"]["data"] == ["aa"]
    assert not {"close_stream", "heartbeat"} & {message["msg"] for _, message in whole}
    assert served.runs == 1

    heard = whole[-1][0]
    assert served.join("b", "2", heard).status_code == 200  # after gradio's own stream has ended
    served.go_on.release()
    assert served.hear("process_completed", heard)[-1][1]["output"]["data"] == ["bb"]
    refused = served.http.get("line/me", params={"heard": "0"})  # what was said to have been heard is not kept
    assert (refused.status_code, refused.json()["detail"]) == (410, GONE)


def test_a_page_that_the_studio_has_forgotten_is_told_so(served: Served) -> None:
    assert served.join("a", "1").status_code == 410
    assert served.http.get("line/me", params={"heard": "3"}).json()["detail"] == GONE
    served.hear(":")
    assert served.join("a", "1").status_code == 200
    served.join("a", "2")
    assert served.http.post("line/me").status_code == 204  # the page was closed
    served.go_on.release()
    assert served.join("a", "3").json()["detail"] == GONE
    assert served.http.get("line/me", params={"heard": "1"}).status_code == 410
    while served.clients.waiting():
        pass  # until the second job is dropped
    assert served.runs == 1
