"""The drawer of figures in the page."""

import json
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
    open_details,
    saved,
    saved_as,
    set_slider,
    shows,
)
from playwright.sync_api import Page, expect

LABELS = "#more svg text"
#: The boxes of labels: left, top, right, bottom.
BOXES = """(all) => all.map((one) => one.getBoundingClientRect())
    .map((box) => [box.left, box.top, box.right, box.bottom])"""


@pytest.fixture
def garden(tmp_path: Path) -> Path:
    """A photograph in colour."""
    path = tmp_path / "garden.png"
    rows, columns = np.mgrid[:200, :300]
    rgb = np.stack([90 + 60 * np.sin(rows / 30), 120 + 50 * np.cos(columns / 40), 100 + 0 * rows], -1)
    Image.fromarray(rgb.astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize(("width", "locale"), [(1280, "en-US"), (390, "en-US"), (390, "zh-CN")])
def test_the_drawer_says_how_likely_colours_are_once_it_is_open(
    open_studio: Callable[..., Page], garden: Path, width: int, locale: str
) -> None:
    page = open_studio(width, 844, locale=locale)
    give(page, garden)
    coloured(page)
    expect(page.locator(LABELS)).to_have_count(0)  # nothing is computed for a drawer that is shut
    open_details(page)
    expect(page.locator(LABELS)).to_have_count(7)
    expect(page.locator(f"{LABELS}.chosen")).to_contain_text("1 ")
    boxes = page.eval_on_selector_all(LABELS, BOXES)
    for left, top, right, _ in boxes:
        assert left >= 0 and right <= width
        assert not any(left < other[2] and other[0] < right and 0 < other[1] - top < 12 for other in boxes)
    choose(page, 2)
    expect(page.locator(f"{LABELS}.chosen")).to_contain_text("3 ")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#details > button").click()
    page.locator("#dice").click()
    coloured(page, page.eval_on_selector_all("#colourings img", "all => all.map((one) => one.src)"))
    expect(page.locator(LABELS)).to_have_count(7)
    open_details(page)
    expect(page.locator("#more [data-stale]")).to_have_count(0)
    expect(page.locator(f"{LABELS}.chosen")).to_contain_text("1 ")


def test_each_scale_has_a_temperature_of_its_own_if_that_is_wanted(
    open_studio: Callable[..., Page], garden: Path, tmp_path: Path
) -> None:
    page = open_studio()
    give(page, garden)
    usual = coloured(page)
    open_details(page)
    box, sliders, variety = (page.locator(one) for one in ("#one-by-one input", "#temperatures", "#variety"))
    expect(sliders).to_be_hidden()
    box.check()
    expect(variety).to_be_hidden()
    things = sliders.locator("input[type=number]").first
    expect(things).to_have_value(variety.locator("input[type=number]").input_value())
    shows(page, usual)  # the sliders start with what was there
    set_slider(page, "#temperatures", 0.3)
    expect(things).to_have_value("0.31")
    tamer = coloured(page, usual)
    expect(page.locator("#more table")).to_contain_text("0.31")
    made = json.loads(saved(page, "#export-settings", tmp_path).read_text("utf-8"))
    kept = saved_as(page, "this", tmp_path)
    assert made["temperature"][-1] == 0.31

    page.locator(".undo").click()
    shows(page, usual)
    expect(box).not_to_be_checked()
    page.locator(".redo").click()
    shows(page, tamer)
    expect(box).to_be_checked()
    expect(things).to_have_value("0.31")
    box.uncheck()
    shows(page, usual)
    page.locator("#as-learnt").click()
    coloured(page, usual)
    expect(page.locator("#more table")).to_contain_text("the density as it was learnt")
    expect(box).to_be_checked()
    give(page, kept)
    expect(page.locator("#notice")).to_contain_text("its settings are restored.")
    expect(box).to_be_checked()
    expect(things).to_have_value("0.31")
    expect(page.locator(".toast-body")).to_have_count(0)


def test_the_way_to_another_colouring_is_walked(open_studio: Callable[..., Page], garden: Path) -> None:
    page = open_studio()
    give(page, garden)
    coloured(page)
    open_details(page)
    others, walk, steps = page.locator("#way .ends button"), page.locator("#way .walk"), page.locator("#way .steps img")
    between = page.locator("#way .between")
    expect(others.nth(0)).to_be_disabled()
    expect(walk).to_be_hidden()

    def walked(before: str = "") -> list[str]:
        """Wait for seven pictures other than those before, and return their addresses."""
        page.wait_for_function(
            """(before) => {
                const steps = [...document.querySelectorAll("#way .steps img")];
                const stale = document.querySelector("#way [data-stale]");
                return !stale && steps.every((one) => one.naturalWidth && one.src !== before);
            }""",
            arg=before,
        )
        return steps.evaluate_all("all => all.map((one) => one.src)")

    others.nth(2).click()
    pictures = walked()
    assert len(set(pictures)) == 7
    expect(between).to_have_attribute("src", pictures[3])
    page.locator("#way input").press("Home")
    expect(between).to_have_attribute("src", pictures[0])
    steps.nth(5).click()
    expect(between).to_have_attribute("src", pictures[5])
    expect(page.locator("#way input")).to_have_value("5")
    choose(page, 1)  # the way starts there now
    moved = walked(pictures[0])
    assert not set(moved) & set(pictures)
    expect(between).to_have_attribute("src", moved[5])
    others.nth(4).click()
    own = walked(moved[0])
    assert not set(own) & set(moved + pictures)
    others.nth(2).click()
    walked(own[1])
    choose(page, 2)  # and now it is its end
    expect(walk).to_be_hidden()
    expect(others.nth(2)).to_be_disabled()
    expect(page.locator(".toast-body")).to_have_count(0)


def test_a_picture_along_an_axis_is_taken_by_a_click(open_studio: Callable[..., Page], garden: Path) -> None:
    page = open_studio()
    give(page, garden)
    four = coloured(page)
    open_details(page)
    pictures, warmer = page.locator("#axis-strips img"), page.locator("#axis-strips .axis").first.locator("button")
    expect(page.locator("#axis-strips img[src]")).to_have_count(0)
    page.locator("#axis-strips summary").click()
    expect(page.locator("#axis-strips img[src]")).to_have_count(20)
    before = pictures.evaluate_all("all => all.map((one) => one.src)")
    expect(warmer.nth(2)).to_have_attribute("aria-pressed", "true")
    warmer.nth(4).click()
    warm = coloured(page, four)
    expect(warmer.nth(4)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#tool-axes input[type=range]").first).to_have_value("2")
    expect(page.locator("#more table")).to_contain_text("+2")
    expect(page.locator("#axis-strips [data-stale]")).to_have_count(0)
    after = pictures.evaluate_all("all => all.map((one) => one.src)")
    assert [one == other for one, other in zip(before, after, strict=True)] == [True] * 5 + [False] * 15
    page.locator(".undo").click()
    shows(page, four)
    expect(warmer.nth(2)).to_have_attribute("aria-pressed", "true")
    assert warm != four
    expect(page.locator(".toast-body")).to_have_count(0)


def test_the_drawer_saves_files_for_programs(open_studio: Callable[..., Page], garden: Path, tmp_path: Path) -> None:
    page = open_studio()
    give(page, garden)
    coloured(page)
    choose(page, 1)
    open_details(page)
    with np.load(saved(page, "#export-latents", tmp_path)) as file:
        assert "segments" in file and json.loads(str(file["settings"]))["source"] == "garden.png"
    assert saved(page, "#export-own-latents", tmp_path).name == "garden-own-latents.npz"
    chroma = saved(page, "#export-ab", tmp_path)
    assert chroma.name == "garden-coloured-0-2-ab.npy" and np.load(chroma).shape == (2, 200, 300)
    assert json.loads(saved(page, "#export-settings", tmp_path).read_text("utf-8"))["seed"] == 0
    expect(page.locator("#export-settings")).to_be_enabled()
    expect(page.locator(".toast-body")).to_have_count(0)
