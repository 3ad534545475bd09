"""Several photographs in the page, undo and redo, coloured files given back, and settings in the address."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from colour_page import (  # after the check that it is there
    choose,
    coloured,
    give,
    large,
    marks,
    open_details,
    pixels,
    point,
    saved_as,
    set_slider,
    shows,
    want,
)
from playwright.sync_api import Page, expect

ENTRIES = "#photographs .entry"


def turn_to(page: Page, number: int) -> None:
    """Turn to another photograph of the strip."""
    page.locator(f"{ENTRIES} .choose").nth(number).click()
    expect(page.locator(f"{ENTRIES} .choose").nth(number)).to_have_attribute("aria-current", "true")
    expect(page.locator(f"{ENTRIES} .choose").nth(number)).not_to_have_attribute("aria-busy", "true")


def remove(page: Page, number: int) -> None:
    """Remove a photograph from the strip."""
    page.locator(ENTRIES).nth(number).hover()
    page.locator(f"{ENTRIES} .remove").nth(number).click()


def strip(page: Page) -> list[str]:
    """The addresses of the strip's pictures."""
    return page.eval_on_selector_all(f"{ENTRIES} img", "all => all.map((one) => one.src)")


def unzipped(path: Path) -> dict[str, np.ndarray]:
    """The pictures of an archive by their names."""
    with zipfile.ZipFile(path) as archive:
        files = {name: io.BytesIO(archive.read(name)) for name in archive.namelist()}
    return {name: np.asarray(Image.open(file).convert("RGB"), np.int16) for name, file in files.items()}


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


def test_undo_and_redo_go_through_hints_choices_settings_and_draws_of_each_photograph(
    open_studio: Callable[..., Page], album: list[Path]
) -> None:
    page = open_studio()
    give(page, album[0], album[2])
    states, seed, vividness = [], page.locator("#seed input"), page.locator("#vividness input[type=range]")

    def note(*before: list[str]) -> None:
        """Remember what is shown now: the four, the large one, the hints and the settings."""
        four = coloured(page, *before)
        states.append((four, large(page), marks(page), seed.input_value(), vividness.input_value()))

    def assert_state(number: int) -> None:
        four, picture, hints, seed_then, vividness_then = states[number]
        shows(page, four, [one.replace("-small.", "-large.") for one in four].index(picture))
        assert marks(page) == hints
        expect(seed).to_have_value(seed_then)
        expect(vividness).to_have_value(vividness_then)

    coloured(page)
    open_details(page)
    expect(page.locator(".undo")).to_be_disabled()
    note()
    point(page, 0.2, 0.3)
    want(page, "#a03020")
    note(states[-1][0])
    choose(page, 2)
    note()
    set_slider(page, "#vividness", 0.5)
    note(states[-1][0])
    page.locator("#dice").click()
    note(states[-1][0])
    point(page, 0.8, 0.6)
    page.locator(".swatch").first.click()
    note(states[-1][0])
    assert len(marks(page)) == 2 and states[2][1] != states[1][1] and states[4][3] != "0"

    last = len(states) - 1
    for number in reversed(range(last)):
        page.locator(".undo").click()
        assert_state(number)
    expect(page.locator(".undo")).to_be_disabled()
    for number in range(1, last):
        page.locator(".redo").click()
        assert_state(number)

    turn_to(page, 1)  # which has steps of its own, while those of the first stay
    other = coloured(page, states[last - 1][0])
    expect(page.locator(".marks button")).to_have_count(0)
    expect(page.locator(".undo")).to_be_disabled()
    expect(page.locator(".redo")).to_be_disabled()
    turn_to(page, 0)
    assert_state(last - 1)
    page.locator(".redo").click()
    assert_state(last)
    point(page, 0.5, 0.5)  # a hint is there on return, with its colours, even if one leaves at once
    want(page, "#2050a0")
    page.locator(f"{ENTRIES} .choose").nth(1).click()
    shows(page, other)
    expect(page.locator(".marks button")).to_have_count(0)
    turn_to(page, 0)
    coloured(page, states[last][0])
    assert [colour for colour, *_ in marks(page)] == ["#a03020", "#e0b39a", "#2050a0"]
    page.locator(".undo").click()
    assert_state(last)
    expect(page.locator(".toast-body")).to_have_count(0)


