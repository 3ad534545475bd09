"""Steering the colours in the page: where a click lands, and what comes of it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from playwright.sync_api import Locator, Page, expect  # after the check that it is there

from cinn_app import Hints
from cinn_app.imaging import read_provenance, rgb_to_lab

THUMBNAILS = "#colourings .thumbnail-item img"


def steer(page: Page, file: Path) -> None:
    """Give a photograph, wait for its colourings, and open the panel."""
    page.locator("#upload input[type=file]").set_input_files(file)
    pictures(page)
    page.locator("#steering > button").click()
    page.locator(".board .picture").wait_for()


def pictures(page: Page, before: list[str] = ()) -> list[str]:
    """Wait until all four differ from those before, and the chosen one is on the pad at its large size."""
    page.wait_for_function(
        """([selector, before]) => {
            const four = [...document.querySelectorAll(selector)], shown = document.querySelector(".board .picture");
            const whole = !shown || shown.src.includes("-large");
            return four.length == 4 && whole && !document.querySelector("#download")?.disabled
                && four.every(one => one.complete && one.naturalWidth > 0 && !before.includes(one.src));
        }""",
        arg=[THUMBNAILS, list(before)],
    )
    return page.eval_on_selector_all(THUMBNAILS, "four => four.map(one => one.src)")


def marks(page: Page) -> list[tuple[str, int, int]]:
    """Colour, x and y of each mark, in pixels of the photograph."""
    labels = page.eval_on_selector_all(".marks button", "all => all.map(one => one.ariaLabel)")
    parts = [label.split(": ")[1].split(", ") for label in labels]
    return [(colour, int(x), int(y)) for colour, x, y in parts]


def click(page: Page, across: float, down: float) -> None:
    """Click on the pad, at shares of its width and height."""
    board = page.locator(".board")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def want(page: Page, colour: str) -> None:
    page.locator(".hex").fill(colour)
    page.locator(".hex").press("Enter")


def saved(page: Page, button: Locator, folder: Path) -> Path:
    with page.expect_download() as caught:
        button.click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def load(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#load-hints").click()
    chooser.value.set_files(file)


def pixels(page: Page, address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.request.get(address).body())).convert("RGB"), np.int16)


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
    steer(page, tmp_path / "square.png")
    page.locator(".board").scroll_into_view_if_needed()
    seen = np.asarray(Image.open(io.BytesIO(page.locator(".board").screenshot(scale="css"))).convert("RGB"), np.int16)
    inner = np.pad(seen.min(-1)[9:-9, 9:-9], 9)  # its corners are round, and the page behind them is white
    down, across = (places.mean() + 0.5 for places in (inner > 240).nonzero())
    box = page.locator(".board").bounding_box()
    press = page.touchscreen.tap if screen.get("has_touch") else page.mouse.click
    press(box["x"] + across, box["y"] + down)
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
    steer(page, tmp_path / "large.png")
    first = pictures(page)
    want(page, "#2F6F9F")
    click(page, 350.5 / 1400, 675.5 / 900)
    pictures(page, first)
    assert marks(page) == [("#2f6f9f", 350, 675)]
    kept = saved(page, page.locator("#download"), tmp_path)
    with Image.open(kept) as picture:
        assert picture.size == (1400, 900)
    wanted = Hints.parse(["0,0=#2f6f9f"]).ab[0].numpy()
    assert np.linalg.norm(ab_at(kept, 350, 675) - wanted) < 4
    assert read_provenance(kept)["hints"][0]["points"] == [[350, 675]]


def test_a_hint_that_can_hardly_be_seen_is_reported_once(open_studio: Callable[..., Page], tmp_path: Path) -> None:
    Image.fromarray(np.repeat(np.array([[4, 128]], np.uint8).repeat(300, 0), 150, 1)).save(tmp_path / "dark.png")
    page = open_studio()
    steer(page, tmp_path / "dark.png")
    first = pictures(page)
    want(page, "#c02020")
    click(page, 0.25, 0.5)
    toasts = page.locator(".toast-body", has_text="so dark where #c02020 was wanted")
    expect(toasts).to_have_count(1)
    second = pictures(page, first)
    want(page, "#20a040")
    click(page, 0.75, 0.5)
    pictures(page, second)
    expect(toasts).to_have_count(1)


def test_marks_are_moved_recoloured_removed_undone_and_redone(
    open_studio: Callable[..., Page], photograph: Path
) -> None:
    page = open_studio()
    steer(page, photograph)
    unsteered = pictures(page)
    want(page, "#a03020")
    click(page, 66.5 / 330, 120.5 / 240)
    hinted = pictures(page, unsteered)
    want(page, "#20a040")
    click(page, 264.5 / 330, 120.5 / 240)
    red, green = ("#a03020", 66, 120), ("#20a040", 264, 120)
    assert marks(page) == [red, green]

    page.wait_for_function("() => document.querySelector('.marks button')?.getBoundingClientRect().width > 0")
    mark = page.locator(".marks button").first.bounding_box()
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    page.mouse.down()
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + 60, steps=5)
    page.mouse.up()
    moved = marks(page)
    assert moved[0][1] == pytest.approx(66, abs=1) and moved[0][2] > 125 and moved[1] == green

    page.locator(".marks button").nth(1).click()
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
    assert_shown(page, hinted)
    page.locator(".board").press("Control+Shift+z")
    assert marks(page) == [red, green]
    page.locator(".undo").click()
    page.locator(".clear").click()
    assert marks(page) == []
    assert_shown(page, unsteered)


def assert_shown(page: Page, addresses: list[str]) -> None:
    for number, address in enumerate(addresses):
        expect(page.locator(THUMBNAILS).nth(number)).to_have_attribute("src", address)


def test_hints_are_saved_loaded_and_refused_where_they_do_not_fit(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    steer(page, photograph)
    before = pictures(page)
    page.locator("#save-hints").click()
    expect(page.locator(".toast-body").first).to_contain_text("no hints to save")
    page.locator(".board").scroll_into_view_if_needed()
    box = page.locator(".board").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 60, steps=8)
    page.mouse.up()
    hinted = pictures(page, before)
    file = saved(page, page.locator("#save-hints"), tmp_path)
    (hint,) = Hints.load(file).on((240, 330)).hints
    assert file.name == "grandma 1932-hints.json"
    assert len(hint.points) > 2 and hint.radius > 0
    page.locator(".clear").click()
    pictures(page, hinted)
    load(page, file)
    expect(page.locator(".marks button")).to_have_count(1)
    assert_shown(page, hinted)

    other = json.loads(file.read_text()) | {"width": 99, "height": 77}
    (tmp_path / "other.json").write_text(json.dumps(other))
    load(page, tmp_path / "other.json")
    expect(page.locator(".toast-body", has_text="belong to a picture of 99 x 77 pixels")).to_be_visible()
    assert len(marks(page)) == 1


def test_axes_move_all_four_and_reset_brings_them_back(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    steer(page, photograph)
    page.locator(THUMBNAILS).nth(2).click()
    expect(page.locator("#heading")).to_contain_text("No. 3")
    before = pictures(page)
    slider = page.locator("#axes-of-colour input[type=range]").first
    slider.fill("1.9")
    slider.press("ArrowRight")
    steered = pictures(page, before)
    expect(page.locator("#heading")).to_contain_text("No. 3")
    assert np.abs(pixels(page, steered[2]) - pixels(page, before[2])).mean() > 1
    mark = read_provenance(saved(page, page.locator("#download"), tmp_path))
    assert mark["axes"] == {"warmer": 2.0} and mark["seed"] == 0
    page.locator("#more summary").click()
    expect(page.locator("#more table")).to_contain_text("+2")
    page.locator("#reset-axes").click()
    assert_shown(page, before)
    expect(page.locator("#more table")).not_to_contain_text("+2")
    expect(page.locator("#more table")).to_be_visible()  # what was unfolded stays so
    page.locator("#more summary").click()
    expect(page.locator("#more table")).to_be_hidden()


def test_colours_are_taken_from_another_picture_and_from_a_chosen_colouring(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    blue = np.random.default_rng(0).integers(0, 256, (40, 60, 1)) * np.array([0.4, 0.6, 1.0])
    Image.fromarray(blue.astype(np.uint8)).save(tmp_path / "lagoon.png")
    page = open_studio()
    steer(page, photograph)
    before, reference = pictures(page), page.locator("#reference-picture input[type=file]")
    reference.set_input_files(photograph)
    expect(page.locator("#reference .error")).to_contain_text("no colours to take")
    reference.set_input_files(tmp_path / "lagoon.png")
    expect(page.locator("#reference")).to_contain_text("From lagoon.png")
    bluer = pictures(page, before)
    assert np.diff([pixels(page, four[0])[..., 2].mean() for four in (before, bluer)]) > 5
    page.locator("#leave-reference").click()
    assert_shown(page, before)

    page.locator("#take-reference").click()
    expect(page.locator("#reference")).to_contain_text("For the next photographs: No. 1 of grandma 1932.jpg")
    assert_shown(page, before)
    page.locator("#samples button").nth(1).click()
    pictures(page, before)
    assert "reference" in read_provenance(saved(page, page.locator("#download"), tmp_path))


def test_a_part_is_kept_while_the_rest_is_drawn_anew(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    steer(page, photograph)
    before = pictures(page)
    page.locator("[data-mode=keep]").first.click()
    expect(page.locator(".redraw")).to_be_disabled()
    page.locator(".brush").fill("20")
    click(page, 0.2, 0.5)
    page.locator(".redraw").click()
    one = pixels(page, before[0])
    for _ in range(60):  # the region is there before the new seed: then the picture is shown as it was
        other = pixels(page, pictures(page, before)[0])
        gone = np.abs(one - other).mean(-1)
        if gone.any():
            break
        page.wait_for_timeout(250)
    assert gone[100:140, 46:86].mean() < 4
    assert gone[:, 220:].mean() > 3 * gone[100:140, 46:86].mean()
    mark = read_provenance(saved(page, page.locator("#download"), tmp_path))
    assert mark["kept"] and mark["seed"] == int(page.locator("#seed input").input_value())


def test_the_pad_is_worked_by_keyboard_and_takes_colours_from_the_picture(
    open_studio: Callable[..., Page], photograph: Path
) -> None:
    page = open_studio()
    page.add_init_script("delete window.EyeDropper")
    page.reload()
    page.locator("#upload input[type=file]").wait_for(state="attached")
    steer(page, photograph)
    board, shown = page.locator(".board"), pixels(page, page.locator(".board .picture").get_attribute("src"))
    page.locator(".dropper").click()
    click(page, 0.5, 0.5)
    assert marks(page) == []
    colour = page.locator(".hex").input_value()
    assert np.abs(np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) - shown[120, 165]).max() <= 2
    want(page, "no colour")
    expect(page.locator(".hex")).to_have_attribute("aria-invalid", "true")

    board.press("ArrowRight")
    board.press("Shift+ArrowDown")
    board.press("Enter")
    assert marks(page) == [(colour, 168, 136)]
    page.locator("[data-over=map]").click()
    expect(page.locator(".board .map")).to_be_visible()
    assert np.ptp(pixels(page, page.locator(".board .map").get_attribute("src"))) > 100
    page.locator("[data-over=gray]").click()
    expect(page.locator(".board .gray")).to_be_visible()
    expect(page.locator(".board .map")).to_be_hidden()
    gray = pixels(page, page.locator(".board .gray").get_attribute("src"))
    assert gray.shape == shown.shape
    assert np.ptp(gray, axis=-1).max() == 0
    page.locator("[data-over=gray]").click()
    expect(page.locator(".board .gray")).to_be_hidden()


def test_another_photograph_has_no_marks_of_the_last_one(open_studio: Callable[..., Page], photograph: Path) -> None:
    page = open_studio()
    steer(page, photograph)
    before = pictures(page)
    click(page, 0.9, 0.9)
    hinted = pictures(page, before)
    page.locator("#samples button").nth(2).click()
    pictures(page, hinted)
    expect(page.locator(".marks button")).to_have_count(0)
    expect(page.locator(".undo")).to_be_disabled()
    expect(page.locator(".toast-body")).to_have_count(0)


def test_fading_is_removed_where_there_is_some(open_studio: Callable[..., Page], tmp_path: Path) -> None:
    rows, columns = np.mgrid[:200, :300]
    waves = np.sin(columns / 30) * np.cos(rows / 20)
    for name, amplitude in (("fresh", 127), ("faded", 45)):
        Image.fromarray((127 + 28 * (name == "faded") + amplitude * waves).astype(np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    page, upload = open_studio(), "#upload input[type=file]"
    page.locator(upload).set_input_files(tmp_path / "fresh.png")
    fresh = pictures(page)
    expect(page.locator("#unfade")).to_be_hidden()
    page.locator(upload).set_input_files(tmp_path / "faded.png")
    faded = pictures(page, fresh)
    expect(page.get_by_label("Remove fading")).not_to_be_checked()
    page.get_by_label("Remove fading").check()
    pictures(page, faded)
    file = saved(page, page.locator("#download"), tmp_path)
    assert read_provenance(file)["restore_levels"] is True
    assert np.ptp(np.asarray(Image.open(file)).mean(-1)) > 200
