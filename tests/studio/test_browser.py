"""The studio as a visitor meets it, in headless Chromium."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from colour_page import (  # after the check that it is there
    PICTURE,
    THUMBNAILS,
    choose,
    coloured,
    draw,
    give,
    large,
    marks,
    open_details,
    pixels,
    point,
    saved_as,
    set_slider,
    shows,
)
from playwright.sync_api import expect

from cinn_app.imaging import rgb_to_lab

#: Each is one that :func:`cinn_app.systems.colorization.differences.name_differences` gives.
WORDS = {"best", "warmer", "bluer", "greener", "pinker", "bolder", "paler", "second", "third", "fourth"}
#: The lower ends of all elements, and how far one has scrolled.
LOWER_ENDS = "(all) => all.map((one) => one.getBoundingClientRect().bottom + scrollY)"
#: Adds up how far things move by themselves from now on.
WATCH_SHIFTS = """() => {
    window.shifts = [];
    new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(
        (entry) => [entry.value, entry.sources.map(({ node }) => node?.parentElement?.outerHTML.slice(0, 100))])))
        .observe({ type: "layout-shift" });
}"""


def colourfulness(picture: np.ndarray) -> float:
    return float(np.ptp(picture, axis=-1).mean())


def ab(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the lightness and the colours of a picture."""
    import torch

    with Image.open(path) as picture:
        rgb = torch.from_numpy(np.array(picture.convert("RGB"))).movedim(-1, 0) / 255
    lab = rgb_to_lab(rgb).numpy()
    return lab[0], lab[1:]


def test_a_photograph_becomes_four_colourings_one_of_which_is_kept(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    page = open_studio(1280, 720)
    expect(page.locator("#empty")).to_contain_text("four plausible answers")
    expect(page.locator("#results")).to_be_hidden()

    give(page, photograph)
    first = coloured(page)
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator("#samples")).to_be_hidden()
    for parts in (PICTURE, THUMBNAILS):  # all in the first screen
        assert max(page.eval_on_selector_all(parts, LOWER_ENDS)) <= 720
    box = page.locator(PICTURE).bounding_box()
    assert box["width"] / box["height"] == pytest.approx(330 / 240, rel=0.01) and box["height"] > 0.6 * 720

    pictures = [pixels(page, address) for address in first]
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one - other).mean() > 1
    captions = page.locator("#colourings .caption-label").all_inner_texts()
    assert captions[0] == "best" and set(captions) <= WORDS
    expect(page.locator("#notice")).to_contain_text("grandma 1932.jpg, 330 x 240 pixels")
    full = colourfulness(pixels(page, large(page)))
    assert full > 3

    set_slider(page, "#vividness", 0.2)
    paler = coloured(page, first)
    assert 0 < colourfulness(pixels(page, large(page))) < full / 2
    assert colourfulness(pixels(page, paler[0])) < colourfulness(pictures[0]) / 2

    page.locator("#dice").click()
    rolled = coloured(page, paler)
    open_details(page)
    seed = page.locator("#seed input").input_value()
    assert seed != "0"

    before = large(page)
    choose(page, 2)
    shows(page, rolled, 2)
    assert large(page) != before

    path = saved_as(page, "this", tmp_path)
    assert path.name == f"grandma 1932-coloured-{seed}-3.jpg"
    with Image.open(path) as kept:
        assert (kept.format, kept.size, kept.mode) == ("JPEG", (330, 240), "RGB")
        assert kept.info["dpi"] == (300, 300)
        assert kept.getexif()[0x010E] == "Grandma in the garden"
        shown = pixels(page, large(page))
        assert np.abs(np.asarray(kept, np.int16) - shown).mean() < 2

    png = saved_as(page, "png", tmp_path)
    assert png.name == f"grandma 1932-coloured-{seed}-3.png"
    with Image.open(png) as kept:
        assert (kept.format, kept.size) == ("PNG", (330, 240))
        assert np.abs(np.asarray(kept, np.int16) - shown).mean() < 2
    menu, opener = page.locator("#download [role=menu]"), page.locator("#download .opener")
    expect(menu).to_be_hidden()
    opener.press("ArrowDown")
    for key, wanted in (("ArrowDown", "png"), ("End", "colours"), ("ArrowDown", "this"), ("ArrowUp", "colours")):
        page.keyboard.press(key)
        expect(page.locator("#download :focus")).to_have_attribute("data-kind", wanted)  # all of one is none
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    page.locator(".board").click()  # closes the menu, and is no hint
    expect(menu).to_be_hidden()
    expect(page.locator(".palette")).to_be_hidden()
    lightness, layer = ab(saved_as(page, "colours", tmp_path))
    assert np.abs(layer - ab(png)[1]).mean() < 1
    assert np.ptp(lightness) < 2
    expect(page.locator(".toast-body")).to_have_count(0)


