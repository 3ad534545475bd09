"""What a visitor of the tab that colours photographs does and sees, in headless Chromium."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

THUMBNAILS = "#colourings .thumbnail-item img"
PICTURE = "#stage .picture"
#: Whether all is there, other than before, and of one state: the large picture is the chosen one of the four.
COLOURED = """([before, differs]) => {
    const four = [...document.querySelectorAll("#colourings .thumbnail-item img")];
    const chosen = document.querySelector("#colourings .selected img");
    const large = document.querySelector("#stage .picture");
    const other = (one) => !before.includes(one.src), same = (one, index) => one.src === before[index];
    return four.length === 4 && chosen && !document.querySelector("#download .opener").disabled
        && [large, ...four].every((one) => one.complete && one.naturalWidth > 0)
        && large.src === chosen.src.replace("-small.", "-large.")
        && four.every(differs ? other : same) && four.map((one) => one.src);
}"""


def give(page: Page, *files: Path) -> None:
    """Upload photographs."""
    page.locator("#upload input[type=file]").set_input_files(files)


def coloured(page: Page, before: list[str] | tuple[()] = ()) -> list[str]:
    """Wait for four colourings other than those before, and for the chosen one large; return their addresses.

    A picture's address is made of all settings that made it, so the same address is the same picture.
    """
    return page.wait_for_function(COLOURED, arg=[list(before), True]).json_value()


def shows(page: Page, four: list[str], chosen: int = 0) -> None:
    """Wait until these colourings are there, and the chosen one is large."""
    expect(page.locator("#colourings .thumbnail-item").nth(chosen)).to_contain_class("selected")
    page.wait_for_function(COLOURED, arg=[four, False])


def choose(page: Page, index: int) -> None:
    """Choose one of the four, and wait until it is large."""
    four = page.eval_on_selector_all(THUMBNAILS, "four => four.map((one) => one.src)")
    page.locator(THUMBNAILS).nth(index).click()
    shows(page, four, index)


def large(page: Page) -> str:
    """The address of the large picture."""
    return page.locator(PICTURE).get_attribute("src")


def pixels(page: Page, address: str) -> np.ndarray:
    """Load a picture of the page."""
    return np.asarray(Image.open(io.BytesIO(page.request.get(address).body())).convert("RGB"), np.int16)


def saved(page: Page, button: str, folder: Path) -> Path:
    """Click on a button, and save what it downloads."""
    with page.expect_download() as caught:
        page.locator(button).click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def saved_as(page: Page, kind: str, folder: Path) -> Path:
    """Download "this", "png", "colours" or "all", with the menu of downloads."""
    page.locator("#download .opener").click()
    return saved(page, f"#download [data-kind={kind}]", folder)


def set_slider(page: Page, name: str, value: float) -> None:
    """Move a slider as a keyboard does, since a script cannot drag."""
    slider = page.locator(f"{name} input[type=range]").first
    slider.fill(str(value))
    slider.press("ArrowRight")


def open_details(page: Page) -> None:
    """Open the drawer of figures."""
    page.locator("#details > button").click()
    page.locator("#seed input").wait_for()


def point(page: Page, across: float, down: float) -> None:
    """Click on the large picture, at shares of its width and height."""
    page.locator(".board").scroll_into_view_if_needed()
    box = page.locator(".board").bounding_box()
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def draw(page: Page, *places: tuple[float, float]) -> None:
    """Draw over the large picture with the mouse, at shares of its width and height."""
    page.locator(".board").scroll_into_view_if_needed()
    box = page.locator(".board").bounding_box()
    for number, (across, down) in enumerate(places):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=8)
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def want(page: Page, colour: str) -> None:
    """Say in the palette which colour is wanted where one has pointed."""
    page.locator(".hex").fill(colour)
    page.locator(".hex").press("Enter")


def marks(page: Page) -> list[tuple[str, int, int]]:
    """Colour, x and y of each hint, in pixels of the photograph."""
    labels = page.eval_on_selector_all(".marks button", "all => all.map((one) => one.ariaLabel)")
    parts = [label.split(": ")[1].split(", ") for label in labels]
    return [(colour, int(x), int(y)) for colour, x, y in parts]
