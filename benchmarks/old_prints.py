"""A sheet of old prints as `cinn evaluate colorize --aged` makes them, to look at: one row per photograph.

    python benchmarks/old_prints.py sheet.png --data photos2/val.tar [--limit 4] [--model colorize] [--truth]

Each row has the photograph and a scan of each kind of print. Below it, with --truth, are the colours that count as
right, and with --model the first colouring of each.
"""

import argparse
import io
from pathlib import Path

import numpy as np
from contact_sheet import join, shrink

from cinn_app import Colorizer
from cinn_app.data.sources import image_names, iterate_images
from cinn_app.evaluation import evenly_spread
from cinn_app.imaging import Photograph, lightness_and_ab_to_rgb8, read_photograph
from cinn_app.systems.colorization.old_prints import KINDS, make_old_print


def true_colours(photograph: Photograph) -> np.ndarray:
    """Return a photograph in its own colours."""
    assert photograph.ab is not None
    return lightness_and_ab_to_rgb8(photograph.lightness, photograph.ab).numpy()


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True, help="colour photographs, repeatable")
    parser.add_argument("--limit", type=int, default=4, help="photographs, spread evenly")
    parser.add_argument("--model", help="show the first colouring of this model")
    parser.add_argument("--truth", action="store_true", help="show the right colours")
    parser.add_argument("--height", type=int, default=200, help="of each picture in pixels")
    options = parser.parse_args()
    colorizer = Colorizer.load(options.model) if options.model else None
    numbers = evenly_spread(len(image_names(options.data)), options.limit)
    rows: list[list[np.ndarray]] = []
    for number, image in zip(numbers, iterate_images(options.data, set(numbers)), strict=True):
        photograph = read_photograph(io.BytesIO(image.content), keep_colour=True)
        prints = [make_old_print(photograph, kind, number) for kind in KINDS]
        rows.append([true_colours(photograph), *(old.scan for old in prints)])
        shown = [photograph, *(old.photograph for old in prints)]
        if options.truth:
            rows.append([true_colours(one) for one in shown])
        if colorizer:
            rows.append([colorizer.colorize(one, seed=number)[0].render() for one in shown])
    height = options.height
    tiles = [[shrink(one, round(height * one.shape[1] / one.shape[0]), height) for one in row] for row in rows]
    join([join(row, across=True) for row in tiles], across=False).save(options.output)


if __name__ == "__main__":
    main()
