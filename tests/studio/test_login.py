"""A studio with a password: strangers learn nothing of it, programs may send the password, guessing takes long."""

import re
import threading
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware
from starlette.routing import Route

from cinn_app.studio import login
from cinn_app.studio.language import Listener
from cinn_app.studio.login import FREE_GUESSES, STRANGER, Login
from cinn_app.studio.metrics import WRONG_LOGINS, health
from cinn_app.studio.refusals import Refusals

RIGHT = ("anna", "s3:cret")


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


def treasure() -> str:
    return "opened"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with one endpoint and a password."""
    with pytest.MonkeyPatch.context() as patch, gr.Blocks(analytics_enabled=False) as page:
        patch.setenv("no_proxy", "localhost,127.0.0.1")
        gr.api(treasure, api_name="treasure", queue=False)
        launched = threading.Event()
        guard = Middleware(Login, page=page, login=RIGHT, launched=launched, clock=CLOCK)
        guarded = [Middleware(Listener), Middleware(Refusals), guard]
    page.launch(
        prevent_thread_lock=True, quiet=True, ssr_mode=False, run_history=False, auth=RIGHT, _frontend=False,
        app_kwargs={"middleware": guarded, "routes": [Route(f"/{name}", health) for name in ("health", "metrics")]},
    )  # fmt: skip
    launched.set()
    yield page.local_url
    page.close(verbose=False)


@pytest.fixture
def stranger(address: str) -> Iterator[httpx.Client]:
    """A client at an address that has not guessed yet."""
    CLOCK.now += 1_000_000
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        yield client


def test_a_stranger_sees_the_page_that_asks_and_nothing_else(stranger: httpx.Client) -> None:
    page = stranger.get("/").text
    assert "gradio_config" in page and "treasure" not in page
    assert stranger.get("health").text == "ok"
    assert stranger.get("theme.css").status_code == 200  # without it, the page stays empty
    asset = re.search(r'(?:src|href)="\.?/?(assets/[^"]+)"', page)
    assert asset and stranger.get(asset[1]).status_code == 200
    for route in (
        "metrics", "openapi.json", "docs", "redoc", "config", "gradio_api/info", "gradio_api/openapi.json",
        "gradio_api/mcp/", "gradio_api/heartbeat/a", "gradio_api/queue/status", "monitoring", "gradio_api/runs",
        "manifest.json", "gradio_api/app_id", "gradio_api/app_id/", "gradio_api/startup-events", "gradio_api/token",
        "gradio_api/user", "gradio_api/login_check", "gradio_api/theme.css", "pwa_icon",
    ):  # fmt: skip
        refused = stranger.get(route)
        assert (refused.status_code, refused.json()) == (401, {"detail": STRANGER}), route
    for route in ("gradio_api/call/treasure", "gradio_api/cancel", "gradio_api/reset", "gradio_api/upload"):
        assert stranger.post(route, json={"data": []}).status_code == 401, route


def test_the_password_opens_all_once_or_with_each_request(stranger: httpx.Client) -> None:
    asked = {"json": {"data": []}}
    assert stranger.post("gradio_api/run/treasure", auth=RIGHT, **asked).json()["data"] == ["opened"]
    assert stranger.get("metrics", auth=RIGHT).text == "ok"
    assert stranger.get("metrics").status_code == 401
    assert stranger.post("login", data={"username": "anna", "password": "s3:cret"}).json() == {"success": True}
    assert stranger.post("gradio_api/run/treasure", **asked).json()["data"] == ["opened"]
    assert "treasure" in stranger.get("/").text
    assert stranger.get("metrics").text == "ok"


@pytest.mark.parametrize("way", ["form", "basic"])
def test_guesses_are_counted_and_slowed_down(stranger: httpx.Client, way: str) -> None:
    def guess(password: str) -> int:
        if way == "basic":
            return stranger.get("metrics", auth=("anna", password)).status_code
        return stranger.post("login", data={"username": "anna", "password": password}).status_code

    before = WRONG_LOGINS._value.get()
    wrong = 401 if way == "basic" else 400
    assert [guess("x") for _ in range(FREE_GUESSES + 2)] == [wrong] * (FREE_GUESSES + 1) + [429]
    assert WRONG_LOGINS._value.get() - before == FREE_GUESSES + 1
    for seconds in (1, 2, 4):  # each wrong guess doubles the time
        assert guess("s3:cret") == 429
        CLOCK.now += seconds
        assert guess("x") == wrong
    CLOCK.now += 8
    assert guess("s3:cret") == 200


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "MAX_REMEMBERED", 2)
    guarded = Login(None, None, RIGHT, threading.Event(), CLOCK)  # type: ignore[arg-type]
    for name in ("a", "b", "a", "c"):
        guarded._note_guess(name)
    assert list(guarded._wrong) == ["a", "c"]
