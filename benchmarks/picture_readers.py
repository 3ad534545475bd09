"""Does the product read pictures as an independent reader does?

    python benchmarks/picture_readers.py FOLDER [--limit 3] [--json FILE]

Reads every file of a folder with `read_photograph` and with ImageMagick, or where that is not installed with imageio.
Lists the files whose mean difference of lightness is above the limit, whose sizes differ, or which one of the two
refuses, with the product's warnings and errors. Ends with 1 if a file is read otherwise without a warning.
Independent is not infallible: look at a file before taking sides.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from cinn_app.errors import ImageError
from cinn_app.imaging import Photograph, read_photograph, rgb_to_lab
from cinn_app.imaging.pixels import pixels_of_array
from cinn_app.imaging.profiles import SRGB_PROFILE

SECONDS = 60
# Transparent pixels may have any colour.
OPAQUE = 250

Reader = Callable[[Path], np.ndarray]


def image_magick() -> Path | None:
    """Find the program under one of its names; another of the same name does not count."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in ("magick", "convert"):
            program = Path(folder, name)
            if program.is_file() and os.access(program, os.X_OK):
                answer = subprocess.run([program, "-version"], capture_output=True, text=True).stdout
                if answer.startswith("Version: ImageMagick"):
                    return program
    return None


def read_by_image_magick(program: Path) -> Reader:
    """Return a reader of the first picture of a file: upright, in sRGB, as 16 bits."""

    def read(path: Path) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            profile, found = Path(folder, "srgb.icc"), Path(folder, "found.png")
            profile.write_bytes(SRGB_PROFILE)
            turned = [str(program), f"{path}[0]", "-auto-orient", "-alpha", "off"]
            to_srgb = ["-profile", str(profile), "-colorspace", "sRGB", "-type", "TrueColor", "-depth", "16"]
            subprocess.run([*turned, *to_srgb, f"PNG48:{found}"], check=True, capture_output=True, timeout=SECONDS)
            return lightness_of(read_photograph(found))

    return read


def read_by_imageio(path: Path) -> np.ndarray:
    """Read by a plug-in that is not Pillow where there is one; it turns nothing and applies no profile."""
    from imageio import v3

    plugin = "tifffile" if path.suffix.lower() in (".tif", ".tiff") else None
    values = np.asarray(v3.imread(io.BytesIO(path.read_bytes()), index=0, plugin=plugin, extension=path.suffix))
    channels = 3 if values.ndim == 3 and values.shape[2] > 2 else 1
    pixels = pixels_of_array(values.reshape(*values.shape[:2], -1)[..., :channels]).values
    unit = torch.tensor(pixels / (255 if pixels.dtype == np.uint8 else 1), dtype=torch.float32)
    rgb = unit.expand(3, -1, -1) if unit.ndim == 2 else unit.movedim(-1, 0)
    return rgb_to_lab(rgb)[0].numpy()


def lightness_of(photograph: Photograph) -> np.ndarray:
    """Return the lightness, `(height, width)`."""
    return photograph.lightness[0].numpy()


def compare(path: Path, other: Reader, limit: float) -> dict[str, Any] | None:
    """Compare the two readers on a file; None where they agree or both refuse it."""
    refused = refused_too = ""
    try:
        photograph = read_photograph(path)
    except ImageError as error:
        refused = str(error)
    try:
        expected = other(path)
    except Exception as error:  # of a foreign program, and of any kind
        said = getattr(error, "stderr", None)
        refused_too = (said.decode(errors="replace") if said else str(error)).strip().split("\n")[0] or "no picture"
    row: dict[str, Any] = {"file": str(path), "silent": False}
    if refused or refused_too:
        if refused and refused_too:
            return None
        return row | {"verdict": "only the product refuses" if refused else "only the other refuses", "says": refused}
    says = " ".join(photograph.warnings)
    lightness = lightness_of(photograph)
    if lightness.shape != expected.shape:
        sizes = f"{lightness.shape[::-1]} instead of {expected.shape[::-1]}"
        return row | {"verdict": f"another size: {sizes}", "says": says, "silent": not says}
    shown = np.ones_like(lightness, bool) if photograph.alpha is None else photograph.alpha >= OPAQUE
    difference = float(np.abs(lightness - expected)[shown].mean()) if shown.any() else 0.0
    if difference <= limit:
        return None
    return row | {"verdict": f"differs by {difference:.1f} L*", "says": says, "silent": not says}


def compare_all(folder: Path, other: Reader, limit: float) -> Iterator[dict[str, Any] | None]:
    """Compare the two readers on all files of a folder and those below it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield compare(path, other, limit)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=float, default=3.0, help="of the mean difference, in units of L*")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    program = image_magick()
    other = read_by_image_magick(program) if program else read_by_imageio
    compared = list(compare_all(options.folder, other, options.limit))
    rows = [row for row in compared if row is not None]
    table = Table("file", "verdict", "what the product says", title=f"{len(rows)} of {len(compared):,} files differ")
    for row in rows:
        table.add_row(row["file"], row["verdict"], row["says"])
    console = Console()
    console.print(f"The other reader is {program or 'imageio'}.")
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(row["silent"] for row in rows))


if __name__ == "__main__":
    main()
