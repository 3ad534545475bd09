"""Quick clicks, one after the other, while the studio is busy with somebody else's photograph: the last one counts."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from colour_page import (  # after the check that it is there
    coloured,
    give,
    marks,
    pixels,
    point,
    saved_as,
    set_slider,
    shows,
    want,
)
from playwright.sync_api import Page, expect

from cinn_app.imaging import sample_photographs

CLICKS = """async ([selector, numbers]) => {
    const all = document.querySelectorAll(selector);
    for (const number of numbers) {
        all[number].click();
        await new Promise((next) => setTimeout(next, 60));
    }
}"""


def click_quickly(page: Page, other: Page, sample: str, selector: str, *numbers: int) -> None:
    """Let another visitor give a sample, and click meanwhile."""
    give(other, sample_photographs()[sample])
    page.wait_for_timeout(150)
    page.evaluate(CLICKS, [selector, numbers])


def all_coloured(open_studio, *photographs: Path) -> tuple[Page, Page]:
    """Colour photographs in a page, and open one for another visitor."""
    page, other = open_studio(), open_studio()
    give(page, *photographs)
    page.get_by_text(f"{len(photographs)} of {len(photographs)} coloured").wait_for()
    coloured(page)
    return page, other


def uncles(folder: Path) -> list[Path]:
    """Save three photographs, which differ in width."""
    files = [folder / f"uncle {number}.png" for number in range(3)]
    for number, file in enumerate(files):
        Image.radial_gradient("L").resize((100 + number, 80)).save(file)
    return files


def test_of_four_colourings_and_of_photographs_the_last_clicked_is_shown(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    page, other = open_studio(), open_studio()
    give(page, photograph, *uncles(tmp_path))
    expect(page.locator("#photographs .entry")).to_have_count(4)
    four = coloured(page)

    click_quickly(page, other, "astronaut", "#colourings .thumbnail-item", 1, 2, 3)
    shows(page, four, 3)

    click_quickly(page, other, "camera", "#photographs .choose", 1, 2, 3)
    expect(page.locator("#notice")).to_contain_text("uncle 2.png, 102 x 80 pixels")
    expect(page.locator("#photographs .choose").nth(3)).to_have_attribute("aria-current", "true")
    coloured(page, four)
    expect(page.locator("#photographs [aria-busy=true]")).to_have_count(0)


def test_what_is_clicked_is_shown_even_if_another_photograph_is_removed_first(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    """Places in the strip move while the click waits."""
    page, other = all_coloured(open_studio, photograph, *uncles(tmp_path))
    give(other, sample_photographs()["astronaut"])
    page.wait_for_timeout(150)
    page.evaluate(CLICKS, ["#photographs .remove", [1]])
    page.evaluate(CLICKS, ["#photographs .choose", [2]])
    strip = page.locator("#photographs .choose")
    expect(strip).to_have_count(3)
    expect(page.locator("#notice")).to_contain_text("uncle 1.png, 101 x 80 pixels")
    expect(strip.nth(1)).to_have_attribute("aria-current", "true")
    expect(page.locator("#photographs [aria-busy=true]")).to_have_count(0)
    coloured(page)


def test_a_press_counts_even_if_the_strip_is_shown_anew_beneath_it(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    uncle = tmp_path / "uncle.png"
    Image.radial_gradient("L").resize((100, 80)).save(uncle)
    page = open_studio()
    give(page, photograph, uncle)
    strip = page.locator("#photographs .choose")
    expect(strip).to_have_count(2)
    coloured(page)
    strip.nth(0).hover()
    page.mouse.down()
    page.evaluate(CLICKS, ["#photographs .choose", [1]])
    expect(strip.nth(1)).to_have_attribute("aria-current", "true")
    expect(page.locator("#notice")).to_contain_text("uncle.png, 100 x 80 pixels")
    page.mouse.up()
    expect(page.locator("#notice")).to_contain_text("grandma 1932.jpg, 330 x 240 pixels")
    expect(strip.nth(0)).to_have_attribute("aria-current", "true")


def test_a_press_on_the_picture_ends_when_another_photograph_comes_into_view(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    uncle = tmp_path / "uncle.png"
    Image.radial_gradient("L").resize((100, 80)).save(uncle)
    page, errors = open_studio(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    give(page, photograph, uncle)
    expect(page.locator("#photographs .choose")).to_have_count(2)
    coloured(page)
    before, notice = page.locator("#stage .badge.before"), page.locator("#notice")
    page.locator("#stage .board").hover(position={"x": 40, "y": 40})
    page.mouse.down()
    expect(before).to_be_visible()
    page.evaluate(CLICKS, ["#photographs .choose", [1]])
    expect(notice).to_contain_text("uncle.png, 100 x 80 pixels")
    expect(before).to_be_hidden()
    page.mouse.up()

    # A press is a hold after 0.3 s. Here that is called once the other photograph is there.
    page.evaluate("""() => {
        const [wait, forget] = [window.setTimeout, window.clearTimeout];
        window.holds = new Map();
        window.setTimeout = (work, time, ...rest) => {
            const number = wait(time === 300 ? () => {} : work, time, ...rest);
            if (time === 300) holds.set(number, work);
            return number;
        };
        window.clearTimeout = (number) => {
            holds.delete(number);
            forget(number);
        };
    }""")
    page.mouse.down()
    page.evaluate(CLICKS, ["#photographs .choose", [0]])
    expect(notice).to_contain_text("grandma 1932.jpg, 330 x 240 pixels")
    page.evaluate("() => holds.forEach((work) => work())")
    expect(before).to_be_hidden()
    page.mouse.up()
    assert not errors


def test_a_slider_moved_before_a_choice_counts_even_if_the_visitor_turns_away_before_it_is_drawn(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    uncle = tmp_path / "uncle.png"
    Image.radial_gradient("L").resize((100, 80)).save(uncle)
    page, other = all_coloured(open_studio, photograph, uncle)
    before = page.locator("#photographs .choose img").first.get_attribute("src")
    give(other, sample_photographs()["astronaut"])
    set_slider(page, "#tool-axes", 1.9)
    page.wait_for_timeout(150)
    set_slider(page, "#tool-axes", -1.9)  # is sent once the first step has been answered
    page.evaluate(CLICKS, ["#colourings .thumbnail-item", [2]])
    page.evaluate(CLICKS, ["#photographs .choose", [1]])
    expect(page.locator("#notice")).to_contain_text("uncle.png, 100 x 80 pixels")
    coloured(page)
    expect(page.locator("#photographs .choose img").first).not_to_have_attribute("src", before)
    page.get_by_text("2 of 2 coloured").wait_for()
    with zipfile.ZipFile(saved_as(page, "all", tmp_path)) as archive:
        content = archive.read(archive.namelist()[0])
    saved = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.int16)
    seen = pixels(page, page.locator("#photographs .choose img").first.get_attribute("src"))
    assert saved.shape == seen.shape and np.abs(saved - seen).mean() < 4
    page.locator("#photographs .choose").first.click()
    expect(page.locator("#notice")).to_contain_text("330 x 240 pixels")
    coloured(page)
    expect(page.locator("#tool-axes input[type=range]").first).to_have_value("-1.8")


def test_what_is_moved_on_a_photograph_changes_no_other_one_that_is_opened_before_it_is_answered(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    uncle = tmp_path / "uncle.png"
    Image.radial_gradient("L").resize((100, 80)).save(uncle)
    page, other = all_coloured(open_studio, uncle, photograph)
    strip, notice = page.locator("#photographs .choose"), page.locator("#notice")
    strip.nth(1).click()
    expect(notice).to_contain_text("330 x 240 pixels")
    four = coloured(page)
    strip.nth(0).click()
    expect(notice).to_contain_text("uncle.png, 100 x 80 pixels")
    coloured(page)
    give(other, sample_photographs()["astronaut"])
    page.wait_for_timeout(150)
    set_slider(page, "#vividness", 0.1)
    page.wait_for_timeout(150)
    set_slider(page, "#vividness", 0.2)  # is sent once the first step has been answered
    meanwhile = page.locator("#stage").evaluate("""stage => {  // at once: the answer may come at any time
        document.querySelectorAll("#photographs .choose")[1].click();
        return getComputedStyle(stage).pointerEvents;
    }""")
    assert meanwhile == "none"
    expect(notice).to_contain_text("330 x 240 pixels")
    expect(page.locator("#photographs [aria-busy=true]")).to_have_count(0)
    page.get_by_text("2 of 2 coloured").wait_for()
    page.wait_for_timeout(1500)  # what still comes must change nothing
    shows(page, four)
    assert page.locator("#stage").evaluate("stage => getComputedStyle(stage).pointerEvents") == "auto"
    expect(page.locator("#stage .undo")).to_be_disabled()
    strip.nth(0).click()
    expect(notice).to_contain_text("uncle.png, 100 x 80 pixels")
    coloured(page)
    expect(page.locator("#vividness input[type=range]").first).to_have_value("0.25")


def test_a_photograph_that_waits_is_opened_although_all_others_are_removed_after_the_click(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    page, other = all_coloured(open_studio, photograph, *uncles(tmp_path))
    give(other, sample_photographs()["astronaut"])
    page.wait_for_timeout(150)
    page.evaluate(CLICKS, ["#photographs .choose", [1, 2]])  # the second is sent once the first has been answered
    page.evaluate(CLICKS, ["#photographs .remove", [3, 1, 0]])  # each is answered
    expect(page.locator("#photographs .choose")).to_have_count(1)
    expect(page.locator("#notice")).to_contain_text("uncle 1.png, 101 x 80 pixels")
    expect(page.locator("#photographs [aria-busy=true]")).to_have_count(0)


def test_hints_stay_on_their_things_where_a_turn_is_undone_and_another_photograph_is_opened_first(
    open_studio, photograph: Path, tmp_path: Path
) -> None:
    page, _ = all_coloured(open_studio, photograph, *uncles(tmp_path))
    four = coloured(page)
    point(page, 0.9, 0.8)
    want(page, "#b3262c")
    four, there = coloured(page, four), marks(page)
    page.locator(".to-crop").click()
    page.locator(".turn").last.click()
    four = coloured(page, four)
    ((_, x, y),), ((_, *turned),) = there, marks(page)
    assert turned == [239 - y, x]
    late = []
    page.route("**/queue/join*", lambda route: route.continue_() if late else late.append(route))
    page.keyboard.press("Control+z")
    page.evaluate(CLICKS, ["#photographs .choose", [1]])
    expect(page.locator("#notice")).to_contain_text("uncle 0.png, 100 x 80 pixels")
    coloured(page, four)
    page.get_by_text("4 of 4 coloured").wait_for()
    with zipfile.ZipFile(saved_as(page, "all", tmp_path)) as archive:
        assert len(archive.namelist()) == 4
    late[0].continue_()
    page.wait_for_timeout(1000)
    page.locator("#photographs .choose").first.click()
    expect(page.locator("#notice")).to_contain_text("330 x 240 pixels")
    coloured(page)
    assert marks(page) == there


def test_a_slider_that_was_moved_just_before_a_reload_is_where_it_was(open_studio, photograph: Path) -> None:
    page = open_studio()
    give(page, photograph)
    coloured(page)
    with page.expect_response(lambda response: "queue/join" in response.url):  # the studio has it
        set_slider(page, "#vividness", 0.1)
    page.reload()
    coloured(page)
    expect(page.locator("#vividness input[type=range]").first).to_have_value("0.15")


def test_of_many_clicked_digits_the_last_two_are_chosen(open_digits, open_studio) -> None:
    page, other = open_digits(), open_studio()
    chosen = page.locator("#grid [data-mark]")
    click_quickly(page, other, "chelsea", "#grid button", 5, 20, 41, 33)
    expect(page.locator("#grid [data-cell='33']")).to_have_attribute("data-mark", "B")
    expect(page.locator("#grid [data-cell='41']")).to_have_attribute("data-mark", "A")
    expect(chosen).to_have_count(2)
    page.locator("#reset").click()
    expect(page.locator("#grid [data-cell='0']")).to_have_attribute("data-mark", "A")
    page.locator("#grid button").nth(7).click()
    expect(page.locator("#grid [data-cell='7']")).to_have_attribute("data-mark", "B")
    expect(page.locator("#grid [data-cell='59']")).to_have_attribute("data-mark", "A")
