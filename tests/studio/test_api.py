"""The named endpoints, as their clients use them: from Python, over plain HTTP, and as tools of the MCP server."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from cinn_app import Colorizer, ColourReference, InverseProblem
from cinn_app.imaging import read_provenance

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ADDRESS = "http://127.0.0.1:7860"
ENDPOINTS = {"colorize", "hint", "reference", "redraw", "interpolate", "uncertainty", "models"}
ENDPOINTS |= {"digits", "between", "restyle", "posterior", "problems"}


@pytest.fixture(scope="module")
def client(studio: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(studio, verbose=False, analytics_enabled=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawing that is taken for a digit."""
    pixels = np.full((120, 100), 255, np.uint8)
    pixels[15:70, 25:33], pixels[62:70, 25:80], pixels[15:110, 62:70] = 0, 0, 0
    path = tmp_path_factory.mktemp("drawn") / "four.png"
    Image.fromarray(pixels).save(path)
    return path


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_colourings_come_at_full_resolution_each_with_its_report(client: Client, photograph: Path) -> None:
    given = {"picture": handle_file(photograph), "temperature": [0, 0.1, 0.2, 0.5, 0.7], "api_name": "/colorize"}
    pictures, sheet, report = client.predict(samples=2, seed=5, **given)
    with Image.open(photograph) as gray, Image.open(pictures[0]) as first:
        assert (first.size, first.format, first.info["dpi"]) == (gray.size, "JPEG", (300, 300))
        assert first.getexif()[0x010E] == "Grandma in the garden"
    assert [line["output"] for line in report] == [Path(picture).name for picture in pictures]
    assert [(line["seed"], line["sample"]) for line in report] == [(5, 0), (5, 1)]
    assert [line["temperature"] for line in report] == [[0, 0.1, 0.2, 0.5, 0.7]] * 2
    assert all(np.isfinite(line["log_likelihood"]) and line["seconds"] > 0 for line in report)
    mark = read_provenance(pictures[1])
    assert mark is not None and (mark["sample"], mark["source"]) == (1, report[1]["input"])
    assert np.abs(pixels(pictures[0]) - pixels(pictures[1])).max() > 10
    assert pixels(sheet).shape[1] > 330

    again, _, _ = client.predict(samples=1, seed=5, **given)
    assert np.abs(pixels(again[0]) - pixels(pictures[0])).mean() < 0.05
    weaker, _, _ = client.predict(samples=1, seed=5, strength=0, **given)
    assert np.ptp(pixels(weaker[0]), axis=-1).max() <= 2  # but for what JPEG does


def test_those_that_differ_are_chosen_of_more(client: Client, photograph: Path) -> None:
    pictures, _, report = client.predict(handle_file(photograph), samples=2, diverse=True, api_name="/colorize")
    assert len(pictures) == 2 and {line["chosen_of"] for line in report} == {8}


def test_fading_is_removed_on_request(client: Client, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:60, :90]
    Image.fromarray((155 + 45 * np.sin(columns / 9) * np.cos(rows / 7)).astype(np.uint8)).save(tmp_path / "old.png")
    (picture,), _, (line,) = client.predict(
        handle_file(tmp_path / "old.png"), restore_levels=True, api_name="/colorize"
    )
    assert line["restore_levels"] is True
    assert np.ptp(pixels(picture).mean(-1)) > 180


@pytest.mark.parametrize(
    "hints",
    [
        "40,30=#c02020 200,150=#2040a0",
        {"hints": [{"colour": "#c02020", "points": [[40, 30]]}, {"colour": "#2040a0", "points": [[200, 150]]}]},
    ],
)
def test_hints_are_met(client: Client, photograph: Path, tmp_path: Path, hints: Any) -> None:
    Image.open(photograph).save(tmp_path / "grandma.png")  # which keeps pixels as they are
    picture, line = client.predict(handle_file(tmp_path / "grandma.png"), hints, api_name="/hint")
    assert [hint["colour"] for hint in line["hints"]] == ["#c02020", "#2040a0"]
    (red, _, _), (_, _, blue) = pixels(picture)[30, 40], pixels(picture)[150, 200]
    assert red == pixels(picture)[30, 40].max() and blue == pixels(picture)[150, 200].max()


