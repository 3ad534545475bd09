"""Several colourings of photographs side by side, as the README and the model card show them.

    python benchmarks/contact_sheet.py docs/images/colourings.jpg PICTURE... [--samples 4] [--truth] [--guess]

Each row is one photograph: gray, its own colours with --truth, the conditional mean with --guess, then samples.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from cinn_app import Colorizer
from cinn_app.imaging import lightness_and_ab_to_rgb8, read_photograph

GAP = 6


def row(colorizer: Colorizer, path: Path, options: argparse.Namespace) -> Image.Image:
    """Draw one photograph's row."""
    photograph = read_photograph(path, keep_colour=True)
    drawn = colorizer.colorize(photograph, options.samples, seed=options.seed, diverse=True)
    pictures = [drawn[0].render(strength=0.0)]
    if options.truth and photograph.ab is not None:
        pictures.append(lightness_and_ab_to_rgb8(photograph.lightness, photograph.ab).numpy())
    if options.guess:
        pictures.append(colorizer.best_guess(photograph).render())
    pictures += [colouring.render() for colouring in drawn]
    width = (options.width + GAP) // len(pictures) - GAP
    height = round(pictures[0].shape[0] * width / pictures[0].shape[1])
    return join([shrink(picture, width, height) for picture in pictures], across=True)


def shrink(picture: np.ndarray, width: int, height: int) -> Image.Image:
    """Bring a picture to the sheet's size."""
    return Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)


def join(pictures: list[Image.Image], across: bool) -> Image.Image:
    """Lay pictures beside or below one another, a gap between them."""
    widths, heights = zip(*(picture.size for picture in pictures), strict=True)
    gaps = GAP * (len(pictures) - 1)
    size = (sum(widths) + gaps, max(heights)) if across else (max(widths), sum(heights) + gaps)
    sheet = Image.new("RGB", size, "white")
    place = 0
    for picture in pictures:
        sheet.paste(picture, (place, 0) if across else (0, place))
        place += (picture.width if across else picture.height) + GAP
    return sheet


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--model", default="colorize")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=1400, help="of the sheet in pixels")
    parser.add_argument("--truth", action="store_true", help="show the true colours")
    parser.add_argument("--guess", action="store_true", help="show the conditional mean")
    options = parser.parse_args()
    colorizer = Colorizer.load(options.model)
    rows = [row(colorizer, path, options) for path in options.pictures]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    join(rows, across=False).save(options.output, quality=80)


if __name__ == "__main__":
    main()
