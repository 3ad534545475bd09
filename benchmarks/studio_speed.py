"""How quick the studio is, seen from the page: until it is ready, and from a slider's move to the new digits.

python benchmarks/studio_speed.py [--moves 8] [--json FILE]

Needs Chromium, as the browser's tests do. Leave the machine alone meanwhile.
"""

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

PATIENCE_MS = 120_000
#: Moves a slider as the keyboard would, and times how long the grid keeps its old pictures.
MOVE = """async ([number, value]) => {
    const shown = () => [...document.querySelectorAll('#grid img')].map(one => one.src).join();
    const slider = document.querySelectorAll('.along input[type=range]')[number], before = shown();
    const begun = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    while (shown() === before) await new Promise(requestAnimationFrame);
    return performance.now() - begun;
}"""


@contextmanager
def studio() -> Iterator[str]:
    """Serve the studio in a process of its own, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)], stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1]
    ) as server:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def open_digits(page: Page, address: str) -> float:
    """Open the digits tab as soon as there is a page, and return how many seconds that took."""
    begun = time.monotonic()
    while True:
        try:
            page.goto(address)
            break
        except Exception:  # whatever a refused connection raises
            if time.monotonic() - begun > PATIENCE_MS / 1000:
                raise
            time.sleep(0.05)
    page.locator("#upload input[type=file]").wait_for(state="attached")
    ready = time.monotonic() - begun
    page.get_by_role("tab", name="Digits").click()
    page.locator("#grid img").first.wait_for()
    return ready


def measure(moves: int) -> dict[str, float | list[float]]:
    """Return seconds until the page was ready, and milliseconds per move of a slider."""
    with sync_playwright() as playwright, studio() as address:
        chromium = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        ready = open_digits(page, address)
        times = []
        for move in range(moves + 1):
            times.append(page.evaluate(MOVE, [move % 3, (-1) ** move * (0.5 + 0.1 * move)]))
            page.wait_for_timeout(500)
        browser.close()
    return {"ready_s": ready, "moves_ms": times[1:]}  # the first move warms up


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=8, help="how often a slider is moved")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    figures = measure(options.moves)
    moves = figures["moves_ms"]
    assert isinstance(moves, list)
    table = Table("From start to a ready page", "Slider to new digits, median", "slowest")
    table.add_row(f"{figures['ready_s']:.1f} s", f"{statistics.median(moves):.0f} ms", f"{max(moves):.0f} ms")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
