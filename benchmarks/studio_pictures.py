"""Take the studio's pictures for the README: it is served with the shipped models and used as a visitor would.

python benchmarks/studio_pictures.py [--output docs/images]

Needs Chromium, as the browser's tests do.
"""

import argparse
import math
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from studio_page import PATIENCE_MS, launch, open_digits, stroke, studio, wait_for_page

from cinn_app.imaging import sample_photographs

#: Of the window, in pixels as style sheets have them, and how many of a picture's there are to one of them.
WIDTH, HEIGHT, SCALE = 1280, 940, 1.5
MARGIN = 16
QUALITY = 72  # of JPEG: all stay below 250 kB, and letters sharp
PHOTOGRAPHS = ("coffee", "astronaut", "chelsea")
#: Asked for on the first of them, at shares of its width and height.
HINTS = (("#2f5f9e", 0.21, 0.62), ("#2f5f9e", 0.74, 0.62), ("#9a7650", 0.92, 0.45))
#: A digit as one stroke, in shares of the pad's sides.
FIVE = (
    (0.74, 0.22), (0.48, 0.23), (0.40, 0.47), (0.48, 0.43), (0.56, 0.43), (0.63, 0.47), (0.66, 0.55), (0.65, 0.64),
    (0.59, 0.73), (0.50, 0.78), (0.40, 0.79), (0.31, 0.74),
)  # fmt: skip
#: Whether all pictures are there, the four others than those before; returns the four.
COLOURED = """(before) => {
    const four = [...document.querySelectorAll("#colourings .thumbnail-item img")];
    const large = [...document.querySelectorAll("#stage .picture")];
    const there = [...four, ...large].every((one) => one.complete && one.naturalWidth);
    const whole = large.every((one) => one.src.includes("-large."));
    const ready = !document.querySelector("#download .opener")?.disabled;
    return four.length === 4 && there && whole && ready && !four.some((one) => before.includes(one.src))
        && four.map((one) => one.src);
}"""


def photographs(folder: Path) -> list[Path]:
    """Write the sample photographs as old ones are: gray."""
    samples, files = sample_photographs(), []
    for name in PHOTOGRAPHS:
        files.append(folder / f"{name}.jpg")
        with Image.open(samples[name]) as picture:
            picture.convert("L").save(files[-1], quality=95)
    return files


def take(browser: Browser, address: str, output: Path) -> list[Path]:
    """Use the studio at an address, and take pictures of it on the way.

    Returns:
        Their files in the folder `output`.
    """
    visitor = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE)
    visitor.set_default_timeout(PATIENCE_MS)
    page = visitor.new_page()
    wait_for_page(page, address)
    files = [*_take_photographs(page, output), *_take_digits(page, output)]
    visitor.close()
    return files


def _take_photographs(page: Page, output: Path) -> list[Path]:
    with tempfile.TemporaryDirectory() as folder:
        page.locator("#upload input[type=file]").set_input_files(photographs(Path(folder)))
        four = page.wait_for_function(COLOURED, arg=[]).json_value()
    page.get_by_text(f"{len(PHOTOGRAPHS)} of {len(PHOTOGRAPHS)} coloured").wait_for()
    chosen = _shoot(page, output / "studio.jpg", ".gradio-container", HEIGHT)
    for colour, across, down in HINTS:
        box = page.locator(".board").bounding_box()
        page.locator(".board").click(position={"x": across * box["width"], "y": down * box["height"]})
        page.locator(".hex").fill(colour)
        page.locator(".hex").press("Enter")
        four = page.wait_for_function(COLOURED, arg=four).json_value()
    return [chosen, _shoot(page, output / "studio-steering.jpg", "#stage")]


def _take_digits(page: Page, output: Path) -> list[Path]:
    open_digits(page)
    handwritings = _shoot(page, output / "studio-digits.jpg", ".gradio-container", HEIGHT)
    stroke(page, *FIVE)
    page.locator("#similar-grid .handwriting").first.wait_for()
    own = _shoot(page, output / "studio-hand.jpg", "#digit-panels")
    page.get_by_role("tab", name="Map", exact=True).click()
    page.locator("#here img").first.wait_for()
    return [handwritings, own, _shoot(page, output / "studio-map.jpg", "#digit-panels")]


def _shoot(page: Page, file: Path, part: str, height: float = math.inf) -> Path:
    """Take a picture of a part of the page, or of its upper end, with the pointer and the focus out of the way."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # until nothing fades or moves any more
    box = page.locator(part).first.bounding_box()
    x, y = (max(box[side] - MARGIN, 0) for side in "xy")
    width, height = min(box["width"] + 2 * MARGIN, WIDTH), min(box["height"] + 2 * MARGIN, height)
    clip = {"x": x, "y": y, "width": width, "height": height}
    page.screenshot(path=file, type="jpeg", quality=QUALITY, full_page=True, clip=clip)
    return file


def main() -> None:
    """Take all of them, and tell how large they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/images"), help="the folder to write them into")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, studio() as address:
        browser = launch(playwright)
        for file in take(browser, address, output):
            print(f"{file}: {file.stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
