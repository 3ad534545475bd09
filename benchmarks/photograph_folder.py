"""Does `cinn colorize` go through a thousand photographs at one pace, and without its memory growing?

    python benchmarks/photograph_folder.py [--photographs 1000] [--megapixels 1] [--model colorize] [--json FILE]

Writes that many different JPEGs into a temporary folder, lets the command colour the folder, and asks the system (`ps`)
how much memory the command holds each time another tenth is done.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from cinn_app.imaging import sample_photographs

SECONDS_BETWEEN_SEARCHES = 0.5


def write_photographs(folder: Path, count: int, megapixels: float) -> None:
    """Write crops of the sample photographs, enlarged; no two are alike."""
    generator = np.random.default_rng(0)
    width, height = round((megapixels * 1e6 * 4 / 3) ** 0.5), round((megapixels * 1e6 * 3 / 4) ** 0.5)
    samples = [Image.open(path).convert("RGB") for path in sample_photographs().values()]
    for number, sample in zip(range(count), itertools.cycle(samples), strict=False):
        left, top = generator.uniform(0, 0.3, 2) * sample.size
        right, bottom = generator.uniform(0.7, 1, 2) * sample.size
        crop = sample.resize((width, height), Image.Resampling.BILINEAR, (left, top, right, bottom))
        crop.save(folder / f"{number:05d}.jpg", quality=90)


def colour(folder: Path, output: Path, count: int, model: str) -> list[dict[str, float]]:
    """Colour a folder, and note the seconds and megabytes at each tenth of it."""
    command = [sys.executable, "-m", "cinn_app", "colorize", str(folder), "-o", str(output), "--model", model, "-q"]
    begun, noted = time.monotonic(), []
    with subprocess.Popen(command) as process:
        for tenth in range(1, 11):
            while len(list(output.glob("*.jpg"))) < max(1, count * tenth // 10) and process.poll() is None:
                time.sleep(SECONDS_BETWEEN_SEARCHES)
            held = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True).stdout
            if process.poll() is None and held.strip():
                done = {"photographs": len(list(output.glob("*.jpg"))), "seconds": round(time.monotonic() - begun, 1)}
                noted.append({**done, "megabytes": round(int(held) * 1.024e-3)})
        if process.wait():
            sys.exit(process.returncode)
    return noted


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=1000)
    parser.add_argument("--megapixels", type=float, default=1)
    parser.add_argument("--model", default="colorize", help="a shipped model's name or a checkpoint's path")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder) / "photographs", Path(folder) / "coloured"
        inputs.mkdir()
        outputs.mkdir()
        write_photographs(inputs, options.photographs, options.megapixels)
        noted = colour(inputs, outputs, options.photographs, options.model)
    table = Table("photographs", "seconds", "megabytes held", title="cinn colorize FOLDER")
    for row in noted:
        table.add_row(*(f"{value:,}" for value in row.values()))
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
