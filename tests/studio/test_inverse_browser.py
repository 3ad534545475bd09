"""The tab of inverse problems as a visitor meets it, in headless Chromium."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from playwright.sync_api import Page, expect  # after the check that it is there

SHOWN = "() => ['#marginals', '#pairs', '#curves'].map((part) => document.querySelector(part).innerHTML).join()"


@pytest.fixture
def open_inverse(open_studio: Callable[..., object]) -> Callable[..., Page]:
    """Open the tab as a new visitor."""

    def open_tab(*size: int, **options: object) -> Page:
        page = open_studio(*size, **options)
        page.goto(f"{page.url.partition('?')[0]}?tab=inverse-problems")  # a telephone has its last tabs in a menu
        page.locator("#curves svg").wait_for()
        return page

    return open_tab


def changed(page: Page, before: str) -> str:
    page.wait_for_function(f"(before) => ({SHOWN})() !== before", arg=before)
    return page.evaluate(SHOWN)


def test_the_posterior_follows_the_observation_that_is_dragged(open_inverse) -> None:
    page = open_inverse()
    before = page.evaluate(SHOWN)
    assert page.locator("#marginals figure").count() == 4 and page.locator("#pairs .cloud").count() == 6
    assert page.locator("#marginals .truth").count() == 4 and page.locator("#curves .true-line").count() == 1
    plane = page.locator(".field")
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()
    point = page.locator(".point").bounding_box()
    assert point["x"] + point["width"] / 2 == pytest.approx(box["x"] + 0.75 * box["width"], abs=2)
    assert point["y"] + point["height"] / 2 == pytest.approx(box["y"] + 0.4 * box["height"], abs=2)
    expect(page.locator("#marginals .truth")).to_have_count(0)  # nothing is known of what would have caused this
    after = changed(page, before)

    across = float(page.locator(".values output").first.inner_text())
    plane.press("ArrowRight")
    changed(page, after)
    assert float(page.locator(".values output").first.inner_text()) > across

    page.locator("#inverse-dice").click()
    expect(page.locator("#marginals .truth")).to_have_count(4)
    page.locator("#curves .true-line").wait_for(state="attached")


def test_an_observation_of_many_numbers_has_sliders(open_inverse) -> None:
    page = open_inverse()
    page.locator("#inverse-problem label").get_by_text("Tissue optics").click()
    sliders = page.locator(".handle input")
    expect(sliders).to_have_count(8)
    expect(page.locator("#marginals figure")).to_have_count(6)
    before, value = page.evaluate(SHOWN), float(sliders.nth(2).input_value())
    sliders.nth(2).focus()
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    changed(page, before)
    moved = float(sliders.nth(2).input_value())
    assert moved > value
    expect(page.locator(".handle output").nth(2)).to_have_text(re.compile(rf"^{moved:.3g}"))
    page.locator("#inverse-dice").click()  # a slider that was moved follows a new observation, too
    page.wait_for_function("(moved) => document.querySelectorAll('.handle input')[2].value != moved", arg=str(moved))
    assert float(sliders.nth(2).input_value()) == pytest.approx(float(sliders.nth(2).get_attribute("value")), rel=1e-3)
    # The lines cross the sliders at their places: the chart has the size of the tracks.
    chart, track = page.locator("#curves svg").bounding_box(), sliders.first.bounding_box()
    assert chart["y"] == pytest.approx(track["y"] + 8, abs=3)
    assert chart["height"] == pytest.approx(track["height"] - 16, abs=3)


def test_samples_are_downloaded_as_a_table(open_inverse, tmp_path: Path) -> None:
    page = open_inverse()
    with page.expect_download() as caught:
        page.locator("#keep-samples").click()
    assert caught.value.suggested_filename == "kinematics-samples.csv"
    caught.value.save_as(tmp_path / "samples.csv")
    header, *rows = csv.reader((tmp_path / "samples.csv").open())
    assert header == ["height of the slider", "joint 1", "joint 2", "joint 3"]
    assert len(rows) == 3000 and all(len(row) == 4 and all(map(float, row)) for row in rows)


def test_a_telephone_shows_all_without_scrolling_sideways(open_inverse) -> None:
    page = open_inverse(390, 844)
    for name in ("Inverse kinematics", "Tissue optics"):
        page.locator("#inverse-problem label").get_by_text(name).click()
        expect(page.locator("#marginals figure")).to_have_count(4 if "kinematics" in name else 6)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
