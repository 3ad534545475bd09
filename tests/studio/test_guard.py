"""The guard in front of gradio's own server: foreign files, a full queue, and files that clients leave behind."""

import contextlib
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinn_app.studio import clients, guard
from cinn_app.studio.bodies import Bodies
from cinn_app.studio.clients import Clients
from cinn_app.studio.files import (
    KEPT,
    RESULTS,
    delete_old_folders,
    delete_partial_uploads,
    delete_unused_kept,
    new_kept_folder,
    new_results_folder,
)
from cinn_app.studio.guard import DELETED, FOREIGN, FULL, GONE, TOO_MANY, Guard
from cinn_app.studio.lines import Lines
from cinn_app.studio.refusals import Refusals


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Served:
    """A page behind the guard with one event, whose work lasts until the test releases it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.seen = folder, Clock(), []
        self.started, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        with gr.Blocks(analytics_enabled=False) as page:
            file, state = gr.File(), gr.State("", delete_callback=self.seen.append)
            file.upload(self._work, [file, state], state, preprocess=False, api_name="_work")
        self.page, self.clients = page, Clients(page, self.clock)
        self.after_headers: Callable[[], object] = lambda: None
        guard = Middleware(Guard, folder=folder, clients=self.clients, lines=Lines(self.clients))
        later = Middleware(self._between_headers_and_body)
        page.launch(
            prevent_thread_lock=True, quiet=True, ssr_mode=False, run_history=False, max_file_size="1mb",
            app_kwargs={"middleware": [Middleware(Refusals), Middleware(Bodies, max_file=2**20), guard, later]},
        )  # fmt: skip
        self.http = httpx.Client(base_url=page.local_url, timeout=60, trust_env=False)

    def _work(self, payload: dict[str, str], state: str) -> str:
        self.started.release()
        assert self.go_on.acquire(timeout=60)
        return Path(payload["path"]).read_text()

    def _between_headers_and_body(self, app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            async def sending(message: Message) -> None:
                await send(message)
                if message["type"] == "http.response.start":
                    self.after_headers()

            await app(scope, receive, sending)

        return call

    def upload(self, text: str, query: str = "") -> Path:
        response = self.http.post(f"gradio_api/upload{query}", files={"files": ("letter.txt", text)})
        return Path(response.raise_for_status().json()[0])

    def join(self, path: object, session: str, sender: str = "app", address: str = "192.0.2.1") -> httpx.Response:
        """Ask as a page does, or as a program; uvicorn believes a proxy on this computer."""
        file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
        asked = {"data": [file, None], "fn_index": 0, "session_hash": session}
        headers = {"x-gradio-user": sender, "x-forwarded-for": address}
        return self.http.post("gradio_api/queue/join", json=asked, headers=headers)

    def finish(self, session: str) -> str:
        self.go_on.release()
        return self.http.get("gradio_api/queue/data", params={"session_hash": session}).text


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "studio"))
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    served = Served(tmp_path / "studio")
    yield served
    for _ in range(100):
        served.go_on.release()
    served.http.close()
    served.page.close(verbose=False)


def test_only_files_of_the_studio_are_shown(served: Served, tmp_path: Path) -> None:
    upload, secret = served.upload("Dear Grandma"), tmp_path / "secret.txt"
    secret.write_text("my diary")
    (served.folder / "link.txt").symlink_to(secret)
    (served.folder / "loop.txt").symlink_to(served.folder / "loop.txt")
    (tmp_path / "studio-2").mkdir()
    (tmp_path / "studio-2" / "near.txt").write_text("next door")

    assert served.http.get(f"gradio_api/file={upload}").text == "Dear Grandma"
    for path in (
        secret, "/etc/passwd", f"{served.folder}/../secret.txt", f"{served.folder}/link.txt",
        f"{served.folder}/loop.txt", tmp_path / "studio-2" / "near.txt", "README.md", "%00", "~/.bashrc",
        str(secret).replace("/", "%2F"), "http://127.0.0.1:1/", "https://example.com/picture.png", "file:///etc/passwd",
    ):  # fmt: skip
        for route in ("file=", "file/"):
            response = served.http.get(f"gradio_api/{route}{path}")
            assert response.status_code in (403, 404), path
            assert "diary" not in response.text and "root:" not in response.text
    assert served.http.get("gradio_api/proxy=https://example.com/").status_code == 403


@pytest.mark.parametrize("range_", [{}, {"range": "bytes=2-"}])
def test_a_file_that_is_deleted_before_its_first_byte_is_said_to_be_gone(
    served: Served, range_: dict[str, str]
) -> None:
    upload = served.upload("Dear Grandma")
    served.after_headers = upload.unlink
    response = served.http.get(f"gradio_api/file={upload}", headers=range_)
    assert (response.status_code, response.text) == (404, GONE)


def test_a_file_that_is_deleted_after_its_first_byte_arrives_whole(served: Served) -> None:
    upload = served.upload("Dear Grandma" * 80_000)
    with served.http.stream("GET", f"gradio_api/file={upload}") as response:
        chunks = response.iter_bytes()
        first = next(chunks)
        upload.unlink()
        assert first + b"".join(chunks) == b"Dear Grandma" * 80_000


@pytest.mark.parametrize("route", ["queue/join", "run/predict", "api/_work", "call/_work", "stream/0"])
def test_a_request_with_a_foreign_file_is_refused(served: Served, tmp_path: Path, route: str) -> None:
    (tmp_path / "secret.txt").write_text("my diary")
    for asked in ({"path": str(tmp_path / "secret.txt")}, [{"a": {"path": "../secret.txt"}}], {"path": "/etc/passwd"}):
        body = {"data": [asked, None], "fn_index": 0, "session_hash": "a"}
        response = served.http.post(f"gradio_api/{route}", json=body)
        assert (response.status_code, response.json()["detail"]) == (403, FOREIGN)
    folder = served.http.post(f"gradio_api/{route}", json={"data": [{"path": str(served.folder)}, None], "fn_index": 0})
    assert (folder.status_code, folder.json()["detail"]) == (403, FOREIGN)
    garbled = served.http.post(f"gradio_api/{route}", content=b"[" * 100_000)
    assert garbled.status_code == 400
    assert not served.started.acquire(blocking=False)


def test_one_page_cannot_fill_the_queue_and_a_full_queue_refuses_all(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_WAITING_PER_PAGE", 2)
    monkeypatch.setattr(guard, "MAX_WAITING", 6)
    letter = served.upload("Dear Grandma")
    assert served.join(letter, "greedy").status_code == 200
    assert served.started.acquire(timeout=60)  # is done now, and waits no longer
    assert [served.join(letter, "greedy").status_code for _ in range(2)] == [200, 200]
    refused = served.join(letter, "greedy")
    assert (refused.status_code, refused.json()["detail"]) == (429, TOO_MANY)
    assert [served.join(letter, name).status_code for name in ("one", "two")] == [200, 429]  # half is for one address
    near = [served.join(letter, name, address=f"192.0.2.{name}") for name in "567"]
    assert [answer.status_code for answer in near] == [200, 200, 200]
    late = served.join(letter, "late", address="192.0.2.8")
    assert (late.status_code, late.json()["detail"]) == (429, FULL)
    for _ in range(8):
        served.go_on.release()
    assert "process_completed" in served.finish("one")
    assert served.join(letter, "late").status_code == 200
    assert '"success":true' in served.finish("late")


def test_programs_cannot_fill_the_queue(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_WAITING", 8)
    letter = {"path": str(served.upload("Dear Grandma")), "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [letter, None], "fn_index": 0}

    def call(number: int) -> int:
        address = {"x-forwarded-for": f"192.0.2.{number}"}
        return served.http.post("gradio_api/call/_work", json=asked, headers=address).status_code

    assert call(1) == 200 and served.started.acquire(timeout=60)
    with ThreadPoolExecutor(20) as pool:
        assert Counter(pool.map(call, [1] * 20)) == {200: 2, 429: 18}  # at once, a quarter is for one program
        assert Counter(pool.map(call, [2, 3, 4, 5])) == {200: 2, 429: 2}  # half is for all programs
    assert [served.join(letter["path"], name).status_code for name in ("me", "you")] == [200, 200]


def test_addresses_take_turns_and_pages_take_turns_with_programs(served: Served) -> None:
    letter = served.upload("Dear Grandma")
    assert served.join(letter, "first").status_code == 200 and served.started.acquire(timeout=60)
    for name, sender, address in [
        ("a1", "api", "192.0.2.1"), ("a2", "api", "192.0.2.1"), ("a3", "api", "192.0.2.1"),
        ("page", "app", "192.0.2.1"), ("b1", "api", "192.0.2.2"), ("b2", "api", "192.0.2.2"),
        ("c", "app", "2001:db8::1"), ("d", "app", "2001:db8::2"),
    ]:  # fmt: skip
        assert served.join(letter, name, sender, address).status_code == 200
    # A request that has been answered still counts as arriving for a moment.
    deadline = time.monotonic() + 60
    while len(waiting := [job.session for job in served.clients.waiting()]) > 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert waiting == ["a1", "b1", "c", "page", "d", "b2", "a2", "a3"]


def test_files_of_closed_pages_are_deleted_but_not_during_their_jobs(served: Served) -> None:
    mine, yours = served.upload("Dear Grandma"), served.upload("Dear Grandpa")
    with served.http.stream("GET", "gradio_api/heartbeat/me"):
        assert served.join(mine, "me").status_code == 200
        assert '"success":true' in served.finish("me")
        assert served.started.acquire(timeout=60)
        assert served.join(yours, "you").status_code == 200
        assert served.started.acquire(timeout=60)
        served.clock.now = 5000.0
        assert served.clients.delete_closed(600) == []  # I am here, and your job is running
        assert mine.exists() and yours.exists()
        assert '"success":true' in served.finish("you")
        assert served.clients.delete_closed(600) == ["you"]
        assert mine.exists() and not yours.exists() and not yours.parent.exists()
    while served.clients.count_open():
        pass  # until the server has noticed
    assert served.clients.delete_closed(600) == []  # a connection that broke may come back
    served.clock.now = 6000.0
    assert served.clients.delete_closed(600) == ["me"]
    assert not mine.exists()
    assert served.seen == ["Dear Grandpa", "Dear Grandma"]  # the states' callbacks have been called
    assert not served.page.state_holder.session_data

    back = served.join(served.upload("Dear Grandma"), "me")
    assert (back.status_code, back.json()["detail"]) == (410, DELETED)
    assert served.join(served.upload("Dear Grandma"), "me").status_code == 200


def test_files_of_programs_are_kept_for_an_hour_after_their_last_use(served: Served) -> None:
    used, unused, shared = served.upload("used"), served.upload("unused"), served.upload("shared")
    unnamed = served.upload("unnamed", "?upload_id=abc")  # as a page uploads
    assert served.join(shared, "page").status_code == 200
    assert '"success":true' in served.finish("page")
    served.clock.now = guard.UNNAMED
    assert served.clients.delete_closed(600) == ["page"]
    assert [file.exists() for file in (used, unused, shared, unnamed)] == [True, True, True, False]
    served.clock.now = 2000.0
    assert served.join(used, "program", "api").status_code == 200
    assert '"success":true' in served.finish("program")
    served.clock.now = guard.KEPT
    served.clients.delete_closed(600)
    assert [file.exists() for file in (used, unused, shared)] == [True, False, False]
    served.clock.now += 2000
    served.clients.delete_closed(600)
    assert not used.exists()


def test_states_of_programs_and_of_too_many_closed_pages_are_deleted(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "MAX_CLOSED", 2)
    letter = served.upload("Dear Grandma")
    asked = {"data": [{"path": str(letter), "meta": {"_type": "gradio.FileData"}}, None], "fn_index": 0}
    served.go_on.release()
    event = served.http.post("gradio_api/call/_work", json=asked).json()["event_id"]
    assert "event: complete" in served.http.get(f"gradio_api/call/_work/{event}").text
    with served.http.stream("GET", "gradio_api/heartbeat/left"):
        for name in ("left", "first", "second", "third"):
            served.clock.now += 1
            assert served.join(letter, name).status_code == 200
            assert '"success":true' in served.finish(name)
    while served.clients.count_open():
        pass  # until the server has noticed
    assert served.clients.delete_closed(600) == ["first", "second"]  # "left" was open once
    assert set(served.page.state_holder.session_data) == {"left", "third"}


def test_only_the_latest_deleted_pages_are_remembered(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MAX_REMEMBERED", 2)
    for name in ("first", "second", "third"):
        served.clients.note_request(name)
        served.clock.now += 1000
        served.clients.delete_closed(600)
    assert [served.clients.note_request(name) for name in ("first", "second", "third")] == [False, True, True]
    assert not served.clients.note_request("third")


def test_old_results_are_deleted_but_not_those_of_a_running_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    old, growing, fresh = (new_results_folder() for _ in range(3))
    for folder in (old, growing):
        (folder / "grandma-1.jpg").write_text("colours")
        os.utime(folder / "grandma-1.jpg", (0, 0))
    (growing / "grandma-2.jpg").write_text("more colours")
    (tmp_path / "upload").mkdir()
    for folder in (old, growing, tmp_path / "upload"):
        os.utime(folder, (0, 0))
    with (old / "grandma-1.jpg").open() as download:
        delete_old_folders(tmp_path, RESULTS, 60)
        assert download.read() == "colours"
    assert sorted(tmp_path.iterdir()) == sorted([growing, fresh, tmp_path / "upload"])


def test_what_is_kept_is_deleted_when_unused_for_long_or_when_there_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    kept = [new_kept_folder() for _ in range(4)]
    for age, folder in zip((5000, 300, 200, 0), kept, strict=True):
        (folder / "session").mkdir()
        (folder / "session" / "grandma.jpg").write_bytes(bytes(1000))
        for path in (folder / "session", folder):
            os.utime(path, (time.time() - age, time.time() - age))
    delete_old_folders(tmp_path, KEPT, 4000)
    assert [folder.exists() for folder in kept] == [False, True, True, True]
    delete_unused_kept(tmp_path, 2500, 60)
    assert [folder.exists() for folder in kept] == [False, False, True, True]
    delete_unused_kept(tmp_path, 10, 250)  # nobody loses what is in use
    assert [folder.exists() for folder in kept] == [False, False, True, True]


def test_partial_uploads_are_deleted(served: Served) -> None:
    whole, host = served.upload("Dear Grandma"), served.http.base_url.netloc.decode()
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    part = '--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n' + 1000 * "x"
    with socket.create_connection(host.split(":")) as line:
        line.sendall(f"{head}Content-Length: 9000\r\n\r\n{part}".encode())
        while not (torn := [file for file in served.folder.iterdir() if file.is_file()]):
            pass  # until the server has begun to write
    os.utime(torn[0], (0, 0))
    delete_partial_uploads(served.folder, 60)
    assert not torn[0].exists() and whole.exists()


def test_an_upload_of_long_fields_or_of_too_many_files_is_refused(served: Served) -> None:
    field = served.http.post("gradio_api/upload", files={"files": (None, b"x" * 2000)})
    assert field.status_code == 413
    many = served.http.post("gradio_api/upload", files=[("files", (f"{number}.txt", b"x")) for number in range(300)])
    assert many.status_code == 400 and "Too many files" in many.text


def test_quotation_marks_in_names_are_left_out(served: Served) -> None:
    quoted = served.http.post("gradio_api/upload", files={"files": ('uncle "Bob".txt', b"x")})  # is sent as %22
    assert Path(quoted.json()[0]).name == "uncle Bob.txt"


def test_a_file_over_the_limit_is_refused_and_the_next_is_accepted(served: Served) -> None:
    with contextlib.suppress(httpx.WriteError):  # refused before all of it was there
        large = served.http.post("gradio_api/upload", files={"files": ("large.txt", b"x" * 2_000_000)})
        assert large.status_code == 413
    assert served.upload("Dear Grandma").read_text() == "Dear Grandma"
