"""Several photographs in the page, what was tried, coloured files given back, and settings in the address."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from playwright.sync_api import Page, expect  # after the check that it is there

THUMBNAILS = "#colourings .thumbnail-item img"


def give(page: Page, *files: Path) -> None:
    page.locator("#upload input[type=file]").set_input_files(files)


def coloured(page: Page, before: list[str] = ()) -> list[str]:
    """Wait until all four differ from those before, and the chosen one is large."""
    page.wait_for_function(
        """([selector, before]) => {
            const four = [...document.querySelectorAll(selector)];
            return four.length == 4 && !document.querySelector("#download")?.disabled
                && four.every(one => one.complete && one.naturalWidth > 0 && !before.includes(one.src));
        }""",
        arg=[THUMBNAILS, list(before)],
    )
    return page.eval_on_selector_all(THUMBNAILS, "four => four.map(one => one.src)")


def assert_shown(page: Page, addresses: list[str]) -> None:
    for number, address in enumerate(addresses):
        expect(page.locator(THUMBNAILS).nth(number)).to_have_attribute("src", address)


def saved(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as caught:
        page.locator(button).click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


@pytest.fixture
def album(photograph: Path, tmp_path: Path) -> list[Path]:
    """Three photographs, two of one name, and a letter."""
    files = [photograph]
    for name, brightness in (("aunt.png", 100), ("more/aunt.png", 150)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        rows, columns = np.mgrid[:60, :80]
        Image.fromarray((brightness + 40 * np.sin(columns / 9 + rows / 7)).astype(np.uint8)).save(path)
        files.append(path)
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear Grandma,")
    return [files[0], letter, *files[1:]]


def test_what_was_tried_comes_back_whole(open_studio: Callable[..., Page], photograph: Path) -> None:
    page = open_studio()
    give(page, photograph)
    first = coloured(page)
    expect(page.locator("#tried")).to_be_hidden()
    page.locator(THUMBNAILS).nth(2).click()
    expect(page.locator("#heading")).to_contain_text("No. 3")
    page.locator("#steering > button").click()
    page.locator(".board .picture").wait_for()
    page.locator(".board").scroll_into_view_if_needed()
    box = page.locator(".board").bounding_box()
    page.mouse.click(box["x"] + 40, box["y"] + 40)
    hinted = coloured(page, first)
    expect(page.locator("#tries button")).to_have_count(2)
    page.locator("#dice").click()
    rolled = coloured(page, hinted)
    expect(page.locator("#tries button")).to_have_count(3)
    page.locator("#samples button").nth(1).click()
    other = coloured(page, rolled)
    expect(page.locator("#tries button")).to_have_count(4)
    expect(page.locator(".marks button")).to_have_count(0)

    expect(page.locator("#tries button").nth(3)).to_have_attribute("title", re.compile(r"seed 0, variety [\d.]+$"))
    expect(page.locator("#tries button").nth(2)).to_have_attribute("title", re.compile(r"seed 0, .*, hints: 1$"))
    page.locator("#tries button").nth(2).click()  # hinted, with the photograph, the marks, the seed and the choice
    assert_shown(page, hinted)
    expect(page.locator("#notice")).to_contain_text("grandma 1932.jpg")
    expect(page.locator("#seed input")).to_have_value("0")
    expect(page.locator("#heading")).to_contain_text("No. 3")
    expect(page.locator(".marks button")).to_have_count(1)
    expect(page.locator("#tries button").nth(2)).to_have_attribute("aria-current", "true")
    page.locator("#tries button").nth(3).click()  # as it was before the hint
    assert_shown(page, first)
    expect(page.locator(".marks button")).to_have_count(0)
    page.locator("#tries button").first.focus()
    page.keyboard.press("Enter")
    assert_shown(page, other)
    expect(page.locator("#tries button")).to_have_count(4)


def test_many_photographs_each_keep_their_state_and_go_into_one_file(
    open_studio: Callable[..., Page], album: list[Path], tmp_path: Path
) -> None:
    page = open_studio()
    expect(page.locator("#shelf")).to_be_hidden()
    give(page, *album)
    grandma = coloured(page)
    expect(page.locator("#notice.error")).to_contain_text("letter.jpg is not a picture")
    expect(page.locator("#photographs button")).to_have_count(3)
    page.locator(THUMBNAILS).nth(1).click()
    expect(page.locator("#heading")).to_contain_text("No. 2")

    page.locator("#photographs button").nth(1).click()
    aunt = coloured(page, grandma)
    expect(page.locator("#notice")).to_contain_text("aunt.png, 80 x 60 pixels")
    page.locator("#dice").click()
    aunt = coloured(page, aunt)
    seed = page.locator("#seed input").input_value()
    page.locator("#photographs button").first.click()
    assert_shown(page, grandma)
    expect(page.locator("#heading")).to_contain_text("No. 2")
    expect(page.locator("#seed input")).to_have_value("0")

    path = saved(page, "#download-all", tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [
            "grandma 1932-colourised-0-2.jpg",
            f"aunt-colourised-{seed}-1.png",
            "aunt-colourised-0-1.png",
        ]
        with archive.open(archive.namelist()[0]) as file, Image.open(file) as picture:
            assert picture.size == (330, 240)
    expect(page.locator("#download-all")).to_be_enabled()
    expect(page.locator("#download-all")).to_have_text("Download all")
    page.locator("#clear-photographs").click()
    expect(page.locator("#shelf")).to_be_hidden()
    assert_shown(page, grandma)


def test_a_download_dropped_back_restores_the_session(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    page.goto(page.url + "?seed=71&variety=0.5")
    page.locator("#upload input[type=file]").wait_for(state="attached")
    page.wait_for_function("window.addressRead")
    give(page, photograph)
    first = coloured(page)
    page.locator("#vividness input[type=range]").fill("0.75")
    page.locator("#vividness input[type=range]").press("ArrowRight")
    coloured(page, first)
    page.locator(THUMBNAILS).nth(3).click()
    expect(page.locator("#heading")).to_contain_text("No. 4")
    kept = saved(page, "#download", tmp_path)
    assert kept.name == "grandma 1932-colourised-71-4.jpg"

    page = open_studio()
    give(page, kept)
    coloured(page)
    expect(page.locator("#notice")).to_contain_text("It was coloured here; its settings are restored.")
    expect(page.locator("#notice")).not_to_contain_text("in colour already")
    expect(page.locator("#heading")).to_contain_text("No. 4")
    expect(page.locator("#seed input")).to_have_value("71")
    expect(page.locator("#variety input[type=number]")).to_have_value("0.5")
    expect(page.locator("#vividness input[type=number]")).to_have_value("0.8")
    page.wait_for_function("location.search.includes('seed=71')")


def test_a_link_brings_settings_along_and_follows_them(open_studio: Callable[..., Page], photograph: Path) -> None:
    page = open_studio()
    page.goto(page.url + "?__theme=dark&seed=12&variety=99&vividness=none")
    page.locator("#upload input[type=file]").wait_for(state="attached")
    page.wait_for_function("window.addressRead")
    give(page, photograph)
    coloured(page)
    expect(page.locator("#seed input")).to_have_value("12")
    expect(page.locator("#variety input[type=number]")).to_have_value("1.5")
    page.locator("#seed input").fill("0")
    page.locator("#seed input").press("Enter")
    page.wait_for_function("location.search === '?__theme=dark&variety=1.5'")


def test_a_link_brings_the_tab_along_and_follows_it(open_studio: Callable[..., Page]) -> None:
    page = open_studio()
    page.goto(page.url + "?seed=3&tab=digits")
    expect(page.locator("#grid")).to_be_visible()
    page.get_by_role("tab", name="Models").click()
    page.wait_for_function("location.search === '?seed=3&tab=models'")
    page.reload()
    expect(page.locator("#models-tab")).to_be_visible()
    page.get_by_role("tab", name="Colorize").click()
    page.wait_for_function("location.search === '?seed=3'")
    page.goto(page.url.replace("seed=3", "tab=cellar"))
    expect(page.locator("#upload")).to_be_visible()


def test_the_browser_asks_before_colourings_are_gone(open_studio: Callable[..., Page], photograph: Path) -> None:
    page, asked = open_studio(), []
    page.reload()  # with nothing to lose
    give(page, photograph)
    coloured(page)
    page.locator("#heading").click()  # browsers ask nobody who has not touched the page
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    expect(page.locator("#results")).to_be_hidden()


def test_strips_fit_a_telephone(open_studio: Callable[..., Page], album: list[Path]) -> None:
    page = open_studio(390, 844, has_touch=True, is_mobile=True)
    give(page, *(file for file in album if file.name != "letter.jpg"))
    before = coloured(page)
    page.locator("#dice").click()
    coloured(page, before)
    expect(page.locator("#tried")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