def test_the_picture_is_compared_with_the_original_and_with_another_one_and_enlarged(
    open_studio, photograph: Path
) -> None:
    page = open_studio()
    give(page, photograph)
    four = coloured(page)
    gray, box = page.locator(".over.gray"), page.locator(".board").bounding_box()
    assert colourfulness(pixels(page, gray.get_attribute("src"))) == 0
    assert pixels(page, gray.get_attribute("src")).shape == pixels(page, large(page)).shape

    def assert_original_while(press, release) -> None:
        expect(gray).to_be_hidden()
        press()
        expect(gray).to_be_visible()
        expect(page.locator(".badge.before")).to_have_text("Before")
        release()
        expect(gray).to_be_hidden()

    page.mouse.move(box["x"] + 80, box["y"] + 80)
    assert_original_while(page.mouse.down, page.mouse.up)
    expect(page.locator(".palette")).to_be_hidden()  # a hold is no click
    page.locator(".board").focus()
    assert_original_while(lambda: page.keyboard.down(" "), lambda: page.keyboard.up(" "))
    page.locator(".hold").hover()
    assert_original_while(page.mouse.down, page.mouse.up)

    page.locator("[data-over=split]").click()
    line = page.get_by_role("slider", name="Before and after")
    expect(line).to_have_attribute("aria-valuenow", "50")
    for _ in range(4):
        line.press("ArrowLeft")
    expect(line).to_have_attribute("aria-valuenow", "30")
    hidden = gray.evaluate("gray => gray.style.clipPath.match(/([\\d.]+)%/)[1]")
    assert float(hidden) == pytest.approx(70, abs=1)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(line).to_have_attribute("aria-valuenow", "60")
    line.press("End")
    expect(line).to_have_attribute("aria-valuenow", "100")
    page.locator("[data-over=split]").click()
    expect(gray).to_be_hidden()

    page.locator(".zoom-in").click()
    page.locator(".zoom-in").click()
    near = page.locator(PICTURE).bounding_box()
    assert near["width"] == pytest.approx(2.25 * box["width"], rel=0.01)
    draw(page, (0.5, 0.5), (0.6, 0.5))  # moves the picture, and draws nothing
    assert page.locator(PICTURE).bounding_box()["x"] > near["x"] + 10
    expect(page.locator(".palette")).to_be_hidden()
    page.locator(".fit").click()
    assert page.locator(PICTURE).bounding_box() == pytest.approx(box, abs=1)
    assert marks(page) == []

    page.locator("#compare").click()
    sides = page.locator(".pair img")
    expect(sides.first).to_be_visible()
    assert page.locator(".pair").bounding_box() == {"x": 0, "y": 0, **page.viewport_size}
    names = page.locator("#colourings .caption-label").all_inner_texts()
    expect(page.locator(".pair .name")).to_have_text(names[:2])
    for side, address in zip(sides.all(), four, strict=False):
        assert side.get_attribute("src") == address.replace("-small.", "-large.")
    page.locator(".pair .other").nth(1).click()
    expect(sides.nth(1)).to_have_attribute("src", four[2].replace("-small.", "-large."))
    page.locator(".pair .take").nth(1).click()
    expect(page.locator(".pair")).to_be_hidden()
    shows(page, four, 2)


def test_colourings_that_differ_by_no_word_have_their_places_as_names_and_are_compared_each_by_itself(
    open_studio, photograph: Path
) -> None:
    page = open_studio()
    page.goto(page.url + "?variety=0.1")
    give(page, photograph)
    four = [address.replace("-small.", "-large.") for address in coloured(page)]
    assert page.locator("#colourings .caption-label").all_inner_texts() == ["best", "second", "third", "fourth"]
    page.locator("#compare").click()
    other = page.locator(".pair img").nth(1)
    for address in four[1:]:
        expect(other).to_have_attribute("src", address)
        page.locator(".pair .other").nth(1).click()
    expect(other).to_have_attribute("src", four[1])