def test_many_photographs_each_keep_their_state_and_go_into_one_file_as_the_strip_shows_them(
    open_studio: Callable[..., Page], album: list[Path], tmp_path: Path
) -> None:
    page = open_studio()
    expect(page.locator("#shelf")).to_be_hidden()
    give(page, *album)
    grandma = coloured(page)
    open_details(page)
    expect(page.locator("#notice.error")).to_contain_text("letter.jpg is not a picture")
    expect(page.locator(ENTRIES)).to_have_count(3)
    choose(page, 1)
    expect(page.locator(f"{ENTRIES} .ticked")).to_have_count(1)
    expect(page.locator("#count")).to_have_text("3 of 3 coloured")  # with the settings of now, before they change

    turn_to(page, 1)
    aunt = coloured(page, grandma)
    expect(page.locator("#notice")).to_contain_text("aunt.png, 80 x 60 pixels")
    page.locator("#dice").click()
    aunt = coloured(page, aunt)
    seed = page.locator("#seed input").input_value()
    turn_to(page, 0)
    shows(page, grandma, 1)
    expect(page.locator("#seed input")).to_have_value("0")

    def assert_archived() -> dict[str, np.ndarray]:
        """Check that the archive has what the strip shows, and return it."""
        expect(page.locator("#count")).to_have_text("3 of 3 coloured")
        expect(page.locator("#download .opener")).to_be_enabled()
        shown = [pixels(page, address) for address in strip(page)]
        pictures = unzipped(saved_as(page, "all", tmp_path))
        assert list(pictures) == [
            "grandma 1932-coloured-0-2.jpg",
            f"aunt-coloured-{seed}-1.png",
            "aunt-coloured-0-1.png",
        ]
        for picture, seen in zip(pictures.values(), shown, strict=True):
            assert picture.shape == seen.shape
            assert np.abs(picture - seen).mean() < 2
        expect(page.locator("#download .opener span")).to_have_text("Download")
        return pictures

    as_drawn, before = assert_archived(), strip(page)
    page.locator("#take-reference").click()
    expect(page.locator("#reference")).to_contain_text("As in this colouring")
    expect(page.locator("#reference input")).to_be_checked()
    for number in (1, 2):
        expect(page.locator(f"{ENTRIES} img").nth(number)).not_to_have_attribute("src", before[number])
    borrowed = assert_archived()
    for number, (old, new) in enumerate(zip(as_drawn.values(), borrowed.values(), strict=True)):
        assert (np.abs(old - new).mean() < 0.1) == (number == 0)
    turn_to(page, 1)
    lent = coloured(page, [*grandma, *aunt])
    page.locator("#reference .take-off").click()
    shows(page, aunt)
    expect(page.locator("#reference")).to_be_hidden()
    assert lent != aunt
    turn_to(page, 2)
    coloured(page, aunt)
    taken_off = list(assert_archived().values())
    for old, new in zip(list(as_drawn.values())[:2], taken_off[:2], strict=True):
        assert np.abs(old - new).mean() < 0.1

    remove(page, 1)  # not the one in view
    expect(page.locator(ENTRIES)).to_have_count(2)
    expect(page.locator(f"{ENTRIES} .choose").nth(1)).to_have_attribute("aria-current", "true")
    remove(page, 1)  # the one in view gives way to its neighbour
    expect(page.locator(ENTRIES)).to_have_count(1)
    shows(page, grandma, 1)
    give(page, album[2])
    coloured(page, grandma)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.locator("#clear-photographs").click()
    expect(page.locator(ENTRIES)).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#clear-photographs").click()
    expect(page.locator("#samples")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator(ENTRIES)).to_have_count(0)
    give(page, album[0])
    again = coloured(page, grandma)
    assert np.abs(pixels(page, again[0]) - pixels(page, large(page))).mean() < 0.1


