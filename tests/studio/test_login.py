"""A studio with a password: strangers learn nothing of it, programs may send the password, guessing takes long."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AuthenticationError
from starlette.middleware import Middleware
from starlette.routing import Route

from cinn_app.studio import guesses
from cinn_app.studio.guesses import FREE_GUESSES, Guesses
from cinn_app.studio.language import Listener
from cinn_app.studio.login import STRANGER, Login
from cinn_app.studio.login_page import WRONG, LoginPage
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
        launched, compared = threading.Event(), Guesses(RIGHT, CLOCK)
        guard = Middleware(Login, page=page, guesses=compared, launched=launched)
        routes = [*(Route(f"/{name}", health) for name in ("health", "metrics")), *LoginPage(page, compared).routes]
        guarded = [Middleware(Listener), Middleware(Refusals), guard]
    page.launch(
        prevent_thread_lock=True, quiet=True, ssr_mode=False, run_history=False, auth=RIGHT, _frontend=False,
        app_kwargs={"middleware": guarded, "routes": routes},
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


@pytest.fixture
def browser(stranger: httpx.Client) -> httpx.Client:
    """The same, which asks for pages."""
    stranger.headers["accept"] = "text/html,*/*;q=0.8"
    return stranger


def test_a_stranger_sees_the_page_that_asks_and_nothing_else(stranger: httpx.Client) -> None:
    page = stranger.get("/").text
    assert 'autocomplete="current-password"' in page and "treasure" not in page and "gradio" not in page
    assert stranger.get("health").text == "ok"
    assert not re.search('(?:src|href)=(?!"(?:data:|[?]))', page)  # it needs nothing else
    for route in (
        "metrics", "openapi.json", "docs", "redoc", "config", "gradio_api/info", "gradio_api/openapi.json",
        "gradio_api/mcp/", "gradio_api/heartbeat/a", "gradio_api/queue/status", "monitoring", "gradio_api/runs",
        "manifest.json", "gradio_api/app_id", "gradio_api/app_id/", "gradio_api/startup-events", "gradio_api/token",
        "gradio_api/user", "gradio_api/login_check", "gradio_api/theme.css", "pwa_icon", "theme.css",
        "login/", "static/js/iframeResizer.contentWindow.min.js",
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
    asked_in = {"username": "anna", "password": "s3:cret"}
    assert stranger.post("login", files={name: (None, text) for name, text in asked_in.items()}).json()["success"]
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
    wrong = 401
    assert [guess("x") for _ in range(FREE_GUESSES + 2)] == [wrong] * (FREE_GUESSES + 1) + [429]
    assert WRONG_LOGINS._value.get() - before == FREE_GUESSES + 1
    for seconds in (1, 2, 4):  # each wrong guess doubles the time
        assert guess("s3:cret") == 429
        CLOCK.now += seconds
        assert guess("x") == wrong
    CLOCK.now += 8
    assert guess("s3:cret") == 200


def test_the_form_keeps_the_name_and_leads_to_the_page_that_was_asked_for(browser: httpx.Client) -> None:
    given = {"username": ' <anna>" ', "password": "x"}
    refused = browser.post("login?lang=en&tab=digits", data=given)
    assert refused.status_code == 401 and f">{WRONG}<" in refused.text
    assert 'value="&lt;anna&gt;&quot;"' in refused.text and 'action="login?lang=en&amp;tab=digits"' in refused.text
    assert "用户名或密码不正确" in browser.post("login?lang=zh", data=given).text
    for _ in range(FREE_GUESSES):
        refused = browser.post("login", data=given)
    assert refused.status_code == 429 and "Too many wrong passwords: wait 1 seconds." in refused.text
    assert browser.get("login").status_code == 200 and not browser.cookies
    CLOCK.now += 1
    admitted = browser.post("login?tab=digits", data={"username": "anna ", "password": "s3:cret"})
    assert (admitted.status_code, admitted.headers["location"]) == (303, "./?tab=digits")
    assert "treasure" in browser.get("/").text
    assert (browser.get("login").status_code, browser.get("login").headers["location"]) == (303, "./")


@pytest.mark.parametrize(
    ("headers", "encrypted"),
    [
        ({}, False),
        ({"x-forwarded-proto": "https, http"}, True),  # the first proxy is the visitor's
        ({"x-forwarded-proto": "http, https"}, False),
        ({"origin": "https://photos.example.org"}, True),  # as a browser says behind a proxy that says nothing
        ({"origin": "http://photos.example.org"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_the_cookie_stays_on_encrypted_lines(stranger: httpx.Client, headers: dict[str, str], encrypted: bool) -> None:
    answer = stranger.post("login", data={"username": "anna", "password": "s3:cret"}, headers=headers)
    (cookie,) = answer.headers.get_list("set-cookie")
    flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
    assert flags == {"httponly", "samesite=lax"} | ({"secure"} if encrypted else set())  # no path: where the page is


def test_logging_out_ends_this_visit_and_no_other(stranger: httpx.Client) -> None:
    stranger.post("login", data={"username": "anna", "password": "s3:cret"})
    usual: Any = {"base_url": stranger.base_url, "trust_env": False, "timeout": 60}
    with httpx.Client(**usual, cookies=dict(stranger.cookies)) as thief, httpx.Client(**usual) as other:
        other.post("login", data={"username": "anna", "password": "s3:cret"})
        left = stranger.post("logout", headers={"referer": "https://a/studio/?tab=digits"})
        assert (left.status_code, left.headers["location"]) == (303, "./?tab=digits")
        assert not stranger.cookies
        assert [one.get("metrics").status_code for one in (stranger, thief, other)] == [401, 401, 200]
    assert stranger.post("logout", auth=RIGHT).status_code == 303  # a program has nothing to leave
    assert stranger.get("metrics", auth=RIGHT).text == "ok"


def test_gradios_client_logs_in_or_says_why_not(address: str) -> None:
    CLOCK.now += 1_000_000
    client = Client(address, auth=RIGHT, verbose=False, analytics_enabled=False)
    assert client.predict(api_name="/treasure") == "opened"
    with pytest.raises(AuthenticationError):
        Client(address, auth=("anna", "x"), verbose=False, analytics_enabled=False)


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MAX_REMEMBERED", 2)
    guarded = Guesses(RIGHT, CLOCK)
    for name in ("a", "b", "a", "c"):
        guarded.check(name, "anna", "x")
    assert list(guarded._wrong) == ["a", "c"]
