"""The photograph is cropped and turned, in headless Chromium."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from colour_page import (  # after the check that it is there
    coloured,
    give,
    marks,
    point,
    saved_as,
    shows,
    want,
)
from playwright.sync_api import Page, expect


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A frame of a film: 200 x 120 with a black rim of 20."""
    waves = (128 + 100 * np.sin(np.mgrid[:120, :200][1] / 9)).astype(np.uint8)
    path = tmp_path / "film.png"
    Image.fromarray(np.pad(waves, 20, constant_values=4)).save(path)
    return path


def download_size(page: Page, folder: Path) -> tuple[int, int]:
    with Image.open(saved_as(page, "this", folder)) as picture:
        return picture.size


def test_a_rim_is_left_out_and_what_is_cropped_and_turned_comes_back_step_by_step(
    open_studio: Callable[..., Page], film: Path, tmp_path: Path
) -> None:
    page = open_studio()
    give(page, film)
    trimmed = coloured(page)
    expect(page.locator("#notice")).to_contain_text("A part of the file is cut off")
    width, height = download_size(page, tmp_path)
    assert 190 <= width <= 200 and 110 <= height <= 120
    point(page, 0.75, 0.75)
    want(page, "#b3262c")
    hinted = coloured(page, trimmed)
    ((_, x, y),) = marks(page)

    page.locator(".to-crop").click()
    box = page.locator(".crop").bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.locator(".apply").click()
    cropped = coloured(page, hinted)
    size = download_size(page, tmp_path)
    assert abs(size[0] - width / 2) <= 4 and abs(size[1] - height / 2) <= 4
    ((_, near, below),) = marks(page)  # the hint stays on its thing
    assert abs(near - (x - width / 2)) <= 4 and abs(below - (y - height / 2)) <= 4

    page.locator(".to-crop").click()
    page.locator(".turn").last.click()
    turned = coloured(page, cropped)
    assert download_size(page, tmp_path) == size[::-1]
    page.reload()  # nothing of it is lost
    shows(page, turned)

    page.locator(".undo").click()
    shows(page, cropped)
    page.locator(".undo").click()
    shows(page, hinted)
    assert marks(page) == [("#b3262c", x, y)] and download_size(page, tmp_path) == (width, height)
    page.locator(".redo").click()
    shows(page, cropped)

    page.locator(".whole").click()
    coloured(page, cropped)
    assert download_size(page, tmp_path) == (240, 160)
    expect(page.locator(".whole")).to_be_hidden()
    assert marks(page)


def test_a_crop_by_keys_and_one_that_is_given_up(
    open_studio: Callable[..., Page], photograph: Path, tmp_path: Path
) -> None:
    page = open_studio()
    give(page, photograph)
    first = coloured(page)
    page.locator(".to-crop").click()
    upper = page.get_by_role("slider", name="Upper edge")
    expect(upper).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Shift+ArrowDown")
    expect(upper).to_have_attribute("aria-valuenow", "20")
    page.keyboard.press("Escape")
    expect(page.locator(".crop")).to_be_hidden()
    shows(page, first)
    page.locator(".to-crop").click()
    expect(page.locator(".apply")).to_be_disabled()
    page.keyboard.press("Shift+ArrowDown")
    page.locator(".apply").click()
    coloured(page, first)
    assert download_size(page, tmp_path) == (330, 228)
