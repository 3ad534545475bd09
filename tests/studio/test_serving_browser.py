"""The studio served to others: behind a proxy, with a password, on a small disk, and without a network."""

import asyncio
import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
pytest.importorskip("axe_playwright_python", reason="axe-core is missing: pip install axe-playwright-python")
from axe_playwright_python.base import AXE_SCRIPT  # after the checks that they are there
from colour_page import coloured
from playwright.sync_api import Page, Route, expect

PREFIX = "/tools/studio"
MEGABYTE = 1_000_000


class Proxy(BaseHTTPRequestHandler):
    """Shows one server below a prefix, which it takes away; everything else is not there."""

    protocol_version = "HTTP/1.0"  # the end of the connection is the end of the answer
    behind = ""
    strays: list[str] = []  # noqa: RUF012  # what was asked for beside the prefix

    def _pass_on(self) -> None:
        if not self.path.startswith(f"{PREFIX}/"):
            self.strays.append(self.path)
            self.send_error(404)
            return
        server = http.client.HTTPConnection(self.behind, timeout=300)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.request(self.command, self.path.removeprefix(PREFIX), body, dict(self.headers))
        answer = server.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.end_headers()
        try:
            while part := answer.read1():
                self.wfile.write(part)
                self.wfile.flush()
        except OSError:
            pass  # the browser has left
        finally:
            server.close()

    do_GET = do_POST = do_HEAD = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the studio of this file says."""
    return tmp_path_factory.mktemp("served") / "log.txt"


@pytest.fixture(scope="module")
def address(serving, log: Path) -> Iterator[str]:
    """A studio with a password, a limit and a small disk, without the proxy."""
    options = {"login": ["anna", "s3:cret"], "root_path": PREFIX, "max_upload": 2}
    with serving(log, largest_file=MEGABYTE, **options) as address:
        yield address


@pytest.fixture(scope="module")
def proxied(address: str) -> Iterator[str]:
    """Its address behind the proxy."""
    Proxy.behind = urlsplit(address).netloc
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}/"
        proxy.shutdown()


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A page of a browser whose network is cut: it reaches this computer only."""
    outside: list[str] = []

    def cut(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", None):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    visitor = browser.new_context(viewport={"width": 1280, "height": 900})
    visitor.set_default_timeout(180_000)
    visitor.route("**/*", cut)
    page = visitor.new_page()
    page.on("websocket", lambda socket: outside.append(socket.url))
    yield page
    visitor.close()
    assert not outside


def log_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("User name").fill("anna")
    give_password(page)


def give_password(page: Page) -> None:
    page.get_by_label("Password").fill("s3:cret")
    page.get_by_role("button", name="Log in").click()
    page.locator("#upload input[type=file]").wait_for(state="attached")


def give(page: Page, file: Path) -> None:
    page.locator("#upload input[type=file]").set_input_files(file)


def noise(path: Path, side: int) -> Path:
    """Write a picture of about 3 bytes a pixel."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return path


def assert_arrows_move_between_tabs(page: Page) -> None:
    moves = {"ArrowLeft": "Colour", "End": "Models", "ArrowRight": "Colour"}  # from Digits, and round the ends
    for key, name in moves.items():
        page.keyboard.press(key)
        tab = page.get_by_role("tab", name=name)
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(tab).to_have_attribute("tabindex", "0")
    expect(page.get_by_role("tab", name="Models")).to_have_attribute("tabindex", "-1")


def assert_the_focus_stays_on_a_control(page: Page) -> None:
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML("
        "'beforeend', '<div><p><button>Gone</button></p><button>Near</button></div>')"
    )
    gone, near = (page.get_by_role("button", name=name, exact=True) for name in ("Gone", "Near"))
    page.get_by_role("tab", name="Colour").focus()
    gone.focus()
    gone.evaluate("one => one.parentElement.remove()")
    expect(near).to_be_focused()
    near.evaluate("one => one.disabled = true")  # as a button that works
    page.wait_for_function("() => document.activeElement === document.body")
    near.evaluate("one => setTimeout(() => one.disabled = false, 200)")
    expect(near).to_be_focused()
    near.evaluate("one => one.parentElement.style.display = 'none'")
    expect(page.get_by_role("tab", name="Colour")).to_be_focused()


def test_everything_works_with_the_network_cut(page: Page, studio: str, photograph: Path) -> None:
    page.goto(studio)
    give(page, photograph)
    expect(page.locator("#colourings .thumbnail-item img")).to_have_count(4)
    page.locator("#details > button").click()
    page.locator("#help").wait_for()
    page.get_by_role("tab", name="Digits").click()
    expect(page.locator("#grid img").first).to_be_visible()
    assert_arrows_move_between_tabs(page)
    assert_the_focus_stays_on_a_control(page)
    fonts = page.evaluate("() => [...document.fonts].filter(font => font.status === 'error').map(font => font.family)")
    assert fonts == []


def test_behind_a_proxy_that_takes_a_prefix_away_with_a_password(page: Page, proxied: str, photograph: Path) -> None:
    page.goto(f"{proxied}?vivid=1.2")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("anna")
    page.keyboard.press("Tab")
    page.keyboard.type("secret")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong: try again.")
    expect(page.get_by_label("User name")).to_have_value("anna")
    expect(page.get_by_label("Password")).to_be_focused()
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(AXE_SCRIPT)
        assert page.evaluate("() => axe.run()")["violations"] == []
    give_password(page)
    assert "vivid=1.2" in page.url
    give(page, photograph)
    pictures = page.locator("#colourings .thumbnail-item img")
    expect(pictures).to_have_count(4)
    for index in range(4):
        assert pictures.nth(index).get_attribute("src").startswith(proxied)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#colourings img')].every(one => one.complete && one.naturalWidth > 0)"
    )
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("User name")).to_be_focused()
    assert httpx.get(f"{proxied}config", trust_env=False).status_code == 401
    assert Proxy.strays == []


def test_a_full_disk_and_a_file_over_the_limit_are_one_sentence_and_the_next_is_served(
    page: Page, proxied: str, photograph: Path, tmp_path: Path
) -> None:
    log_in(page, proxied)
    give(page, noise(tmp_path / "no-room.png", 700))  # 1.5 MB
    expect(page.locator(".toast-body")).to_contain_text("The studio's disk is full")
    page.locator(".toast-close").first.click()
    give(page, noise(tmp_path / "too-large.png", 1000))  # 3 MB
    expect(page.locator(".toast-body")).to_contain_text("exceed the maximum allowed size of 2")
    page.locator(".toast-close").first.click()
    give(page, photograph)
    expect(page.locator("#colourings .thumbnail-item img")).to_have_count(4)
    assert "Traceback" not in page.content()


def test_nobody_comes_in_without_the_password_but_the_watchdog(address: str) -> None:
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as stranger:
        for route in (
            "config",
            "metrics",
            "openapi.json",
            "gradio_api/info",
            "gradio_api/file=/etc/passwd",
            "gradio_api/queue/data?session_hash=a",
        ):
            assert stranger.get(route).status_code in (401, 403), route
        assert stranger.post("gradio_api/upload", files={"files": ("a.txt", b"a")}).status_code == 401
        asked = {"data": [], "fn_index": 0, "session_hash": "a"}
        assert stranger.post("gradio_api/queue/join", json=asked).status_code == 401
        assert stranger.post("login", data={"username": "anna", "password": "s3"}).status_code == 401
        assert stranger.get("health").text == "ok"


def test_tools_and_prometheus_work_with_the_password(address: str) -> None:
    pytest.importorskip("mcp", reason="mcp is missing: pip install 'cinn-app[mcp]'")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    login, tools = ("anna", "s3:cret"), f"{address}gradio_api/mcp/"

    async def call() -> Any:
        async with (
            httpx.AsyncClient(auth=login, trust_env=False, timeout=60) as http,
            streamable_http_client(tools, http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return [await session.call_tool(name, {}) for name in ("digits", "models")]

    with ThreadPoolExecutor(1) as executor:  # in this thread, the loop of the browser's tests may run
        digits, models = executor.submit(asyncio.run, call()).result()
    assert not digits.isError and digits.content[0].type == "image"
    assert not models.isError and "colorize" in str(models.content)
    assert httpx.post(tools, json={}, trust_env=False).status_code == 401
    assert "cinn_refusals" in httpx.get(f"{address}metrics", auth=login, trust_env=False).text


def test_prometheus_reads_what_has_been_done(studio: str, open_studio, photograph: Path) -> None:
    def metrics() -> dict[str, float]:
        lines = httpx.get(f"{studio}metrics", trust_env=False).text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def increase(name: str) -> float:
        name += '{system="colorization"}'
        return after[name] - before.get(name, 0)

    before = metrics()
    page = open_studio()
    give(page, photograph)
    coloured(page)
    after = metrics()
    assert increase("cinn_samples_total") == 16  # of which four are shown
    assert increase("cinn_sampling_seconds_count") == 1
    assert after["cinn_open_pages"] >= 1
    assert after["cinn_queue_length"] == 0
    assert after["process_resident_memory_bytes"] > 1e7
