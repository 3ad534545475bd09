"""A studio that runs in a process of its own, as for a user, and a browser in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

# Loaded machines exist; on an idle one nothing takes longer than a few seconds.
PATIENCE = 180
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Notes every address beyond this computer that the server turns to.
SERVER = """
import ipaddress, pathlib, sys

def loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in (None, "", "localhost")

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
    else:
        return
    if not loopback(host):
        with pathlib.Path(sys.argv[3]).open("a") as log:
            log.write(f"{event} {host}\\n")

sys.addaudithook(watch)
from cinn_app import checkpoints
checkpoints.shipped_checkpoints = lambda: pathlib.Path(sys.argv[2])
from cinn_app.studio.app import serve
serve(port=int(sys.argv[1]))
"""


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    return find_free_port()


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def contacted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's steps beyond this computer are noted."""
    return tmp_path_factory.mktemp("studio") / "contacted.txt"


@pytest.fixture(scope="session")
def installed(tiny_checkpoint: Path, tiny_digits_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of checkpoints in which the tiny models stand for those that ship."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copy(tiny_checkpoint, folder / "colorize.safetensors")
    shutil.copy(tiny_digits_checkpoint, folder / "digits.safetensors")
    return folder


@pytest.fixture(scope="session")
def studio(installed: Path, contacted: Path) -> Iterator[str]:
    """The address of a studio with the tiny models."""
    port, log = find_free_port(), contacted.with_name("log.txt")
    command = [sys.executable, "-c", SERVER, str(port), str(installed), str(contacted)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HTTP_PROXY": "http://192.0.2.1:9", "PYTHONUNBUFFERED": "1"}
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as server:
        deadline = time.monotonic() + PATIENCE
        while "The studio is at" not in log.read_text():
            if server.poll() is not None or time.monotonic() > deadline:
                server.kill()
                pytest.fail(f"The studio did not start: {log.read_text()}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
        server.terminate()
        server.wait(PATIENCE)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
    sync_api.expect.set_options(timeout=1000 * PATIENCE)
    with sync_api.sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        chromium = Path(found or playwright.chromium.executable_path)
        if not chromium.is_file():
            pytest.skip(
                "there is no Chromium: install Debian's (apt install chromium), or run 'playwright install chromium'"
            )
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_studio(browser, studio: str) -> Iterator[Callable[..., object]]:
    """Open the studio as a new visitor; every request of his pages must stay on this computer."""
    visitors, requests = [], []

    def open_page(width: int = 1280, height: int = 900, **options: object) -> object:
        visitor = browser.new_context(viewport={"width": width, "height": height}, **options)
        visitor.set_default_timeout(1000 * PATIENCE)
        visitors.append(visitor)
        page = visitor.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(studio)
        page.locator("#upload input[type=file]").wait_for(state="attached")
        return page

    yield open_page
    for visitor in visitors:
        visitor.close()
    outside = [url for url in requests if urlsplit(url).hostname not in ("127.0.0.1", None)]
    assert requests and not outside, outside


@pytest.fixture(scope="session")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gray JPEG of 330 x 240 with a resolution and a caption."""
    rows, columns = np.mgrid[:240, :330]
    pixels = 128 + 60 * np.sin(columns / 25) + 50 * np.cos(rows / 40)
    exif = Image.Exif()
    exif[0x010E] = "Grandma in the garden"
    path = tmp_path_factory.mktemp("photographs") / "grandma 1932.jpg"
    Image.fromarray(pixels.astype(np.uint8)).save(path, quality=90, dpi=(300, 300), exif=exif)
    return path
