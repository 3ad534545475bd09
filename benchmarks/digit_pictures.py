"""Draw the pictures of the digits' card: samples of every class, and steps along the strongest axes.

python benchmarks/digit_pictures.py [--model digits] [--output docs/images]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from cinn_app import DigitGenerator
from cinn_app.systems.digits.images import digit_sheet
from cinn_app.systems.digits.model import CLASSES

SHOWN, AXES, SAMPLES = (2, 4, 7), 6, 16
STEPS = (-3, -2, -1, 0, 1, 2, 3)
SCALE, LABEL_WIDTH, FONT = 2, 190, ImageFont.load_default(17)


def samples(generator: DigitGenerator) -> Image.Image:
    """Draw a row per class, the same handwritings in each, at the default temperature."""
    return Image.fromarray(digit_sheet(generator.sample(range(CLASSES), SAMPLES, seed=0), SCALE))


def axes(generator: DigitGenerator) -> Image.Image:
    """Draw a row per axis: its name, and a few digits moved along it from -3 to +3 standard deviations."""
    rows = []
    for axis in generator.axes()[:AXES]:
        latents = torch.stack([step * axis.direction for step in STEPS]).repeat(len(SHOWN), 1)
        rows.append(generator.decode(latents, torch.tensor(SHOWN).repeat_interleave(len(STEPS))))
    sheet = Image.fromarray(digit_sheet(torch.stack(rows), SCALE))
    picture = Image.new("L", (LABEL_WIDTH + sheet.width, sheet.height))
    picture.paste(sheet, (LABEL_WIDTH, 0))
    draw = ImageDraw.Draw(picture)
    for number, axis in enumerate(generator.axes()[:AXES]):
        middle = (number + 0.5) * sheet.height / AXES
        draw.text((LABEL_WIDTH - 12, middle), axis.name, 255, FONT, "rm")
    return picture


def main() -> None:
    """Draw both, dark on light."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="digits")
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    generator = DigitGenerator.load(options.model)
    for name, picture in (("digits", samples(generator)), ("digit-axes", axes(generator))):
        Image.fromarray(255 - np.asarray(picture)).save(options.output / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
