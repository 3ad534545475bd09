"""The studio as a browser sees it, served, opened and drawn on: for the scripts here and the tests in a browser."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright

PATIENCE_MS = 120_000
# Without a network Chromium would stall for half a minute over what it looks for by itself.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium(playwright: Playwright) -> Path:
    """Find a Chromium, if possible the one without windows, which needs less; or else where Playwright puts one."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return Path(next(filter(None, map(shutil.which, names)), playwright.chromium.executable_path))


def launch(playwright: Playwright, *flags: str) -> Browser:
    """Start Chromium without a window."""
    return playwright.chromium.launch(executable_path=find_chromium(playwright), args=[*CHROMIUM_FLAGS, *flags])


@contextmanager
def studio(model: str | None = None) -> Iterator[str]:
    """Serve the studio in a process of its own, and give its address, at which it soon answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), *(("--model", model) if model else ())]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1]) as server:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def wait_for_page(page: Page, address: str) -> float:
    """Open the page as soon as there is one, and return how many seconds that took."""
    begun = time.monotonic()
    while True:
        try:
            urllib.request.urlopen(address, timeout=1).close()  # a browser's tries would slow the start
            break
        except OSError:
            if time.monotonic() - begun > PATIENCE_MS / 1000:
                raise
            time.sleep(0.05)
    page.goto(address)
    page.locator("#upload input[type=file]").wait_for(state="attached")
    return time.monotonic() - begun


def open_digits(page: Page) -> None:
    """Go to the digits tab, and wait until it shows some."""
    page.get_by_role("tab", name="Digits").click()
    page.locator("#grid img").first.wait_for()


def stroke(page: Page, *places: tuple[float, float]) -> None:
    """Draw on the pad with the mouse; places are shares of its sides."""
    pad = page.locator("#pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for number, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