def test_a_reference_and_a_mask_count(client: Client, photograph: Path, tmp_path: Path) -> None:
    reds = np.zeros((40, 50, 3), np.uint8)
    reds[..., 0] = np.linspace(20, 250, 50)
    Image.fromarray(reds).save(tmp_path / "reds.png")
    Image.open(photograph).save(tmp_path / "grandma.png")
    given = {"picture": handle_file(tmp_path / "grandma.png"), "seed": 3}
    (plain,), _, _ = client.predict(**given, api_name="/colorize")
    picture, line = client.predict(reference=handle_file(tmp_path / "reds.png"), **given, api_name="/reference")
    assert line["reference"] == ColourReference.of(tmp_path / "reds.png").digest
    assert np.abs(pixels(picture) - pixels(plain)).max() > 10

    mask = np.zeros((240, 330), np.uint8)
    mask[:, :150] = 255
    Image.fromarray(mask).save(tmp_path / "left.png")
    picture, line = client.predict(keep=handle_file(tmp_path / "left.png"), **given, api_name="/redraw")
    change = np.abs(pixels(picture) - pixels(plain)).max(-1)
    assert change[:, :60].mean() < 0.1 * change[:, 200:].mean()
    assert (line["kept_seed"], line["seed"]) == (3, 1)

    way, lines = client.predict(other_seed=8, count=3, **given, api_name="/interpolate")
    assert (pixels(way[0]) == pixels(plain)).all() and [line["seeds"] for line in lines] == [[3, 8]] * 3
    from_first, from_last = (np.abs(pixels(way[1]) - pixels(end)).mean() for end in (way[0], way[2]))
    assert 0 < from_first < 2 * from_last < 4 * from_first

    uncertain = client.predict(handle_file(photograph), samples=3, api_name="/uncertainty")
    assert pixels(uncertain).shape == (240, 330, 3) and pixels(uncertain).max() > 0


def test_digits_come_as_a_sheet_and_as_numbers(client: Client, four: Path) -> None:
    sheet, data, report = client.predict(label=7, count=3, axes={"slant": 1}, api_name="/digits")
    numbers = np.load(data)
    assert (numbers.dtype, numbers.shape) == (np.uint8, (1, 3, 28, 28))
    assert (report["axes"], report["labels"], report["samples"]) == ({"slant": 1.0}, [7], 3)
    assert (read_provenance(sheet) or {})["labels"] == [7]
    _, data, _ = client.predict(count=2, api_name="/digits")
    assert np.load(data).shape == (10, 2, 28, 28)

    _, data, report = client.predict(first=2, last=5, count=4, api_name="/between")
    assert np.load(data).shape == (1, 4, 28, 28) and report["labels"] == [2, 5]

    _, data, report = client.predict(handle_file(four), label=4, api_name="/restyle")
    assert np.load(data).shape == (1, 10, 28, 28)
    assert report["label"] == 4 and sum(report["probabilities"]) == pytest.approx(1, abs=1e-4)


def test_a_posterior_comes_as_samples_and_as_statistics(client: Client, installed: Path) -> None:
    kinematics, tissue = client.predict(api_name="/problems")
    assert (kinematics["name"], tissue["name"]) == ("kinematics", "tissue")
    names = [quantity["name"] for quantity in tissue["parameters"]]
    observed = [0.5 * sum(quantity["range"]) if quantity["range"] else 1.0 for quantity in tissue["measurements"]]
    asked = {"observation": observed, "problem": "tissue", "count": 300, "seed": 7, "api_name": "/posterior"}
    file, report = client.predict(**asked)
    header, *rows = Path(file).read_text().splitlines()
    samples = np.array([row.split(",") for row in rows], float)
    assert header.split(",") == report["parameters"] == names and samples.shape == (300, len(names))
    own = InverseProblem.load(installed / "tissue.safetensors").posterior(observed)
    expected = own.sample((300,), torch.Generator().manual_seed(7)).numpy()
    assert samples == pytest.approx(expected, rel=1e-3)
    assert report["mean"] == pytest.approx(expected.mean(0), rel=1e-3) and report["far"] is bool(own.far)
    median = [one["0.5"] for one in report["quantiles"]]
    assert median == pytest.approx(np.quantile(expected, 0.5, axis=0), rel=1e-3)
    assert np.loadtxt(client.predict(**asked)[0], delimiter=",", skiprows=1) == pytest.approx(samples)


def test_models_and_axes_are_listed(client: Client, installed: Path) -> None:
    models, axes = client.predict(api_name="/models")
    assert [(model["name"], model["system"]) for model in models] == [
        ("colorize", "colorization"),
        ("digits", "digits"),
        ("kinematics", "inverse-problems"),
        ("tissue", "inverse-problems"),
    ]
    assert models[0]["figures"] == {"held_out_bits_per_dim": 5.25}
    known = [axis.name for axis in Colorizer.load(installed / "colorize.safetensors").axes]
    assert known and axes["colorization"] == known and axes["digits"][:2] == ["slant", "width"]


