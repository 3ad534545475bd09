"""A studio that runs in a process of its own, as for a user, and a browser in front of it."""

import contextlib
import functools
import json
import os
import shutil
import signal
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
from tiny_inverse import save_tiny_model

# Loaded machines exist; on an idle one nothing takes longer than a few seconds.
PATIENCE = 180
# Notes every address beyond this computer that the server turns to.
SERVER = """
import importlib.util, ipaddress, json, pathlib, sys

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
from cinn_app.studio.serving import serve
serve(port=int(sys.argv[1]), mcp=importlib.util.find_spec("mcp") is not None, **json.loads(sys.argv[4]))
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
    """A folder of tiny models that stand for those that ship; one has a card."""
    folder = tmp_path_factory.mktemp("installed") / "checkpoints"
    folder.mkdir()
    (folder.parent / "models").mkdir()
    Image.new("RGB", (40, 30), "teal").save(folder.parent / "colours.png")
    (folder.parent / "models" / "colorize.md").write_text("# colorize\n\nRandom.\n\n![Teal](../colours.png)\n")
    shutil.copy(tiny_checkpoint, folder / "colorize.safetensors")
    shutil.copy(tiny_digits_checkpoint, folder / "digits.safetensors")
    for problem in ("kinematics", "tissue"):
        save_tiny_model(problem, folder / f"{problem}.safetensors")
    return folder


@pytest.fixture(scope="session")
def serving(installed: Path, contacted: Path) -> Callable[..., contextlib.AbstractContextManager[str]]:
    """Serves a studio with the tiny models, see :func:`serve_tiny_models`."""
    return functools.partial(serve_tiny_models, installed, contacted)


@pytest.fixture(scope="session")
def studio(serving: Callable[..., contextlib.AbstractContextManager[str]], contacted: Path) -> Iterator[str]:
    """The address of a studio with the tiny models."""
    log = contacted.with_name("log.txt")
    with serving(log) as address:
        yield address
    assert "Traceback" not in log.read_text(), log.read_text()


@contextlib.contextmanager
def serve_tiny_models(
    installed: Path, contacted: Path, log: Path, largest_file: int = 0, **options: object
) -> Iterator[str]:
    """Serve a studio, whose disk takes files of so many bytes at most, and give its address."""
    port = find_free_port()
    command = [sys.executable, "-c", SERVER, str(port), str(installed), str(contacted), json.dumps(options)]
    temporary = log.with_name(f"temporary-{port}")
    temporary.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HTTP_PROXY": "http://192.0.2.1:9", "PYTHONUNBUFFERED": "1"}
    environment["TMPDIR"] = str(temporary)
    if largest_file:
        command = ["prlimit", f"--fsize={largest_file}", *command]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as server:
        deadline = time.monotonic() + PATIENCE
        while "The studio is at" not in log.read_text():
            if server.poll() is not None or time.monotonic() > deadline:
                server.kill()
                pytest.fail(f"The studio did not start: {log.read_text()}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
        for sent in ("SIGHUP", "SIGTERM"):  # as a terminal or a service ends it
            server.send_signal(getattr(signal, sent, signal.SIGTERM))
        server.wait(PATIENCE)
    left = [path for path in temporary.rglob("*") if path.is_file() or path.name.startswith("cinn-studio-")]
    assert (server.returncode, left) == (0, []), f"{left} is left of it: {log.read_text()}"


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
    from studio_page import find_chromium, launch  # after the check that playwright is there

    sync_api.expect.set_options(timeout=1000 * PATIENCE)
    with sync_api.sync_playwright() as playwright:
        if not find_chromium(playwright).is_file():
            pytest.skip(
                "there is no Chromium: install Debian's (apt install chromium), or run 'playwright install chromium'"
            )
        # One process for all pages of a context, and none for a GPU that is not used.
        browser = launch(playwright, "--process-per-site", "--in-process-gpu")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def usual_context(browser, studio: str) -> Iterator[object]:
    """A context that tests share, since what was loaded before loads quickly.

    Its first page stays open, so that the process lives on which has compiled the scripts.
    """
    context = browser.new_context()
    context.new_page().goto(f"{studio}health")
    yield context
    context.close()


@pytest.fixture
def open_studio(browser, studio: str, usual_context) -> Iterator[Callable[..., object]]:
    """Open the studio as a new visitor; every request of the page must stay on this computer."""
    opened, requests = [], []

    def open_page(width: int = 1280, height: int = 900, **options: object) -> object:
        size = {"width": width, "height": height}
        page = browser.new_page(viewport=size, **options) if options else usual_context.new_page()
        usual_context.pages[0].evaluate("localStorage.clear()")  # or the album of an earlier test would come back
        page.set_default_timeout(1000 * PATIENCE)
        page.set_viewport_size(size)
        opened.append(page)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(studio)
        page.locator("#upload input[type=file]").wait_for(state="attached")
        return page

    yield open_page
    for page in opened:
        page.close()  # with its context, if it has one of its own
    outside = [url for url in requests if urlsplit(url).hostname not in ("127.0.0.1", None)]
    assert requests and not outside, outside


@pytest.fixture
def open_digits(open_studio: Callable[..., object]) -> Callable[..., object]:
    """Open the digits tab as a new visitor."""

    def open_tab(*size: int, **options: object) -> object:
        page = open_studio(*size, **options)
        page.get_by_role("tab", name="Digits").click()
        page.locator("#grid img").first.wait_for()
        page.wait_for_timeout(100)  # a moment after it shows controls, gradio sets their first values once more
        return page

    return open_tab


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
