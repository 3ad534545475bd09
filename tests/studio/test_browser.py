"""The studio as a visitor meets it, in headless Chromium."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from playwright.sync_api import Page, expect  # after the check that it is there

THUMBNAILS = "#colourings .thumbnail-item img"


def give(page: Page, file: Path) -> None:
    page.locator("#upload input[type=file]").set_input_files(file)


def coloured(page: Page, before: list[str] = ()) -> list[str]:
    """Wait until four pictures other than those before are there, and the chosen one large; return their addresses."""
    page.wait_for_function(
        """([selector, before]) => {
            const pictures = [...document.querySelectorAll(selector)];
            const loaded = pictures.every(picture => picture.complete && picture.naturalWidth > 0);
            const idle = !document.querySelector("#download")?.disabled;
            return pictures.length == 4 && loaded && idle && !pictures.some(picture => before.includes(picture.src));
        }""",
        arg=[THUMBNAILS, list(before)],
    )
    return page.eval_on_selector_all(THUMBNAILS, "pictures => pictures.map(picture => picture.src)")


def large(page: Page, which: int = 1) -> str:
    """The address of the large picture: 0 for before, 1 for after."""
    return page.locator("#compare img").nth(which).get_attribute("src")


def pixels(page: Page, address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.request.get(address).body())).convert("RGB"), np.int16)


def colourfulness(picture: np.ndarray) -> float:
    return float(np.ptp(picture, axis=-1).mean())


def set_slider(page: Page, name: str, value: float) -> None:
    """Move a slider as a keyboard does, since a script cannot drag."""
    slider = page.locator(f"#{name} input[type=range]")
    slider.fill(str(value))
    slider.press("ArrowRight")


def download(page: Page, folder: Path) -> Path:
    with page.expect_download() as caught:
        page.locator("#download").click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def test_a_photograph_becomes_four_colourings_one_of_which_is_kept(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    expect(page.locator("#empty")).to_contain_text("four plausible answers")
    expect(page.locator("#results")).to_be_hidden()

    give(page, photograph)
    first = coloured(page)
    pictures = [pixels(page, address) for address in first]
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one - other).mean() > 1
    captions = page.locator("#colourings .caption-label").all_inner_texts()
    assert [caption.split(",")[0] for caption in captions] == [f"No. {number}" for number in (1, 2, 3, 4)]
    assert all("bits/dim" in caption for caption in captions)
    expect(page.locator("#notice")).to_contain_text("grandma 1932.jpg, 330 x 240 pixels")
    assert colourfulness(pixels(page, large(page, 0))) == 0
    full = colourfulness(pixels(page, large(page)))
    assert full > 3

    set_slider(page, "vividness", 0.2)
    paler = coloured(page, first)
    assert 0 < colourfulness(pixels(page, large(page))) < full / 2
    assert colourfulness(pixels(page, paler[0])) < colourfulness(pictures[0]) / 2

    page.locator("#dice").click()
    rolled = coloured(page, paler)
    seed = page.locator("#seed input").input_value()
    assert seed != "0"

    before = large(page)
    page.locator("#colourings .thumbnail-item").nth(2).click()
    expect(page.locator("#heading")).to_contain_text("No. 3")
    expect(page.locator("#download")).to_have_text("Download No. 3 at full size")
    assert large(page) != before
    assert page.eval_on_selector_all(THUMBNAILS, "pictures => pictures.map(picture => picture.src)") == rolled

    path = download(page, tmp_path)
    assert path.name == f"grandma 1932-colourised-{seed}-3.jpg"
    with Image.open(path) as kept:
        assert (kept.format, kept.size, kept.mode) == ("JPEG", (330, 240), "RGB")
        assert kept.info["dpi"] == (300, 300)
        assert kept.getexif()[0x010E] == "Grandma in the garden"
        shown = Image.open(io.BytesIO(page.request.get(large(page)).body()))
        assert np.abs(np.asarray(kept, np.int16) - np.asarray(shown, np.int16)).mean() < 2


def test_what_is_no_picture_gets_one_sentence_and_the_next_one_is_coloured(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "letter.jpg"
    fake.write_text("Dear Grandma,")
    page = open_studio()
    give(page, fake)
    expect(page.locator("#notice.error")).to_contain_text("letter.jpg is not a picture")
    text = page.locator("#notice").inner_text()
    assert "/" not in text.replace("bits/dim", "") and "Traceback" not in page.content()
    expect(page.locator("#results")).to_be_hidden()

    give(page, photograph)
    first = coloured(page)
    expect(page.locator("#notice.error")).to_have_count(0)

    give(page, fake)  # what has been coloured stays
    expect(page.locator("#notice.error")).to_contain_text("letter.jpg")
    assert coloured(page) == first
    page.locator("#colourings .thumbnail-item").nth(1).click()
    expect(page.locator("#heading")).to_contain_text("No. 2")


def test_a_deep_scan_keeps_its_format_and_a_colour_photograph_is_said_to_be_one(open_studio, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 90 * 60).reshape(60, 90).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "scan.tif", dpi=(600, 600))
    page = open_studio()
    give(page, tmp_path / "scan.tif")
    first = coloured(page)
    with Image.open(download(page, tmp_path)) as kept:
        assert (kept.filename.endswith("scan-colourised-0-1.tif"), kept.format, kept.size) == (True, "TIFF", (90, 60))
        assert kept.info["dpi"] == (600, 600)

    confetti = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(confetti).save(tmp_path / "confetti.bmp")
    give(page, tmp_path / "confetti.bmp")
    coloured(page, first)
    expect(page.locator("#notice")).to_contain_text("It is in colour already; only its lightness is used.")
    with Image.open(download(page, tmp_path)) as kept:
        assert (kept.format, kept.size) == ("PNG", (50, 40))


def test_variety_and_seed_draw_anew_and_the_same_ones_give_the_same(open_studio) -> None:
    page = open_studio()
    page.locator("#samples button").nth(1).click()
    first = coloured(page)
    original = pixels(page, first[3])

    set_slider(page, "variety", 0.3)
    tamer = coloured(page, first)
    assert np.abs(pixels(page, tamer[3]) - original).mean() > 0.5

    page.locator("#seed input").fill("5")
    page.locator("#seed input").press("Enter")
    other = coloured(page, tamer)

    page.locator("#variety .reset-button").click()
    page.locator("#seed input").fill("0")
    page.locator("#seed input").blur()
    again = coloured(page, other)
    if again != first:  # the variety may have been drawn with the old seed first
        again = coloured(page, again)
    assert np.abs(pixels(page, again[3]) - original).mean() < 0.05


def test_numbers_typed_out_of_range_are_brought_into_it_and_an_emptied_box_means_the_usual_one(open_studio) -> None:
    page = open_studio()
    page.locator("#samples button").nth(1).click()
    usual = coloured(page)
    vividness, variety = (page.locator(f"#{name} input[type=number]") for name in ("vividness", "variety"))
    at_first = variety.input_value()

    seen = usual
    for box, typed, meant in (
        (variety, "99", "1.5"),
        (variety, "", at_first),
        (vividness, "-4", "0"),
        (vividness, "", "1"),
    ):
        box.fill(typed)
        box.press("Enter")
        expect(box).to_have_value(meant)
        seen = coloured(page, seen)
    assert np.abs(pixels(page, seen[3]) - pixels(page, usual[3])).mean() < 0.05

    seed = page.locator("#seed input")
    for typed, meant in (("99999999999", "4294967295"), ("", "0")):
        seed.fill(typed)
        seed.press("Enter")
        expect(seed).to_have_value(meant)
        seen = coloured(page, seen)
    assert np.abs(pixels(page, seen[3]) - pixels(page, usual[3])).mean() < 0.05
    expect(page.locator(".toast-body")).to_have_count(0)


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_photograph_may_be_pasted_or_dropped_anywhere(open_studio, photograph: Path, way: str) -> None:
    page = open_studio()
    page.evaluate(
        """async ([way, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "aunt.jpg", { type: "image/jpeg" }));
            const event = way === "paste" ? new ClipboardEvent(way, { clipboardData: data, bubbles: true })
                : new DragEvent(way, { dataTransfer: data, bubbles: true, cancelable: true });
            document.querySelector("#header").dispatchEvent(event);
        }""",
        [way, list(photograph.read_bytes())],
    )
    coloured(page)
    expect(page.locator("#notice")).to_contain_text("aunt.jpg, 330 x 240 pixels")


def test_visitors_keep_their_own_photographs(open_studio, photograph: Path) -> None:
    hers, his = open_studio(), open_studio()
    give(hers, photograph)
    his.locator("#samples button").nth(4).click()
    coloured(hers), coloured(his)
    assert pixels(hers, large(hers)).shape == (240, 330, 3)
    his.locator("#colourings .thumbnail-item").nth(1).click()
    expect(his.locator("#heading")).to_contain_text("No. 2")
    expect(hers.locator("#heading")).to_contain_text("No. 1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_without_scrolling_sideways(open_studio, photograph: Path, scheme: str) -> None:
    page = open_studio(390, 844, color_scheme=scheme, has_touch=True, is_mobile=True)

    def overflow() -> int:
        return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert overflow() == 0
    give(page, photograph)
    coloured(page)
    assert overflow() == 0
    page.wait_for_function("document.querySelector('#results').getBoundingClientRect().top < 0.7 * innerHeight")


def test_the_server_turns_to_nobody(studio: str, contacted: Path) -> None:
    """Runs after the others, whose work it covers; alone it covers the start."""
    assert not contacted.exists(), contacted.read_text()
