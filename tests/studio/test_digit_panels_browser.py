"""The panels below the digits as a visitor meets them, in headless Chromium."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from digit_page import changed, decode, pictures
from pixels import assert_same_pixels
from playwright.sync_api import Locator, Page, expect  # after the check that it is there
from studio_page import stroke

from cinn_app.imaging import read_provenance
from cinn_app.systems.digits.images import read_digit

GRID, WRITTEN, BESIDE = "#grid img", "#written .row-of-digits img", "#similar-grid .handwriting"


def open_panel(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def is_blank(pad: Locator) -> bool:
    return pad.evaluate("pad => pad.getContext('2d').getImageData(0, 0, 280, 280).data.every(value => value === 0)")


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    """A digit on paper, dark on light and taller than wide."""
    picture = Image.new("RGB", (150, 240), (250, 245, 230))
    ImageDraw.Draw(picture).line([(40, 40), (110, 40), (70, 200)], (20, 30, 90), 16)
    picture.save(tmp_path / "my seven.png")
    return tmp_path / "my seven.png"


# ---- the film ------------------------------------------------------------------------------------------------------


def test_the_film_plays_from_one_chosen_digit_to_the_other_and_can_be_stopped(open_digits) -> None:
    page = open_digits()
    grid = pictures(page, GRID)
    open_panel(page, "Film")
    strip = changed(page, "#film .screen img", [])
    frames = decode(strip[0])
    assert frames.shape == (28, 25 * 28)
    assert_same_pixels(frames[:, :28], decode(grid[0]))
    assert_same_pixels(frames[:, -28:], decode(grid[59]))

    slider, button = page.get_by_label("Position between A and B"), page.locator("#film .play")
    page.locator("#film").scroll_into_view_if_needed()
    expect(button).to_have_text(re.compile("Pause"), use_inner_text=True)
    page.wait_for_function("() => Number(document.querySelector('#film input').value) > 3")  # it plays by itself
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_text(re.compile("Play"), use_inner_text=True)
    stopped = slider.input_value()
    page.wait_for_timeout(400)
    assert slider.input_value() == stopped

    slider.press("End")
    assert slider.input_value() == "24"
    # What the screen shows is the last frame: its picture begins 24 screens to the left.
    shift = "([screen, strip]) => (screen.left - strip.left) / screen.width"
    boxes = "['.screen', '.screen img'].map(one => document.querySelector('#film ' + one).getBoundingClientRect())"
    assert page.evaluate(f"({shift})({boxes})") == pytest.approx(24, abs=0.05)

    page.locator("#grid button").nth(17).click()  # the film follows while it is open
    frames = decode(changed(page, "#film .screen img", strip)[0])
    assert_same_pixels(frames[:, :28], decode(grid[59]))
    assert_same_pixels(frames[:, -28:], decode(grid[17]))
    assert page.evaluate(f"({shift})({boxes})") == pytest.approx(24, abs=0.05)
    button.click()
    page.wait_for_function("() => Number(document.querySelector('#film input').value) < 24")


def test_the_film_rests_if_the_visitors_system_reduces_motion(open_digits) -> None:
    page = open_digits(reduced_motion="reduce")
    open_panel(page, "Film")
    changed(page, "#film .screen img", [])
    page.locator("#film").scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    expect(page.locator("#film .play")).to_have_text(re.compile("Play"), use_inner_text=True)
    assert page.locator("#film input").input_value() == "0"
    page.locator("#film .play").click()  # who asks for it gets it
    page.wait_for_function("() => Number(document.querySelector('#film input').value) > 1")


@pytest.mark.parametrize(("button", "suffix"), [("GIF", "gif"), ("WebP", "webp")])
def test_the_film_is_downloaded_with_its_settings(open_digits, tmp_path: Path, button: str, suffix: str) -> None:
    page = open_digits()
    page.locator("#digit-seed input").fill("5")
    page.locator("#digit-seed input").press("Enter")
    open_panel(page, "Film")
    page.locator("#film-format label").get_by_text(button, exact=True).click()
    with page.expect_download() as caught:
        page.locator("#download-film").click()
    assert caught.value.suggested_filename == f"film-0-to-9-seed5-t0.8.{suffix}"
    caught.value.save_as(tmp_path / f"film.{suffix}")
    with Image.open(tmp_path / f"film.{suffix}") as film:
        assert (film.format, film.info["loop"], film.is_animated) == (suffix.upper(), 0, True)
    mark = read_provenance(tmp_path / f"film.{suffix}")
    assert mark is not None and (mark["seed"], mark["frames"], mark["to"]) == (5, 25, {"label": 9, "sample": 5})


# ---- one's own hand ------------------------------------------------------------------------------------------------


def test_a_drawing_gets_the_probabilities_of_all_ten_digits(open_digits) -> None:
    page = open_digits()
    stroke(page, (0.3, 0.2), (0.7, 0.2), (0.45, 0.85))
    bars = page.get_by_role("list", name="Probability of each digit").locator("li")
    expect(bars).to_have_count(10)
    widths = bars.locator(".bar span").evaluate_all("all => all.map(one => parseFloat(one.style.width))")
    assert sum(widths) == pytest.approx(100, abs=0.1)
    assert [text.split()[0] for text in bars.all_inner_texts()] == [str(digit) for digit in range(10)]
    guessed = int(np.argmax(widths))
    expect(page.locator("#written")).to_contain_text(re.compile(rf"Taken as {guessed}, but it hardly looks like"))
    expect(page.locator(".probabilities")).to_contain_text("cannot tell that a drawing is no digit")
    expect(page.locator(".probabilities .taken b")).to_have_text(str(guessed))
    page.locator("#drawn-label label").get_by_text(str((guessed + 1) % 10), exact=True).click()
    expect(page.locator(".probabilities .taken b")).to_have_text(str((guessed + 1) % 10))
    assert widths == bars.locator(".bar span").evaluate_all("all => all.map(one => parseFloat(one.style.width))")


@pytest.mark.parametrize("way", ["opened", "dropped"])
def test_a_picture_of_a_digit_is_recognised_like_a_drawing(open_digits, drawing: Path, way: str) -> None:
    page = open_digits()
    pad = page.locator("#pad canvas")
    if way == "opened":
        page.locator("#pad-side input[type=file]").set_input_files(drawing)
    else:
        pad.evaluate(
            """(pad, bytes) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], "my seven.png", { type: "image/png" }));
                pad.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            }""",
            list(drawing.read_bytes()),
        )
    page.locator(WRITTEN).first.wait_for()
    expected = read_digit(drawing).numpy()
    assert np.array_equal(decode(pictures(page, ".drawing img")[0]), expected)
    page.wait_for_function(
        "() => document.querySelector('#pad canvas').getContext('2d').getImageData(0, 0, 280, 280).data.some(Boolean)"
    )
    on_the_pad = pad.evaluate(
        "pad => [...pad.getContext('2d').getImageData(0, 0, 280, 280).data].filter((value, place) => place % 4 == 3)"
    )
    shrunk = np.reshape(on_the_pad, (28, 10, 28, 10)).mean((1, 3))
    assert np.abs(shrunk - expected).mean() < 5  # it lies on the pad where the model sees it

    first = pictures(page, WRITTEN)
    page.locator("#drawn-label label").get_by_text("7", exact=True).click()
    expect(page.locator(".probabilities .taken b")).to_have_text("7")
    assert np.array_equal(decode(pictures(page, ".drawing img")[0]), expected)
    before = pictures(page, ".drawing img")
    stroke(page, (0.4, 0.5), (0.7, 0.5))  # and may be drawn on
    changed(page, ".drawing img", before)
    assert len(first) == 10


def test_a_file_that_is_no_picture_is_refused_and_leaves_the_drawing(
    open_digits, drawing: Path, tmp_path: Path
) -> None:
    page = open_digits()
    stroke(page, (0.5, 0.2), (0.5, 0.8))
    page.locator(WRITTEN).first.wait_for()
    before, opened = pictures(page, WRITTEN), page.locator("#pad-side input[type=file]")
    (tmp_path / "letter.png").write_text("Dear aunt")
    Image.new("RGB", (90, 90), "white").save(tmp_path / "white.png")
    for name, reason in (
        ("letter.png", "letter.png is not a picture"),
        ("white.png", "white.png is empty: draw one digit"),
    ):
        opened.set_input_files(tmp_path / name)
        expect(page.locator(".toast-body")).to_contain_text(reason)
        expect(page.locator(".toast-body")).not_to_contain_text("/")
        page.locator(".toast-close").click()
        expect(page.locator(".toast-body")).to_have_count(0)
        assert pictures(page, WRITTEN) == before and not is_blank(page.locator("#pad canvas"))
    opened.set_input_files(drawing)
    changed(page, WRITTEN, before)


def test_similar_handwritings_and_the_way_from_a_kept_one(open_digits) -> None:
    page = open_digits()
    expect(page.locator("#similar")).to_be_hidden()
    stroke(page, (0.5, 0.2), (0.5, 0.8))
    rows = page.locator(BESIDE)
    expect(rows).to_have_count(5)
    first = pictures(page, WRITTEN)
    assert pictures(page, f"{BESIDE}.own img") == first
    along = pictures(page, f"{BESIDE} img")
    page.locator("#similar-along label").get_by_text("width", exact=True).click()
    changed(page, f"{BESIDE} img", along)
    assert pictures(page, f"{BESIDE}.own img") == first

    page.locator("#keep-handwriting").click()
    expect(page.locator("#similar-grid")).to_contain_text("draw another digit")
    expect(page.locator("#similar-along label.selected")).to_have_text("from the kept handwriting")
    page.locator("#pad .clear").click()
    expect(page.locator("#similar")).to_be_hidden()
    stroke(page, (0.2, 0.3), (0.8, 0.3), (0.3, 0.8))
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("kept")
    second = pictures(page, WRITTEN)
    for row, expected in ((0, first), (4, second)):
        found = pictures(page, f"{BESIDE}:nth-child({row + 1}) img")
        assert max(np.abs(decode(a) - decode(b)).max() for a, b in zip(found, expected, strict=True)) <= 1
    expect(page.locator(f"{BESIDE}.own")).to_contain_text("yours")


# ---- the map -------------------------------------------------------------------------------------------------------


def place(page: Page) -> list[str]:
    return page.locator("#here dd").all_inner_texts()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_click_on_the_map_writes_the_handwriting_at_that_place(open_digits, width: int) -> None:
    page = open_digits(width, 844)
    open_panel(page, "Map")
    plane = page.locator("#map .plane")
    large, all_ten = "#here .large img", "#here .row-of-digits img"
    before = changed(page, large, [])
    assert place(page) == ["0", "0"]
    chart = decode(pictures(page, "#map .plane img")[0])
    assert chart.shape == (9 * 28, 9 * 28)
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    plane.click(position={"x": box["width"] * 7.5 / 9, "y": box["height"] * 1.5 / 9})
    found = decode(changed(page, large, before)[0])
    assert [float(step) for step in place(page)] == pytest.approx([2.25, 2.25], abs=0.06)  # to the pixel
    assert np.abs(found - chart[28:56, 7 * 28 : 8 * 28]).mean() < 4
    assert_same_pixels(decode(pictures(page, all_ten)[5]), found)
    marker = page.locator(".marker.here").bounding_box()
    assert marker["x"] + marker["width"] / 2 == pytest.approx(box["x"] + box["width"] * 7.5 / 9, abs=2)

    box = plane.bounding_box()
    plane.click(position={"x": 1, "y": box["height"] - 2})
    expect(page.locator("#here dd").first).to_have_text("\N{MINUS SIGN}3.0")
    assert place(page) == ["\N{MINUS SIGN}3.0"] * 2
    found = decode(pictures(page, large)[0])
    assert np.abs(found - chart[-28:, :28]).max() <= 1


def test_the_map_obeys_the_keyboard_and_takes_other_axes(open_digits) -> None:
    page = open_digits()
    open_panel(page, "Map")
    large = pictures(page, "#here .large img") or changed(page, "#here .large img", [])
    plane, place = page.locator("#map .plane"), page.locator("#here dl")
    plane.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    expect(place).to_have_text(re.compile(r"slant\s*\+0\.5\s*width\s*\+0\.2"))
    expect(plane).to_be_focused()
    changed(page, "#here .large img", large)
    chart = pictures(page, "#map .plane img")
    page.locator("#map-digit label").get_by_text("8", exact=True).click()
    eight = changed(page, "#map .plane img", chart)
    expect(place).to_contain_text("+0.5")  # another digit, the same place

    page.get_by_label("To the right").click()
    page.get_by_role("option", name="width").click()
    changed(page, "#map .plane img", eight)
    expect(page.get_by_label("Upwards")).to_have_value("slant")  # no axis crosses itself
    expect(place).to_have_text(re.compile(r"width\s*0\s*slant\s*0"))
    expect(page.locator("#map .across")).to_contain_text("width")
    plane.focus()
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(re.compile(r"width\s*\+0\.2\s*slant\s*0"))  # nor back again

    page.get_by_label("Upwards").focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#map .up")).not_to_contain_text("slant")
    expect(page.get_by_label("To the right")).to_have_value("width")
    expect(page.locator(".toast-body")).to_have_count(0)


def test_the_map_shows_the_own_handwriting_and_keeps_its_place(open_digits) -> None:
    page = open_digits()
    open_panel(page, "Map")
    page.locator("#map .plane").click(position={"x": 40, "y": 60})  # before the digits of the map are there
    expect(page.locator("#here dd").first).to_have_text(re.compile("\N{MINUS SIGN}"))
    page.locator("#map .plane img").wait_for()
    there, box = place(page), page.locator("#map .plane").bounding_box()
    marker = page.locator(".marker.here").bounding_box()
    assert marker["x"] + marker["width"] / 2 == pytest.approx(box["x"] + 40, abs=2)
    expect(page.locator(".marker.yours")).to_have_count(0)
    page.locator("#digits-lead a").click()  # leads to the pad from any panel
    expect(page.locator("#pad canvas")).to_be_in_viewport(ratio=1)
    stroke(page, (0.5, 0.2), (0.5, 0.8))
    page.locator(WRITTEN).first.wait_for()
    open_panel(page, "Map")
    expect(page.locator(".marker.yours")).to_be_visible()
    expect(page.locator("#map .key")).to_have_text("your handwriting")
    assert place(page) == there


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_the_panels_without_scrolling_sideways(open_digits, scheme: str) -> None:
    page = open_digits(390, 844, color_scheme=scheme, has_touch=True, is_mobile=True)
    page.locator("#pad canvas").scroll_into_view_if_needed()
    page.locator("#pad canvas").tap()
    expect(page.locator(BESIDE)).to_have_count(5)
    for panel, sign in (("Your handwriting", BESIDE), ("Film", "#film img"), ("Map", "#map .plane img")):
        open_panel(page, panel)
        page.locator(sign).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    before = pictures(page, "#here .large img")
    page.locator("#map .plane").tap(position={"x": 30, "y": 30})
    changed(page, "#here .large img", before)