def test_a_download_dropped_back_restores_the_session(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    page.goto(page.url + "?seed=71&variety=0.5")
    page.locator("#upload input[type=file]").wait_for(state="attached")
    page.wait_for_function("window.addressRead")
    give(page, photograph)
    first = coloured(page)
    set_slider(page, "#vividness", 0.75)
    coloured(page, first)
    choose(page, 3)
    kept = saved_as(page, "this", tmp_path)
    assert kept.name == "grandma 1932-coloured-71-4.jpg"

    page = open_studio()
    give(page, kept)
    shown = coloured(page)
    open_details(page)
    expect(page.locator("#notice")).to_contain_text("It was coloured here; its settings are restored.")
    expect(page.locator("#notice")).not_to_contain_text("in colour already")
    shows(page, shown, 3)
    with Image.open(kept) as picture:
        there = np.asarray(picture.convert("RGB"), np.int16)
    assert np.abs(pixels(page, large(page)) - there).mean() < 2
    expect(page.locator("#seed input")).to_have_value("71")
    expect(page.locator("#variety input[type=number]")).to_have_value("0.5")
    expect(page.locator("#vividness input[type=range]")).to_have_value("0.8")
    page.wait_for_function("location.search.includes('seed=71')")


def test_a_link_brings_settings_along_and_follows_them(open_studio: Callable[..., Page], photograph: Path) -> None:
    page = open_studio()
    page.goto(page.url + "?__theme=dark&seed=12&variety=99&vividness=none")
    page.locator("#upload input[type=file]").wait_for(state="attached")
    page.wait_for_function("window.addressRead")
    give(page, photograph)
    coloured(page)
    open_details(page)
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
    page.get_by_role("tab", name="Colour").click()
    page.wait_for_function("location.search === '?seed=3'")
    page.goto(page.url.replace("seed=3", "tab=cellar"))
    expect(page.locator("#upload")).to_be_visible()


def test_a_page_that_is_loaded_again_has_everything_that_it_had(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    second = tmp_path / "second.jpg"
    Image.linear_gradient("L").resize((300, 200)).save(second)
    give(page, photograph, second)
    first = coloured(page)
    choose(page, 2)
    point(page, 0.5, 0.5)
    want(page, "#b3262c")
    hinted = coloured(page, first)
    turn_to(page, 1)
    shown = coloured(page, hinted)

    other = page.context.new_page()  # another tab begins with nothing
    other.goto(page.url)
    expect(other.locator("#upload-button")).to_be_visible()
    page.reload()
    shows(page, shown)
    expect(page.locator(ENTRIES)).to_have_count(2)
    expect(other.locator("#empty")).to_be_visible()
    other.close()

    turn_to(page, 0)
    shows(page, hinted, 2)
    assert [colour for colour, _, _ in marks(page)] == ["#b3262c"]
    page.reload()
    shows(page, hinted, 2)
    assert [colour for colour, _, _ in marks(page)] == ["#b3262c"]
    page.locator(".undo").click()
    shows(page, first, 2)
    page.locator(".redo").click()
    shows(page, hinted, 2)
    assert Image.open(saved_as(page, "this", tmp_path)).size == Image.open(photograph).size
    point(page, 0.25, 0.25)
    want(page, "#3a6ea5")
    page.reload()  # before the answer
    coloured(page, hinted)
    assert len(marks(page)) == 2
    page.locator(".undo").click()
    shows(page, hinted, 2)

    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#clear-photographs").click()
    expect(page.locator("#results")).to_be_hidden()
    page.reload()
    page.wait_for_timeout(500)
    expect(page.locator("#results")).to_be_hidden()