def test_what_cannot_be_done_is_one_sentence_and_the_next_call_is_served(
    client: Client, studio: str, photograph: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(photograph.read_bytes()[:90])
    picture = handle_file(photograph)
    outside = str(photograph)  # a file of this computer that nobody has uploaded
    for sentence, endpoint, given in [
        (r"^torn\.jpg ", "/colorize", {"picture": handle_file(torn)}),
        (r"^There is no upload .*: upload it to", "/colorize", {"picture": outside}),
        (r"^There is no upload .*: upload it to", "/colorize", {"picture": f"{studio}gradio_api/file={outside}"}),
        (r"^There is no upload .*: upload it to", "/restyle", {"picture": "https://example.org/four.png"}),
        (r"^The picture did not arrive whole: ", "/restyle", {"picture": "data:image/png;base64,abc"}),
        (r"^There is no picture: upload it to", "/restyle", {"picture": 7}),
        (r"^samples cannot be 17: input should be less than", "/colorize", {"picture": picture, "samples": 17}),
        (r"^The temperature 'hot' is out of range: ", "/colorize", {"picture": picture, "temperature": "hot"}),
        ("^2 temperatures were given: .* tiny details", "/uncertainty", {"picture": picture, "temperature": [1, 1]}),
        (r"^axes\.slant cannot be 'far': ", "/digits", {"axes": {"slant": "far"}}),
        (r"^There is no axis 'charm': choose one of 1 slant", "/digits", {"axes": {"charm": 1}}),
        (r"^The hint 999,30=#c02020 is outside", "/hint", {"picture": picture, "hints": "999,30=#c02020"}),
        (r"^The hint 'red' cannot be read", "/hint", {"picture": picture, "hints": "red"}),
        (r"^These are no hints \(hints: Field required", "/hint", {"picture": picture, "hints": {"dots": []}}),
        (r"^The reference has no colours", "/reference", {"picture": picture, "reference": picture}),
        (r"^The observation .1.0, 2.0, 3.0. does not fit: give 2 numbers", "/posterior", {"observation": [1, 2, 3]}),
        (r"^observation\.1 cannot be 'red': ", "/posterior", {"observation": [1, "red"]}),
        (
            r"^There is no model of the problem charm: choose one of kinematics",
            "/posterior",
            {"observation": [1, 2], "problem": "charm"},
        ),
    ]:
        with pytest.raises(AppError, match=sentence) as refused:
            client.predict(api_name=endpoint, **given)
        assert "Traceback" not in str(refused.value) and "cinn-studio-" not in str(refused.value)
    with pytest.raises(httpx.HTTPStatusError, match="403"):  # the guard's answer, before gradio sees it
        client.predict(api_name="/colorize", picture={"path": outside})
    assert client.predict(label=1, count=1, api_name="/digits")


@pytest.mark.parametrize(
    ("route", "asked", "sentence"),
    [
        ("call/v2/nowhere", {}, "There is no such endpoint, or"),
        ("call/nowhere%1b%0aIntruder", {"data": []}, "There is no such endpoint, or"),
        ("call/v2/digits", {"lable": 7}, "This request does not fit its endpoint (Parameter `lable` is not a valid"),
        ("call/v2/colorize", {}, "This request does not fit its endpoint (No value provided for required argument"),
    ],
)
def test_a_call_that_fits_no_endpoint_is_one_sentence(
    studio: str, contacted: Path, route: str, asked: Any, sentence: str
) -> None:
    answer = httpx.post(f"{studio}gradio_api/{route}", json=asked, trust_env=False)
    assert answer.status_code == 400 and answer.json()["detail"].startswith(sentence)
    log = contacted.with_name("log.txt").read_text()
    assert "\x1b" not in log and "\nIntruder" not in log


@pytest.mark.parametrize("values", [[], [7], ["line\nfeed"] * 20])
def test_a_wrong_number_of_values_is_one_sentence(studio: str, values: list[Any]) -> None:
    event = httpx.post(f"{studio}gradio_api/call/digits", json={"data": values}, trust_env=False).json()["event_id"]
    answer = httpx.get(f"{studio}gradio_api/call/digits/{event}", trust_env=False, timeout=60).text
    assert f"The endpoint takes 6 values, not {len(values)}: " in answer
    direct = httpx.post(f"{studio}gradio_api/run/digits", json={"data": [1]}, trust_env=False)
    assert direct.status_code == 404  # nothing computes beside the queue


def test_openapi_tells_names_types_bounds_and_meanings(studio: str) -> None:
    with urllib.request.urlopen(f"{studio}gradio_api/openapi.json") as response:
        paths = json.load(response)["paths"]
    asked = {path.rpartition("/")[2]: way["post"] for path, way in paths.items() if "/call/" in path and "post" in way}
    assert set(asked) == ENDPOINTS
    properties = {
        name: way["requestBody"]["content"]["application/json"]["schema"]["properties"] for name, way in asked.items()
    }
    assert all(value["description"].endswith(".") for taken in properties.values() for value in taken.values())
    assert properties["colorize"]["picture"]["format"] == "filepath"
    samples = properties["colorize"]["samples"]
    assert (samples["type"], samples["minimum"], samples["maximum"]) == ("integer", 1, 16)


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: in this one, the loop of the browser's tests may run."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()


def with_tools(studio: str, use: Callable[[Any], Awaitable[Any]]) -> Any:
    """Use the studio's MCP server."""
    pytest.importorskip("mcp", reason="mcp is missing: pip install 'cinn-app[mcp]'")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def session() -> Any:
        address = f"{studio}gradio_api/mcp/"
        async with streamable_http_client(address) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return await use(session)

    return finish(session())


def test_tools_take_pictures_and_show_small_ones(studio: str, tmp_path: Path) -> None:
    large = tmp_path / "large scan.png"
    Image.fromarray(np.arange(1500 * 80, dtype=np.uint32).reshape(80, 1500).astype(np.uint8)).save(large)
    encoded = "data:image/png;base64," + base64.b64encode(large.read_bytes()).decode()

    async def use(session: Any) -> Any:
        tools = (await session.list_tools()).tools
        return tools, [
            await session.call_tool("colorize", {"picture": encoded, "samples": 2}),
            await session.call_tool("hint", {"picture": encoded, "hints": "30,20=#ff0000"}),
            await session.call_tool("hint", {"picture": encoded, "hints": "30,99=#ff0000"}),
            await session.call_tool("colorize", {"picture": str(large)}),
        ]

    tools, (coloured, hinted, outside, local) = with_tools(studio, use)
    assert {tool.name for tool in tools} == ENDPOINTS
    schema = next(tool.inputSchema for tool in tools if tool.name == "colorize")
    assert schema["required"] == ["picture"] and schema["properties"]["samples"]["maximum"] == 16
    assert not coloured.isError, coloured.content
    assert [content.type for content in coloured.content] == ["text", "image", "text", "text"]
    assert [content.type for content in hinted.content] == ["image", "text", "text"]
    (tmp_path / "shown").write_bytes(base64.b64decode(hinted.content[0].data))
    assert pixels(tmp_path / "shown").shape == (55, 1024, 3)
    address = hinted.content[1].text.removeprefix("Image URL: ")
    urllib.request.urlretrieve(quote(address, safe=":/="), tmp_path / "whole.png")
    assert pixels(tmp_path / "whole.png").shape == (80, 1500, 3)
    assert outside.isError and outside.content[0].text.startswith("The hint 30,99=#ff0000 is outside the picture")
    assert local.isError and local.content[0].text.startswith("There is no upload")


def test_the_upload_tool_hands_over_a_local_picture(studio: str, photograph: Path) -> None:
    mcp = pytest.importorskip("mcp", reason="mcp is missing: pip install 'cinn-app[mcp]'")
    from mcp.client.stdio import stdio_client

    async def upload() -> Any:
        gradio = str(Path(sys.executable).with_name("gradio"))
        server = mcp.StdioServerParameters(
            command=gradio, args=["upload-mcp", studio, str(photograph.parent)], env=dict(os.environ)
        )
        async with stdio_client(server) as (read, write), mcp.ClientSession(read, write) as session:
            await session.initialize()
            return await session.call_tool("upload_file_to_gradio", {"file": str(photograph)})

    address = finish(upload()).content[0].text

    async def use(session: Any) -> Any:
        return await session.call_tool("colorize", {"picture": address})

    result = with_tools(studio, use)
    assert not result.isError and result.content[1].type == "image"


def test_the_page_about_them_runs(
    studio: str, photograph: Path, four: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mcp", reason="mcp is missing: pip install 'cinn-app[mcp]'")
    monkeypatch.chdir(tmp_path)
    Path("grandma.jpg").write_bytes(photograph.read_bytes())
    Path("four.png").write_bytes(four.read_bytes())
    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `/(\w+)`", text, re.MULTILINE)) == ENDPOINTS
    examples = re.findall(r"^```(python|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [language for language, _ in examples] == ["python", "python", "python", "bash", "python"]
    programs = {"python": [sys.executable, "-c"], "bash": ["bash", "-euo", "pipefail", "-c"]}
    # As a reader runs them: what is Python in one session, one after the other.
    for language in programs:
        code = "\n".join(code for kind, code in examples if kind == language)
        code = code.replace(ADDRESS, studio.rstrip("/"))
        result = subprocess.run([*programs[language], code], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        if language == "python":
            assert "(1, 12, 28, 28)" in result.stdout and "a picture, image/jpeg" in result.stdout
    fetched = sorted(path.name for path in tmp_path.glob("*coloured*"))
    assert fetched == ["grandma-coloured-1.jpg", "grandma-coloured-2.jpg"]
    assert pixels(fetched[0]).shape == (240, 330, 3)
