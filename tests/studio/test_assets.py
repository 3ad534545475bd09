"""gradio's scripts and styles: compressed, kept by browsers, and listed where the page begins."""

import json
import re
from urllib.parse import unquote

import gradio as gr
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from cinn_app.studio.assets import SMALL, Assets
from cinn_app.studio.gradio_workarounds import ASSETS, needed_assets, without_streaming

FOREVER = "public, max-age=31536000, immutable"
SPECIFIER = re.compile(r"(?:\bfrom|\bimport)\s*\(?\s*[\"'`]([^\"'`]+)")


@pytest.fixture(scope="module")
def assets() -> Assets:
    """The files of a page with a tab and a gallery."""
    with gr.Blocks(analytics_enabled=False) as page, gr.Tab("One"):
        gr.Gallery()
    return Assets(*needed_assets(page))


@pytest.fixture
def client(assets: Assets) -> TestClient:
    return TestClient(Starlette(routes=[assets.route]))


def test_the_page_lists_what_it_needs_each_once(assets: Assets, client: TestClient) -> None:
    listed = re.findall(r'<link rel="(\w+)" (?:as="style" )?href="\./assets/([\w.-]+)"', assets.first + assets.last)
    assert len(set(listed)) == len(listed) and {rel for rel, _ in listed} == {"preload", "modulepreload", "stylesheet"}
    names = [name for _, name in listed]
    for part in ("index", "core", "Blocks", "Gallery", "HTML"):  # no HTML here
        assert any(name.startswith(f"{part}-") for name in names) == (part != "HTML")
    assert all(client.get(f"/assets/{name}").status_code == 200 for name in names)
    styles = client.get(f"/assets/{names[0]}").text
    marked = re.findall(r'disabled href="\./assets/([\w.-]+)"', assets.last)
    assert len(marked) > 5 and all((ASSETS / name).read_text("utf-8") in styles for name in marked)


def test_small_scripts_are_in_the_page_as_they_are_and_find_the_others(assets: Assets) -> None:
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>', assets.first)
    imports = json.loads(text)["imports"]
    inside = {name: place for name, place in imports.items() if place.startswith("data:")}
    assert len(inside) > 5
    for name, place in inside.items():
        script = unquote(place.partition(",")[2])
        file = ASSETS / name.rpartition("/")[2]
        original = without_streaming(file.name, file.read_bytes()).decode()
        assert script.replace("assets/", "./") == original and len(original) < SMALL
        assert all(found in imports for found in SPECIFIER.findall(script)), name
        assert f'rel="in-the-page" href="./assets/{file.name}"' in assets.last
    others = {place for place in imports.values() if place not in inside.values()}
    assert all((ASSETS / place.removeprefix("./assets/")).is_file() for place in others)


@pytest.mark.parametrize("encoding", ["br", "gzip", ""])
def test_a_file_is_compressed_as_the_browser_can_read_it_and_kept(client: TestClient, encoding: str) -> None:
    script = next(ASSETS.glob("index-*.js"))
    answer = client.get(f"/assets/{script.name}", headers={"accept-encoding": encoding or "identity"})
    assert answer.text == script.read_text("utf-8")
    assert answer.headers.get("content-encoding", "") == encoding
    assert (int(answer.headers["content-length"]) < script.stat().st_size / 2) == bool(encoding)
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == (
        FOREVER,
        "text/javascript; charset=utf-8",
    )
    font = next(ASSETS.glob("*.woff2"))
    answer = client.get(f"/assets/{font.name}", headers={"accept-encoding": encoding})
    assert answer.content == font.read_bytes() and "content-encoding" not in answer.headers


def test_nothing_but_files_of_that_folder_is_found(client: TestClient) -> None:
    for name in ("none.js", "..%2findex.html", "%2e%2e/index.html"):
        assert client.get(f"/assets/{name}").status_code == 404, name


def test_the_script_of_video_streams_is_empty_under_the_same_names() -> None:
    (script,) = ASSETS.glob("hls-*.js")
    emptied = without_streaming(script.name, script.read_bytes()).decode()
    exported = re.findall(r"none as (\w+)", emptied)
    users = [file.read_text("utf-8") for file in ASSETS.glob("Video-*.js")]
    (used,) = {one for text in users for one in re.findall(rf'import{{([^{{}}]*)}}from"\./{script.name}"', text)}
    assert {one.split()[0] for one in used.split(",")} <= set(exported) and len(emptied) < 200
    assert without_streaming("index-hls.js", b"export{a as b};") == b"export{a as b};"