def test_what_is_no_picture_gets_one_sentence_and_the_next_one_is_coloured(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "letter.jpg"
    fake.write_text("Dear Grandma,")
    page = open_studio()
    give(page, fake)
    expect(page.locator("#notice.error")).to_contain_text("letter.jpg is not a picture")
    assert "/" not in page.locator("#notice").inner_text() and "Traceback" not in page.content()
    expect(page.locator("#results")).to_be_hidden()
    page.locator("#notice").get_by_role("button", name="Close").click()
    expect(page.locator("#notice")).to_be_hidden()
    with page.expect_file_chooser() as chooser:
        page.locator("#upload button").click()
    chooser.value.set_files(fake)  # the same sentence is seen again
    expect(page.locator("#notice.error")).to_be_visible()

    give(page, photograph)
    first = coloured(page)
    expect(page.locator("#notice.error")).to_have_count(0)

    give(page, fake)  # what has been coloured stays
    expect(page.locator("#notice.error")).to_contain_text("letter.jpg")
    shows(page, first)
    choose(page, 1)


def test_a_deep_scan_keeps_its_format_and_a_colour_photograph_is_said_to_be_one(open_studio, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 90 * 60).reshape(60, 90).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "scan.tif", dpi=(600, 600))
    page = open_studio()
    give(page, tmp_path / "scan.tif")
    first = coloured(page)
    with Image.open(saved_as(page, "this", tmp_path)) as kept:
        assert (kept.filename.endswith("scan-coloured-0-1.tif"), kept.format, kept.size) == (True, "TIFF", (90, 60))
        assert kept.info["dpi"] == (600, 600)

    confetti = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(confetti).save(tmp_path / "confetti.bmp")
    give(page, tmp_path / "confetti.bmp")
    coloured(page, first)
    expect(page.locator("#notice")).to_contain_text("It is in colour already; only its lightness is used.")
    with Image.open(saved_as(page, "this", tmp_path)) as kept:
        assert (kept.format, kept.size) == ("PNG", (50, 40))


def test_variety_and_seed_draw_anew_and_the_same_ones_give_the_same(open_studio) -> None:
    page = open_studio()
    page.locator("#samples .gallery-item").nth(1).click()
    first = coloured(page)
    open_details(page)
    original = pixels(page, first[3])

    set_slider(page, "#variety", 0.3)
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
    page.locator("#samples .gallery-item").nth(1).click()
    usual = coloured(page)
    open_details(page)
    variety, seed = page.locator("#variety input[type=number]"), page.locator("#seed input")
    at_first = variety.input_value()
    seen = usual
    for box, typed, meant in (
        (variety, "99", "1.5"),
        (variety, "", at_first),
        (seed, "99999999999", "4294967295"),
        (seed, "", "0"),
    ):
        box.fill(typed)
        box.press("Enter")
        expect(box).to_have_value(meant)
        seen = coloured(page, seen)
    assert seen == usual
    expect(page.locator(".toast-body")).to_have_count(0)


def test_photographs_may_be_pasted_and_dropped_anywhere(open_studio, photograph: Path) -> None:
    page, before = open_studio(), []
    for way in ("paste", "drop"):
        page.evaluate(
            """async ([way, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], `${way}.jpg`, { type: "image/jpeg" }));
                const event = way === "paste" ? new ClipboardEvent(way, { clipboardData: data, bubbles: true })
                    : new DragEvent(way, { dataTransfer: data, bubbles: true, cancelable: true });
                document.querySelector("#header").dispatchEvent(event);
            }""",
            [way, list(photograph.read_bytes())],
        )
        expect(page.locator("#notice")).to_contain_text(f"{way}.jpg, 330 x 240 pixels")
        before = coloured(page, before)
    expect(page.locator("#photographs .entry")).to_have_count(2)


def test_visitors_keep_their_own_photographs(open_studio, photograph: Path) -> None:
    hers, his = open_studio(), open_studio()
    give(hers, photograph)
    his.locator("#samples .gallery-item").nth(4).click()
    four = coloured(hers)
    coloured(his)
    assert pixels(hers, large(hers)).shape == (240, 330, 3)
    choose(his, 1)
    shows(hers, four)


