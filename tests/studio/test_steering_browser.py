"""Steering the colours in the page: where a click lands, and what comes of it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from colour_page import (  # after the check that it is there
    PICTURE,
    choose,
    coloured,
    draw,
    give,
    large,
    marks,
    open_details,
    pixels,
    point,
    saved,
    saved_as,
    set_slider,
    shows,
    want,
)
from playwright.sync_api import Page, expect

from cinn_app import Hints
from cinn_app.imaging import read_provenance, rgb_to_lab

#: Collects all that is said beside the page, which goes by itself.
NOTE_TOASTS = """() => {
    window.toasts = new Set();
    new MutationObserver(() => document.querySelectorAll(".toast-body").forEach((one) => window.toasts.add(one)))
        .observe(document.body, { childList: true, subtree: true });
}"""


def load(page: Page, button: str, file: Path) -> None:
    """Click on a button, and choose a file."""
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(file)


def ab_at(picture: Path, x: int, y: int) -> np.ndarray:
    import torch

    with Image.open(picture) as opened:
        rgb = torch.from_numpy(np.asarray(opened.convert("RGB"))[y, x] / 255).float()
    return rgb_to_lab(rgb[:, None, None])[1:, 0, 0].numpy()


@pytest.mark.parametrize(
    ("size", "landmark", "turned", "screen"),
    [
        ((260, 1000), (190, 850), False, {"width": 1280}),
        ((2000, 300), (1500, 80), False, {"width": 1280}),
        ((2000, 300), (1500, 80), False, {"width": 390, "height": 844, "device_scale_factor": 3}),
        ((480, 360), (90, 300), True, {"width": 1280}),
        ((480, 360), (90, 300), True, {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}),
    ],
    ids=["tall", "wide", "wide on a telephone", "rotated", "rotated, touched"],
)
def test_a_click_lands_on_what_is_seen_there(
    open_studio: Callable[..., Page],
    tmp_path: Path,
    size: tuple[int, int],
    landmark: tuple[int, int],
    turned: bool,
    screen: dict[str, object],
) -> None:
    """Whoever clicks on the white square in the picture, as the screen shows it, hits the square in the file."""
    width, height = size
    ramp = np.linspace(60, 130, width)[None].repeat(height, 0).astype(np.uint8)
    reach = min(size) // 12
    ramp[landmark[1] - reach : landmark[1] + reach + 1, landmark[0] - reach : landmark[0] + reach + 1] = 255
    photograph, exif = Image.fromarray(ramp), Image.Exif()
    if turned:  # stored on its side, as telephones do
        photograph, exif[0x0112] = photograph.transpose(Image.Transpose.ROTATE_90), 6
    photograph.save(tmp_path / "square.png", exif=exif)
    page = open_studio(**screen)
    give(page, tmp_path / "square.png")
    coloured(page)
    page.locator(".board").scroll_into_view_if_needed()
    seen = np.asarray(Image.open(io.BytesIO(page.locator(".board").screenshot(scale="css"))).convert("RGB"), np.int16)
    inner = np.pad(seen.min(-1)[9:-9, 9:-9], 9)  # the picture's frame has round corners, and the page behind is white
    down, across = (places.mean() + 0.5 for places in (inner > 240).nonzero())
    box = page.locator(".board").bounding_box()
    press = page.touchscreen.tap if screen.get("has_touch") else page.mouse.click
    press(box["x"] + across, box["y"] + down)
    want(page, "#a03020")
    ((_, x, y),) = marks(page)
    finest = max(1.0, width / box["width"])
    assert abs(x - landmark[0]) <= 1.5 * finest
    assert abs(y - landmark[1]) <= 1.5 * finest


def test_a_hint_colours_the_download_where_it_was_put(open_studio: Callable[..., Page], tmp_path: Path) -> None:
    rows, columns = np.mgrid[:900, :1400]
    Image.fromarray((128 + 40 * np.sin(columns / 90) + 30 * np.cos(rows / 120)).astype(np.uint8)).save(
        tmp_path / "large.png"
    )
    page = open_studio()
    give(page, tmp_path / "large.png")
    first = coloured(page)
    point(page, 350.5 / 1400, 675.5 / 900)
    want(page, "#2F6F9F")
    coloured(page, first)
    assert marks(page) == [("#2f6f9f", 350, 675)]
    kept = saved_as(page, "this", tmp_path)
    with Image.open(kept) as picture:
        assert picture.size == (1400, 900)
    wanted = Hints.parse(["0,0=#2f6f9f"]).ab[0].numpy()
    assert np.linalg.norm(ab_at(kept, 350, 675) - wanted) < 4
    assert read_provenance(kept)["hints"][0]["points"] == [[350, 675]]


def test_a_hint_that_can_hardly_be_seen_is_reported_once(open_studio: Callable[..., Page], tmp_path: Path) -> None:
    Image.fromarray(np.repeat(np.array([[4, 128]], np.uint8).repeat(300, 0), 150, 1)).save(tmp_path / "dark.png")
    page = open_studio()
    page.evaluate(NOTE_TOASTS)
    give(page, tmp_path / "dark.png")
    first = coloured(page)
    point(page, 0.25, 0.5)
    want(page, "#c02020")
    page.wait_for_function("window.toasts.size === 1")
    second = coloured(page, first)
    point(page, 0.75, 0.5)
    want(page, "#20a040")
    coloured(page, second)
    (toast,) = page.evaluate("[...window.toasts].map((one) => one.textContent)")
    assert "so dark where #c02020 was wanted" in toast


def test_marks_are_moved_recoloured_removed_undone_and_redone(
    open_studio: Callable[..., Page], photograph: Path
) -> None:
    page = open_studio()
    give(page, photograph)
    unsteered = coloured(page)
    point(page, 66.5 / 330, 120.5 / 240)
    want(page, "#a03020")
    hinted = coloured(page, unsteered)
    point(page, 264.5 / 330, 120.5 / 240)
    want(page, "#20a040")
    red, green = ("#a03020", 66, 120), ("#20a040", 264, 120)
    assert marks(page) == [red, green]

    mark = page.locator(".marks button").first.bounding_box()  # from here on, all while the server is at work
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    page.mouse.down()
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + 60, steps=5)
    page.mouse.up()
    moved = marks(page)
    assert moved[0][1] == pytest.approx(66, abs=1) and moved[0][2] > 125 and moved[1] == green

    page.locator(".marks button").nth(1).click()
    expect(page.locator(".hex")).to_have_value("#20a040")
    want(page, "#4050c0")
    assert marks(page)[1] == ("#4050c0", 264, 120)
    page.locator(".marks button").nth(1).press("ArrowLeft")
    assert marks(page)[1] == ("#4050c0", 261, 120)
    page.locator(".marks button").nth(1).press("Delete")
    assert marks(page) == moved[:1]

    for expected in (2, 2, 2, 2, 1):
        page.locator(".board").press("Control+z")
        assert len(marks(page)) == expected
    assert marks(page) == [red]
    shows(page, hinted)
    page.locator(".board").press("Control+Shift+z")
    assert marks(page) == [red, green]
    page.locator(".undo").click()
    page.locator(".marks button").first.click()
    page.locator(".palette .remove").click()
    assert marks(page) == []
    shows(page, unsteered)
    page.locator(".undo").click()
    page.locator(".clear").click()
    assert marks(page) == []
    shows(page, unsteered)


def test_hints_are_saved_loaded_and_refused_where_they_do_not_fit(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    give(page, photograph)
    before = coloured(page)
    open_details(page)
    page.locator("#save-hints").click()
    expect(page.locator(".toast-body").first).to_contain_text("no hints to save")
    draw(page, (0.1, 0.1), (0.6, 0.3))
    page.locator(".swatch").nth(8).click()
    hinted = coloured(page, before)
    file = saved(page, "#save-hints", tmp_path)
    (hint,) = Hints.load(file).on((240, 330)).hints
    assert file.name == "grandma 1932-hints.json"
    assert len(hint.points) > 2 and hint.radius > 0
    page.locator(".clear").click()
    coloured(page, hinted)
    load(page, "#load-hints", file)
    expect(page.locator(".marks button")).to_have_count(1)
    shows(page, hinted)

    other = json.loads(file.read_text()) | {"width": 99, "height": 77}
    (tmp_path / "other.json").write_text(json.dumps(other))
    load(page, "#load-hints", tmp_path / "other.json")
    expect(page.locator(".toast-body", has_text="belong to a picture of 99 x 77 pixels")).to_be_visible()
    assert len(marks(page)) == 1
    page.locator(".undo").click()  # what a file brings can be undone, too
    shows(page, before)
    assert marks(page) == []


def test_axes_move_all_four_and_reset_brings_them_back(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    give(page, photograph)
    before = coloured(page)
    choose(page, 2)
    set_slider(page, "#tool-axes", 1.9)
    steered = coloured(page, before)
    shows(page, steered, 2)
    assert np.abs(pixels(page, steered[2]) - pixels(page, before[2])).mean() > 1
    mark = read_provenance(saved_as(page, "this", tmp_path))
    assert mark["axes"] == {"warmer": 2.0} and mark["seed"] == 0
    open_details(page)
    expect(page.locator("#more table")).to_contain_text("+2")
    page.locator("#reset-axes").click()
    shows(page, before, 2)
    expect(page.locator("#more table")).not_to_contain_text("+2")
    expect(page.locator("#more table")).to_be_visible()  # what was unfolded stays so
    set_slider(page, "#further-axes", -1.1)
    coloured(page, before)
    assert read_provenance(saved_as(page, "this", tmp_path))["axes"] == {"more vivid": -1.0}


def test_colours_are_taken_from_another_picture_for_one_photograph_or_for_all(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    blue = np.random.default_rng(0).integers(0, 256, (40, 60, 1)) * np.array([0.4, 0.6, 1.0])
    Image.fromarray(blue.astype(np.uint8)).save(tmp_path / "lagoon.png")
    Image.radial_gradient("L").resize((100, 80)).save(tmp_path / "uncle.png")
    page = open_studio()
    give(page, photograph, tmp_path / "uncle.png")
    before = coloured(page)
    expect(page.locator("#count")).to_have_text("2 of 2 coloured")
    chip, uncle = page.locator("#reference"), page.locator("#photographs img").nth(1)
    as_drawn = uncle.get_attribute("src")
    load(page, "#reference-picture", photograph)
    expect(page.locator(".toast-body")).to_contain_text("no colours to take")
    expect(chip).to_be_hidden()
    load(page, "#reference-picture", tmp_path / "lagoon.png")
    expect(chip).to_contain_text("As in lagoon.png")
    expect(chip.locator("input")).not_to_be_checked()
    bluer = coloured(page, before)
    assert np.diff([pixels(page, four[0])[..., 2].mean() for four in (before, bluer)]) > 5
    assert "reference" in read_provenance(saved_as(page, "this", tmp_path))
    assert uncle.get_attribute("src") == as_drawn
    chip.locator("input").check()
    expect(uncle).not_to_have_attribute("src", as_drawn)
    shows(page, bluer)
    chip.locator(".take-off").click()
    shows(page, before)
    expect(chip).to_be_hidden()
    assert "reference" not in read_provenance(saved_as(page, "this", tmp_path))


def test_a_part_is_kept_while_the_rest_is_drawn_anew(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    give(page, photograph)
    before = coloured(page)
    open_details(page)
    page.locator(".keep").click()
    expect(page.locator(".redraw")).to_be_disabled()
    page.locator(".brush").fill("20")
    point(page, 0.2, 0.5)
    outline = page.locator(".board svg g")
    expect(outline).to_have_count(1)
    shown = pixels(page, before[0])
    page.locator(".redraw").click()
    after = coloured(page, before)
    expect(outline).to_have_count(0)  # it is gone, and hides nothing
    gone = np.abs(shown - pixels(page, after[0])).mean(-1)
    assert gone[100:140, 46:86].mean() < 4
    assert gone[:, 220:].mean() > 3 * gone[100:140, 46:86].mean()
    mark = read_provenance(saved_as(page, "this", tmp_path))
    assert mark["kept"] and mark["seed"] == int(page.locator("#seed input").input_value())

    page.locator(".release").click()
    freed = coloured(page, after)
    assert "kept" not in read_provenance(saved_as(page, "this", tmp_path))
    page.locator(".keep").click()
    point(page, 0.2, 0.5)
    expect(outline).to_have_count(1)
    page.locator("[data-for=keep] .cancel").click()
    expect(outline).to_have_count(0)
    shows(page, freed)
    page.locator(".keep").click()
    point(page, 0.2, 0.5)
    page.locator("#dice").click()  # four more leave it alone, too
    more = coloured(page, freed)
    gone = np.abs(pixels(page, freed[0]) - pixels(page, more[0])).mean(-1)
    assert gone[100:140, 46:86].mean() < 4


def test_the_picture_is_worked_by_keyboard_and_colours_are_taken_from_it(
    open_studio: Callable[..., Page], photograph: Path
) -> None:
    page = open_studio()
    give(page, photograph)
    before = coloured(page)
    board, shown = page.locator(".board"), pixels(page, large(page))
    point(page, 0.25, 0.25)
    want(page, "no colour")
    expect(page.locator(".hex")).to_have_attribute("aria-invalid", "true")
    page.locator(".dropper").click()
    assert marks(page) == []
    point(page, 165.5 / 330, 120.5 / 240)
    ((colour, x, y),) = marks(page)
    assert (x, y) == (82, 60)
    assert np.abs(np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) - shown[120, 165]).max() <= 2
    coloured(page, before)
    page.locator(".undo").click()
    assert marks(page) == []
    shows(page, before)

    board.press("ArrowRight")
    board.press("Shift+ArrowDown")
    board.press("Enter")
    expect(page.locator(".swatch").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    khaki = page.locator(".swatch", has_text="khaki").get_attribute("data-colour")
    assert marks(page) == [(khaki, 85, 76)]  # from where one has pointed last
    page.locator("[data-over=map]").click()
    expect(page.locator(".board .map")).to_be_visible()
    expect(page.locator(".legend")).to_be_visible()
    assert np.ptp(pixels(page, page.locator(".board .map").get_attribute("src"))) > 100
    page.locator("[data-over=map]").click()
    expect(page.locator(".board .map")).to_be_hidden()
    board.press("+")
    assert page.locator(PICTURE).bounding_box()["width"] > 1.4 * page.locator(".view").bounding_box()["height"]
    board.press("0")


def test_fading_is_removed_where_there_is_some(open_studio: Callable[..., Page], tmp_path: Path) -> None:
    rows, columns = np.mgrid[:200, :300]
    waves = np.sin(columns / 30) * np.cos(rows / 20)
    for name, amplitude in (("fresh", 127), ("faded", 45)):
        Image.fromarray((127 + 28 * (name == "faded") + amplitude * waves).astype(np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    page = open_studio()
    give(page, tmp_path / "fresh.png")
    fresh = coloured(page)
    expect(page.locator("#unfade")).to_be_hidden()
    give(page, tmp_path / "faded.png")
    faded = coloured(page, fresh)
    expect(page.get_by_label("Remove fading")).not_to_be_checked()
    page.get_by_label("Remove fading").check()
    coloured(page, faded)
    file = saved_as(page, "this", tmp_path)
    assert read_provenance(file)["restore_levels"] is True
    assert np.ptp(np.asarray(Image.open(file)).mean(-1)) > 200
