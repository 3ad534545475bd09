"""The studio behind nginx: the settings of docs/deploy.md word by word, and nginx as it comes."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from playwright.sync_api import Browser, Page, expect  # after the check that it is there

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
DOCS = Path(__file__).parents[2] / "docs" / "deploy.md"
SERVERS = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
AS_IT_COMES = "server {\n    listen 80;\n    location / { proxy_pass http://127.0.0.1:7860; }\n}\n"
ALL = {"host": SERVERS[0], "path": SERVERS[1], "https": SERVERS[2], "as it comes": AS_IT_COMES}
FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
PATIENCE = 20  # seconds


@pytest.fixture(scope="module")
def addresses(studio: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where nginx shows the studio, by the names of the settings."""
    if NGINX is None:
        pytest.skip("there is no nginx: install it (apt install nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", str(folder / "studio.key"), "-out", str(folder / "studio.pem")]
    subprocess.run([*request, *files], check=True, capture_output=True)
    with contextlib.ExitStack() as probes:  # all are held until each has another
        bound = {name: probes.enter_context(socket.create_server(("127.0.0.1", 0))) for name in ALL}
        ports = {name: probe.getsockname()[1] for name, probe in bound.items()}
    servers = "".join(_on_this_computer(text, studio, ports[name], folder) for name, text in ALL.items())
    places = "".join(f"{name}_temp_path {folder}/{name};" for name in FOLDERS)
    settings = folder / "nginx.conf"
    settings.write_text(f"daemon off; pid {folder}/pid; events {{}} http {{ access_log off; {places} {servers} }}")
    command = [NGINX, "-e", str(folder / "errors"), "-c", str(settings)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as nginx:
        for port in ports.values():
            _wait_for(port, nginx)
        yield {
            name: f"{'https' if name == 'https' else 'http'}://localhost:{port}/{'studio/' if name == 'path' else ''}"
            for name, port in ports.items()
        }
        nginx.terminate()


def _on_this_computer(server: str, studio: str, port: int, folder: Path) -> str:
    """Change what another computer would have in common with docs/deploy.md: ports, and the place of certificates."""
    server = re.sub(r"listen \d+", f"listen 127.0.0.1:{port}", server)
    return server.replace("127.0.0.1:7860", urlsplit(studio).netloc).replace("/etc/ssl", str(folder))


def _wait_for(port: int, nginx: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
            return
        except httpx.HTTPError:
            assert nginx.poll() is None, nginx.stderr and nginx.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(ignore_https_errors=True) as context:
        yield context.new_page()


@pytest.mark.parametrize("settings", ALL)
def test_the_page_asks_nobody_but_the_proxy_and_shows_what_it_gets(
    addresses: dict[str, str], page: Page, settings: str, photograph: Path
) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(addresses[settings])
    page.locator("#upload input[type=file]").first.set_input_files(photograph)
    pictures = page.locator("#colourings .thumbnail-item img")
    expect(pictures).to_have_count(4)
    for number in range(4):
        expect(pictures.nth(number)).to_have_js_property("complete", True)
        assert pictures.nth(number).evaluate("image => image.naturalWidth") > 0
    asked = [url for url in requests if urlsplit(url).scheme in ("http", "https")]
    favicon = "/favicon.ico"
    strays = [url for url in asked if not url.startswith(addresses[settings]) and urlsplit(url).path != favicon]
    assert len(asked) > 10 and not strays, strays
    # All that the page loads at first is listed where it begins, else it would come late on a slow line.
    listed = page.locator("link[rel$=preload], link[rel=stylesheet]").evaluate_all("all => all.map(one => one.href)")
    assert {url for url in asked if "/assets/" in url} <= set(listed)


def test_what_the_proxy_refuses_is_a_sentence(addresses: dict[str, str], page: Page, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    page.goto(addresses["as it comes"])
    page.locator("#upload input[type=file]").first.set_input_files(tmp_path / "large.png")
    expect(page.locator(".toast-body")).to_contain_text("A proxy before the studio refused this file as too large")


def test_streams_ask_not_to_be_held_back_and_the_page_is_compressed(studio: str) -> None:
    with httpx.stream("GET", f"{studio}gradio_api/queue/data?session_hash=nobody", trust_env=False) as answer:
        assert answer.headers["x-accel-buffering"] == "no"
    whole = httpx.get(studio, headers={"accept-encoding": "identity"}, trust_env=False)
    assert "content-encoding" not in whole.headers
    for encoding in ("br", "gzip"):
        answer = httpx.get(studio, headers={"accept-encoding": encoding}, trust_env=False)
        assert answer.headers["content-encoding"] == encoding and answer.text == whole.text
        assert int(answer.headers["content-length"]) < len(whole.content) / 4


def test_programs_are_answered_under_the_name_that_they_used(studio: str) -> None:
    port = urlsplit(studio).port
    assert httpx.get(f"http://localhost:{port}/config", trust_env=False).json()["root"] == f"http://localhost:{port}"