def test_nothing_moves_while_one_points(open_studio, photograph: Path) -> None:
    page = open_studio(1280, 720)
    give(page, photograph)
    seen = coloured(page)
    page.wait_for_timeout(1000)
    top = page.locator(PICTURE).bounding_box()
    page.evaluate(WATCH_SHIFTS)
    for number, (across, down) in enumerate([(0.3, 0.3), (0.7, 0.6), (0.2, 0.8)]):
        point(page, across, down)
        page.locator(".swatch").nth(4 * number).click()
        seen = coloured(page, seen)
    page.locator(".undo").click()
    coloured(page, seen)
    shifts = page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) < 0.02, shifts
    assert page.locator(PICTURE).bounding_box() == top


#: Which controls, once they have the focus, are under something else.
HIDDEN_WITH_FOCUS = """() => [...document.querySelectorAll("#colorize :is(button, input)")]
    .filter((one) => one.tabIndex >= 0 && one.getClientRects().length && one.matches(":enabled:not([type=file])"))
    .filter((one) => {
        one.focus();
        const { left, top, width, height } = one.getBoundingClientRect();
        const there = document.elementFromPoint(left + width / 2, top + height / 2);
        return document.activeElement === one && !one.contains(there) && !there?.closest("label")?.contains(one);
    }).map((one) => one.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_without_scrolling_sideways_and_a_swipe_scrolls(
    open_studio, photograph: Path, tmp_path: Path, scheme: str
) -> None:
    page = open_studio(390, 667, color_scheme=scheme, has_touch=True, is_mobile=True)

    def overflow() -> int:
        return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def touch(*steps: list[tuple[float, float]]) -> None:
        """Put fingers down, move and lift them: for each step, where they are, in shares of the picture."""
        box = page.locator(".board").bounding_box()
        for number, fingers in enumerate((*steps, [])):
            at = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in fingers]
            known = len(steps[number - 1]) if number else 0
            kind = "touchEnd" if not at else "touchMove" if known == len(at) else "touchStart"
            devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
            page.wait_for_timeout(30)

    def assert_hints(count: int) -> None:
        expect(page.locator(".palette")).to_be_hidden()
        assert len(marks(page)) == count

    assert overflow() == 0
    Image.radial_gradient("L").resize((300, 200)).save(tmp_path / "uncle.png")
    give(page, photograph, *[tmp_path / "uncle.png"])
    four = coloured(page)
    assert overflow() == 0
    page.wait_for_function("document.querySelector('#stage .picture').getBoundingClientRect().top < 0.2 * innerHeight")

    devices = page.context.new_cdp_session(page)
    touch(*([(0.5, 0.9 - 0.1 * step)] for step in range(9)))
    page.wait_for_function("scrollY > 50")
    assert_hints(0)
    page.evaluate("scrollTo(0, 0)")
    page.locator(".board").tap(position={"x": 60, "y": 60})
    expect(page.locator(".palette")).to_be_visible()
    page.locator(".swatch").nth(6).tap()
    coloured(page, four)
    assert_hints(1)
    assert overflow() == 0
    apart = [[(0.5 - 0.05 * step, 0.5), (0.5 + 0.05 * step, 0.5)] for step in range(1, 6)]
    touch([(0.45, 0.5)], *apart)  # two fingers, one after the other
    assert_hints(1)

    page.locator(".fit").tap()
    assert page.evaluate(HIDDEN_WITH_FOCUS) == []  # neither by the picture nor by the bar of tools
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    end, bar = (page.locator(part).bounding_box() for part in ("#terms", "#stage .tools"))
    assert end["y"] + end["height"] <= bar["y"] and bar["y"] + bar["height"] == 667
    assert page.locator(PICTURE).bounding_box()["y"] >= 0  # what is tapped there is seen
    page.locator(".keep").tap()
    expect(page.locator(".asks")).to_have_text("Paint over what is right.")
    page.locator("[data-for=keep] .cancel").tap()
    assert saved_as(page, "this", tmp_path).name.startswith("grandma 1932-")


def test_the_server_turns_to_nobody(studio: str, contacted: Path) -> None:
    """Runs after the others, whose work it covers; alone it covers the start."""
    assert not contacted.exists(), contacted.read_text()
