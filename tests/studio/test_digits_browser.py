"""The studio's digits tab as a visitor meets it, in headless Chromium."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from digit_page import changed, decode, pictures, settled
from playwright.sync_api import Page, expect  # after the check that it is there
from studio_page import stroke

GRID, STRIP, WRITTEN, DRAWING = "#grid img", "#between img", "#written .row-of-digits img", ".drawing img"
SLIDERS = ".step input[type=range]"


def choose(page: Page, group: str, name: str) -> None:
    page.locator(f"{group} label").get_by_text(name, exact=True).click()


def test_digits_in_many_handwritings_follow_what_a_visitor_sets(open_digits) -> None:
    page = open_digits()
    expect(page.locator("#digits-heading")).to_contain_text("All ten digits")
    everything = pictures(page, GRID)
    assert len(everything) == 60

    choose(page, "#digit", "3")
    expect(page.locator("#digits-heading")).to_contain_text("The digit 3 in 42 handwritings")
    three = changed(page, GRID, everything)
    assert len(three) == 42
    assert three[:6] == everything[18:24]  # the same handwritings as in the row of threes

    page.locator("#digit-dice").click()
    rolled = changed(page, GRID, three)
    assert page.locator("#digit-seed input").input_value() != "0"

    page.locator("#digit-seed input").fill("0")
    page.locator("#digit-seed input").press("Enter")
    settled(page, GRID, three)
    assert rolled != three

    page.locator("#temperature input[type=range]").fill("0")
    page.wait_for_function("new Set([...document.querySelectorAll('#grid img')].map(one => one.src)).size === 1")


def test_numbers_out_of_range_are_clamped_and_an_empty_box_is_the_default(open_digits) -> None:
    page = open_digits()
    usual, box = pictures(page, GRID), page.locator("#temperature input[type=number]")
    at_first = box.input_value()
    page.locator("#temperature input[type=range]").fill("1.5")
    widest = changed(page, GRID, usual)
    box.fill("")
    settled(page, GRID, usual)
    box.blur()
    expect(box).to_have_value(at_first)
    box.fill("99")
    settled(page, GRID, widest)
    box.press("Enter")
    expect(box).to_have_value("1.5")
    box.fill("")
    box.press_sequentially("-e")  # as near to text as a box for numbers takes
    settled(page, GRID, usual)
    box.blur()
    expect(box).to_have_value(at_first)

    slider, box = page.locator(SLIDERS).nth(3), page.locator(".step input[type=number]").nth(3)
    slider.fill("-3")
    lowest = changed(page, GRID, usual)
    box.fill("")
    settled(page, GRID, usual)
    box.fill("-99")
    settled(page, GRID, lowest)
    box.blur()
    expect(box).to_have_value("-3")
    expect(slider).to_have_value("-3")
    box.fill("")
    settled(page, GRID, usual)
    box.press("Enter")
    expect(box).to_have_value("0")

    seed = page.locator("#digit-seed input")
    for typed, meant in (("1.7", "2"), ("-5", "0"), ("99999999999", "4294967295"), ("", "0")):
        before = pictures(page, GRID)
        seed.fill(typed)
        seed.press("Enter")
        expect(seed).to_have_value(meant)
        changed(page, GRID, before)
    settled(page, GRID, usual)
    expect(page.locator(".toast-body")).to_have_count(0)


def test_reset_restores_every_control(open_digits) -> None:
    page = open_digits()
    before, way, axes = pictures(page, GRID), pictures(page, STRIP), pictures(page, ".preview img")
    usual = page.locator("#temperature input[type=number]").input_value()
    choose(page, "#digit", "8")
    eight = changed(page, GRID, before)
    choose(page, "#own-axes", "in this digit")
    changed(page, ".preview img", axes)
    page.locator("#digit-dice").click()
    rolled = changed(page, GRID, eight)
    page.locator("#temperature input[type=range]").fill("0.3")
    tamer = changed(page, GRID, rolled)
    page.locator(SLIDERS).nth(2).fill("2")
    changed(page, GRID, tamer)
    page.locator("#grid button").nth(5).click()

    page.locator("#reset").click()
    for selector, expected in ((GRID, before), (STRIP, way), (".preview img", axes)):
        settled(page, selector, expected)
    expect(page.locator("#digits-heading")).to_contain_text("All ten digits")
    expect(page.locator("#digit label.selected")).to_have_text("all")
    expect(page.locator("#own-axes label.selected")).to_have_text("in all digits")
    expect(page.locator("#own-axes input").first).to_be_disabled()
    expect(page.locator("#digit-seed input")).to_have_value("0")
    expect(page.locator("#temperature input[type=number]")).to_have_value(usual)
    expect(page.locator(SLIDERS).nth(2)).to_have_value("0")


def test_a_slider_moves_the_pictures_while_it_moves_and_reset_brings_them_back(open_digits) -> None:
    page = open_digits()
    before, way = pictures(page, GRID), pictures(page, STRIP)
    sliders = page.locator(SLIDERS)
    assert sliders.count() == 12
    labels = page.locator(".step label").all_inner_texts()
    assert [label.split(" · ")[0] for label in labels[:3]] == ["slant", "width", "shape 3"]
    assert all(label.endswith("%") for label in labels)

    knob = sliders.nth(1)
    knob.scroll_into_view_if_needed()
    box = knob.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2, steps=5)
    moved = changed(page, GRID, before)  # the button is still held
    page.mouse.up()
    assert float(knob.input_value()) > 1
    changed(page, STRIP, way)

    page.locator("#reset").click()
    settled(page, GRID, before)
    settled(page, STRIP, way)
    assert [float(value) for value in sliders.evaluate_all("all => all.map(one => one.value)")] == [0] * 12
    assert moved != before


def test_a_digit_has_axes_of_its_own_with_previews(open_digits) -> None:
    page = open_digits()
    ways = ".preview img"
    expect(page.locator("#own-axes input").first).to_be_disabled()
    common = pictures(page, ways)
    assert len(common) == 12 * 7
    sheet = pictures(page, GRID)
    sliders = page.locator(SLIDERS)

    choose(page, "#digit", "8")
    eight = changed(page, GRID, sheet)
    changed(page, ways, common)
    sliders.nth(0).fill("2")
    moved = changed(page, GRID, eight)
    choose(page, "#own-axes", "in this digit")
    settled(page, GRID, eight)  # steps along other axes would mean something else
    assert float(sliders.nth(0).input_value()) == 0
    sliders.nth(0).fill("2")
    assert changed(page, GRID, eight) != moved

    choose(page, "#digit", "all")
    settled(page, GRID, sheet)
    settled(page, ways, common)
    expect(page.locator("#own-axes input").first).to_be_disabled()
    expect(page.locator("#own-axes input").first).to_be_checked()


def test_the_strip_leads_from_one_chosen_digit_to_the_other(open_digits) -> None:
    page = open_digits()
    way, cells = pictures(page, STRIP), page.locator("#grid button")
    sheet = pictures(page, GRID)
    assert len(way) == 10
    assert (way[0], way[-1]) == (sheet[0], sheet[-1])

    cells.nth(17).click()
    way = changed(page, STRIP, way)
    assert (way[0], way[-1]) == (sheet[-1], sheet[17])
    expect(page.locator("#grid [tabindex='0']")).to_have_attribute("data-cell", "17")
    for key in [*["ArrowDown"] * 5, *["ArrowLeft"] * 5, "Enter"]:
        page.keyboard.press(key)
    way = changed(page, STRIP, way)
    assert (way[0], way[-1]) == (sheet[17], sheet[42])
    expect(page.locator("#grid [data-mark='A']")).to_have_attribute("aria-label", "2, row 3, column 6")
    expect(page.locator("#grid [data-mark='B']")).to_have_attribute("aria-label", "7, row 8, column 1")
    assert pictures(page, GRID) == sheet


def test_a_drawing_is_recognised_and_written_as_all_ten_digits(open_digits) -> None:
    page = open_digits()
    written = page.locator("#written")
    expect(written).to_contain_text("Draw one digit, large")
    choose(page, "#drawn-label", "7")  # with nothing drawn
    expect(written.locator(".notice")).to_have_text("The pad is empty: draw one digit, large and in the middle.")
    choose(page, "#drawn-label", "recognise it")

    stroke(page, (0.3, 0.2), (0.7, 0.2), (0.45, 0.85))
    page.locator(WRITTEN).first.wait_for()
    first = pictures(page, WRITTEN)
    assert len(first) == 10
    seen = decode(pictures(page, DRAWING)[0])
    assert seen.shape == (28, 28) and seen[0].max() == 0 and seen.max() == 255
    assert 40 < (seen > 127).sum() < 200
    text = written.inner_text()
    # The tests' model has learnt nothing, so it knows no digit.
    guessed = int(re.search(r"Taken as (\d), but it hardly looks like it\.", text)[1])
    assert first[guessed] != first[(guessed + 1) % 10]

    stroke(page, (0.4, 0.5), (0.7, 0.5))  # the bar of a seven
    second = changed(page, WRITTEN, first)

    corrected = (guessed + 3) % 10
    choose(page, "#drawn-label", str(corrected))
    expect(written).to_contain_text(re.compile(rf"Taken as {corrected}, but"))
    changed(page, WRITTEN, second)
    restored = decode(pictures(page, WRITTEN)[corrected])
    assert np.abs(restored - decode(pictures(page, DRAWING)[0])).max() <= 2  # its own class gives the drawing back
    choose(page, "#drawn-label", "8")
    expect(written).to_contain_text(re.compile(r"(Recognised|Taken) as 8, "))

    page.locator("#pad .clear").click()
    expect(written.locator(".notice")).to_contain_text("The pad is empty")
    blank = page.locator("#pad canvas").evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, 280, 280).data.every(value => value === 0)"
    )
    assert blank


def test_the_sheet_is_downloaded_as_a_png_named_after_its_settings(open_digits, tmp_path: Path) -> None:
    page = open_digits()
    choose(page, "#digit", "4")
    expect(page.locator("#digits-heading")).to_contain_text("The digit 4")
    page.locator("#temperature input[type=number]").fill("0.7")
    page.locator(SLIDERS).first.fill("-1.5")
    with page.expect_download() as caught:
        page.locator("#keep-digits").click()
    assert caught.value.suggested_filename == "digits-4-seed0-t0.7-slant-1.5.png"
    caught.value.save_as(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert (sheet.format, sheet.size) == ("PNG", (6 * 116, 7 * 116))


def test_a_link_leads_to_the_pad_below_the_fold(open_digits) -> None:
    page = open_digits()
    expect(page.locator("#pad")).not_to_be_in_viewport()
    page.locator("#digits-lead a").click()
    expect(page.locator("#pad")).to_be_in_viewport(ratio=1)


def test_visitors_have_their_own_digits(open_digits) -> None:
    hers, his = open_digits(), open_digits()
    # The pictures before are read before anything is done: a quick answer must not be taken for them.
    his_digits, his_way, her_digits = pictures(his, GRID), pictures(his, STRIP), pictures(hers, GRID)
    choose(hers, "#digit", "6")
    sixes = changed(hers, GRID, her_digits)
    hers.locator(SLIDERS).first.fill("3")
    changed(hers, GRID, sixes)
    his.locator("#grid button").nth(3).click()
    changed(his, STRIP, his_way)
    assert pictures(his, GRID) == his_digits
    expect(his.locator("#digits-heading")).to_contain_text("All ten digits")


def test_a_picture_pasted_here_does_not_reach_the_other_tab(open_digits, photograph: Path) -> None:
    page = open_digits()
    page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "aunt.jpg", { type: "image/jpeg" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(photograph.read_bytes()),
    )
    choose(page, "#digit", "1")
    expect(page.locator("#digits-heading")).to_contain_text("The digit 1")  # had there been an upload, it came first
    page.get_by_role("tab", name="Colour").click()
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_the_digits_without_scrolling_sideways(open_digits, scheme: str) -> None:
    page = open_digits(390, 844, color_scheme=scheme, has_touch=True, is_mobile=True)

    def overflow() -> int:
        return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert overflow() == 0
    page.locator("#pad canvas").scroll_into_view_if_needed()
    page.locator("#pad canvas").tap()
    expect(page.locator("#written")).to_contain_text("Taken as")
    assert overflow() == 0

    page.locator(SLIDERS).last.scroll_into_view_if_needed()  # the pictures stay in sight beside every slider
    expect(page.locator("#grid")).to_be_in_viewport()

    seen = (
        page.locator(".axis .head label")
        .nth(6)
        .evaluate(
            """label => {
            scrollBy({ top: label.getBoundingClientRect().top - 100, behavior: "instant" });
            const { x, y } = label.getBoundingClientRect();
            return document.elementFromPoint(x + 20, y + 8)?.closest("#grid, .axis")?.id;
        }"""
        )
    )
    assert seen == "grid"
