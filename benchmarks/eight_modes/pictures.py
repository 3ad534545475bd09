"""The pictures: samples of every contestant, the latent space of a flow, and the film of how it forms."""

import colorsys
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from cinn_app.files import atomic_write
from cinn_app.systems.inverse_problems.problems.eight_modes import CENTRES, DEVIATION
from eight_modes.contestant import Contestant
from eight_modes.flows import Flow
from eight_modes.labellings import SCALE, Labelling
from eight_modes.measuring import draw_all

__all__ = ["Film", "latent_picture", "samples_picture", "sheet"]

#: Pixels of a side, and what they show: points and latents from minus to plus this.
PANEL, POINTS, LATENTS = 132, 3.4, 3.2
#: Colours of the eight modes, by their angles; labels have the colours of the first modes.
COLOURS = np.array([colorsys.hsv_to_rgb(mode / 8, 0.85, 0.9) for mode in range(8)])
FONT = ImageFont.load_default(12)
#: Samples of a label that a pixel needs to have two thirds of its colour.
FEW = 2.0
#: Radii that hold 50% and 90% of a standard normal distribution in the plane: sqrt(-2 ln(1 - share)).
RADII = [math.sqrt(-2 * math.log(1 - share)) for share in (0.5, 0.9)]


def samples_picture(samples: Sequence[Tensor], side: int = PANEL) -> Image.Image:
    """Draw samples, one ``(count, 2)`` per label, each label in its colour, on white."""
    picture = np.ones((side, side, 3))
    edges = np.linspace(-POINTS, POINTS, side + 1)
    for label, x in enumerate(samples):
        counts, *_ = np.histogram2d(-x[:, 1].numpy(), x[:, 0].numpy(), bins=(edges, edges))
        opacity = 1 - np.exp(-counts[..., None] * (4000 / len(x)) / FEW)
        picture = picture * (1 - opacity) + COLOURS[label] * opacity
    return Image.fromarray((255 * picture).round().astype(np.uint8))


@torch.no_grad()
def latent_picture(contestant: Flow, code: Tensor, side: int = PANEL) -> Image.Image:
    """Draw the latents of one label ``(M,)``: their hue says which mode they become, and how bright they are, how near.

    The circles hold 50% and 90% of the latents that sampling draws.
    """
    axis = torch.linspace(-LATENTS, LATENTS, side)
    z = torch.stack(torch.meshgrid(axis, -axis, indexing="xy"), -1).reshape(-1, 2)
    x = SCALE * contestant.decode(z, code.expand(len(z), -1))
    distance, mode = torch.cdist(x, CENTRES).min(1)
    brightness = torch.exp(-((distance / (4 * DEVIATION)) ** 2))[:, None].numpy()
    pixels = (255 * brightness * COLOURS[mode.numpy()]).round().astype(np.uint8)
    picture = Image.fromarray(pixels.reshape(side, side, 3))
    draw = ImageDraw.Draw(picture)
    for radius in RADII:
        extent = side / 2 * radius / LATENTS
        draw.ellipse([side / 2 - extent, side / 2 - extent, side / 2 + extent, side / 2 + extent], outline="white")
    return picture


def sheet(columns: Mapping[str, Sequence[Image.Image]], rows: Sequence[str], per_line: int = 7) -> Image.Image:
    """Lay named columns of panels out in lines, with the rows' names on the left."""
    names, gap, left, top = list(columns), 6, 38, 18
    per_line = min(per_line, len(names))
    lines = [names[start : start + per_line] for start in range(0, len(names), per_line)]
    height = top + len(rows) * (PANEL + gap)
    picture = Image.new("RGB", (left + per_line * (PANEL + gap), len(lines) * height), "white")
    draw = ImageDraw.Draw(picture)
    for line, members in enumerate(lines):
        for row, name in enumerate(rows):
            draw.text((left - 6, line * height + top + row * (PANEL + gap) + PANEL / 2), name, "black", FONT, "rm")
        for place, member in enumerate(members):
            x = left + place * (PANEL + gap)
            draw.text((x + PANEL / 2, line * height + top / 2), member, "black", FONT, "mm")
            for row, panel in enumerate(columns[member]):
                y = line * height + top + row * (PANEL + gap)
                picture.paste(panel, (x, y))
                draw.rectangle([x - 1, y - 1, x + PANEL, y + PANEL], outline="lightgray")
    return picture


class Film:
    """Frames of the latent space, and of samples beside it, at even shares of a training.

    Args:
        labelling: what is learnt; its first label is shown.
        frames: how many.
    """

    def __init__(self, labelling: Labelling, frames: int = 24) -> None:
        self.labelling, self.count, self.frames = labelling, frames, list[Image.Image]()

    def watch(self, progress: float, contestant: Contestant) -> None:
        """Add a frame if it is time: the beginning has more, where most happens."""
        if progress**0.5 * self.count < len(self.frames) or not isinstance(contestant, Flow):
            return
        panels = [
            latent_picture(contestant, self.labelling.codes[0]),
            samples_picture(draw_all(contestant, self.labelling)),
        ]
        self.frames.append(sheet({"latents": panels[:1], "samples": panels[1:]}, [""], per_line=2))

    def save(self, path: Path) -> None:
        """Write an endless animation; the last frame stays longer."""
        durations = [120] * (len(self.frames) - 1) + [2000]
        with atomic_write(path) as file:
            self.frames[0].save(
                file,
                "WEBP",
                save_all=True,
                append_images=self.frames[1:],
                duration=durations,
                loop=0,
                quality=80,
                method=6,
            )
