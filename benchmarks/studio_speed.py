"""How quick the studio is, seen from the page: until it is ready, from a photograph to its first colourings, and from a
slider's move to the new picture.

python benchmarks/studio_speed.py [--moves 8] [--json FILE]

Needs Chromium, as the browser's tests do. Leave the machine alone meanwhile.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table
from studio_page import PATIENCE_MS, launch, open_digits, studio, wait_for_page

from cinn_app.imaging import sample_photographs

LABELS = {
    "ready_s": "From start to a ready page",
    "first_colourings_s": "From a photograph of a megapixel to its four colourings",
    "vividness_ms": "From Vividness to the chosen picture",
    "vividness_four_ms": "From Vividness to all four",
    "axis_ms": "From an axis of colour to the chosen picture",
    "axis_four_ms": "From an axis of colour to all four",
    "digits_ms": "From a digit's axis to all digits",
}
#: Moves a slider, lets it go, and times how long each kind of pictures stays as it was.
MOVE = """async ([slider, value, kinds]) => {
    const shown = (pictures) => [...document.querySelectorAll(pictures)];
    const addresses = (pictures) => shown(pictures).map(one => one.src).join();
    const moved = document.querySelectorAll(slider.selector)[slider.number], before = kinds.map(addresses);
    const taken = kinds.map(() => 0), begun = performance.now();
    moved.value = value;
    moved.dispatchEvent(new Event("input", { bubbles: true }));
    moved.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    while (!taken.every(Boolean)) {
        await new Promise(requestAnimationFrame);
        kinds.forEach((pictures, number) => {
            if (!taken[number] && addresses(pictures) !== before[number] && shown(pictures).every(one => one.complete))
                taken[number] = performance.now() - begun;
        });
    }
    return taken;
}"""
DIGITS, CHOSEN, COLOURINGS = "#grid img", "#stage .picture", "#colourings img"
COLOURED = """() => {
    const all = (selector) => [...document.querySelectorAll(`#colourings ${selector}`)];
    return all("img").length === 4 && all("img").every(one => one.complete && one.naturalWidth)
        && document.querySelector("#stage .picture").src.includes("-large.");
}"""


def photograph(folder: Path, number: int) -> Path:
    """Write a photograph of a megapixel, each another one."""
    path = folder / f"photograph-{number}.jpg"
    sample = list(sample_photographs().values())[number]
    with Image.open(sample) as picture:
        picture.convert("L").resize((1155, 866)).save(path, quality=92)
    return path


def move(page: Page, selector: str, number: int, value: float, *pictures: str) -> list[float]:
    """Move a slider, and return the milliseconds until each kind of pictures is another."""
    taken = page.evaluate(MOVE, [{"selector": selector, "number": number}, value, pictures])
    page.wait_for_timeout(500)
    return [float(one) for one in taken]


def measure(moves: int) -> dict[str, list[float]]:
    """Return seconds until the page was ready and until a photograph was coloured, and milliseconds per move."""
    with sync_playwright() as playwright, studio() as address, tempfile.TemporaryDirectory() as folder:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        figures: dict[str, list[float]] = {"ready_s": [wait_for_page(page, address)], "first_colourings_s": []}
        for number in range(4):
            path = photograph(Path(folder), number)
            begun = time.monotonic()
            page.locator("#upload input[type=file]").set_input_files(path)
            page.locator("#notice").get_by_text(f"photograph-{number}.jpg, 1,155").wait_for()
            page.wait_for_function(COLOURED)
            figures["first_colourings_s"].append(time.monotonic() - begun)
        page.wait_for_timeout(2000)
        turns = [(-1) ** turn * (0.5 + 0.1 * turn) for turn in range(moves + 1)]
        sliders = {
            "vividness": [
                move(page, "#vividness input[type=range]", 0, 1 + turn / 4, CHOSEN, COLOURINGS) for turn in turns
            ],
            "axis": [
                move(page, "#tool-axes input[type=range]", number % 2, turn, CHOSEN, COLOURINGS)
                for number, turn in enumerate(turns)
            ],
        }
        for name, taken in sliders.items():
            figures[f"{name}_ms"], figures[f"{name}_four_ms"] = map(list, zip(*taken, strict=True))
        open_digits(page)
        figures["digits_ms"] = [
            move(page, ".step input[type=range]", number % 3, turn, DIGITS)[0] for number, turn in enumerate(turns)
        ]
        browser.close()
    return {name: values[1:] or values for name, values in figures.items()}  # the first of each warms up


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=8, help="how often a slider is moved")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    figures = measure(options.moves)
    table = Table("", "median", "slowest")
    for name, label in LABELS.items():
        unit = name.rpartition("_")[2]
        median, slowest = statistics.median(figures[name]), max(figures[name])
        table.add_row(
            label, *(f"{value:.1f} {unit}" if unit == "s" else f"{value:.0f} {unit}" for value in (median, slowest))
        )
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
