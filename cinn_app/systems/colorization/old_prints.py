"""Old black-and-white prints made from colour photographs, so that their right colours are known.

The right colours are those of a colour print that aged in the same way: it has faded as much, and its mount is gray.
Where ink or a scratch leaves no room for a colour, the right one is as much of it as the gamut holds.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph, lightness_and_ab_to_rgb8, read_photograph, rgb_to_lab
from cinn_app.imaging.colour import lab_to_rgb

__all__ = ["KINDS", "OldPrint", "make_old_print"]

#: Prints are made at no more pixels of the shorter side than these.
MAX_SIDE = 512
#: Masks are drawn at this multiple of the print's size, for smooth edges.
OVERSAMPLING = 4
#: The tone of paper and silver, ab in Lab units: a little yellow, yellowed with the years, and toned brown.
IVORY, YELLOWED, SEPIA = (1.0, 7.0), (2.0, 14.0), (8.0, 25.0)
#: Display RGB of the darkest and the lightest tone of printing ink, or of toned silver, on old paper.
INK_LEVELS = (0.12, 0.92)


class OldPrint(NamedTuple):
    """An old print.

    Attributes:
        photograph: what was read from the scan, with the right colours in `ab`.
        scan: the toned print, uint8 ``(height, width, 3)``.
        mount: where its border or film rim is, bool ``(height, width)``; None without one.
    """

    photograph: Photograph
    scan: np.ndarray
    mount: Tensor | None


def make_old_print(photograph: Photograph, kind: str, number: int = 0) -> OldPrint:
    """Make an old print of a colour photograph.

    Args:
        photograph: with its own chroma in `ab`.
        kind: one of :data:`KINDS`.
        number: of the photograph; with the kind it determines all that is random.
    """
    assert photograph.ab is not None
    lab = torch.cat([photograph.lightness, photograph.ab])
    scale = MAX_SIDE / min(photograph.size)
    if scale < 1:
        lab = functional.interpolate(lab[None], scale_factor=scale, mode="area")[0]
    made = KINDS[kind](lab_to_rgb(lab).clamp(0, 1), np.random.default_rng([number, *kind.encode()]))
    lightness = made.lightness.clamp(0, 100)
    toned = torch.tensor(made.tone)[:, None, None] * (1 - lightness / 200)
    scan = lightness_and_ab_to_rgb8(lightness, toned).numpy()
    read = read_photograph(scan)
    finished = lightness_and_ab_to_rgb8(read.lightness, made.ab).movedim(-1, 0) / 255
    return OldPrint(dataclasses.replace(read, ab=rgb_to_lab(finished)[1:]), scan, made.mount)


class _Made(NamedTuple):
    """A print: lightness `(1, h, w)`, true ab `(2, h, w)`, tone of the paper, and where its mount is `(h, w)`."""

    lightness: Tensor
    ab: Tensor
    tone: tuple[float, float] = IVORY
    mount: Tensor | None = None


def _faded(rgb: Tensor, rng: np.random.Generator) -> _Made:
    """Draw display RGB together to about 0.45..0.8, as light and acid do: black becomes gray, white cream."""
    lab = _levelled(rgb, rng.uniform(0.4, 0.5), rng.uniform(0.75, 0.85))
    return _Made(lab[:1] + _mottling(lab, rng, 1.5) + _grain(lab, rng, 0.7), lab[1:], YELLOWED)


def _sepia(rgb: Tensor, rng: np.random.Generator) -> _Made:
    lab = _levelled(rgb, *INK_LEVELS)
    return _Made(lab[:1] + _mottling(lab, rng, 1) + _grain(lab, rng, 1), lab[1:], SEPIA)


def _halftone(rgb: Tensor, rng: np.random.Generator) -> _Made:
    """Screen the print as newspapers do: dots of ink on a grid of 45 degrees, the larger the darker the tone."""
    lab = _levelled(rgb, *INK_LEVELS)
    black, white = (float(rgb_to_lab(torch.full((3, 1, 1), level))[0]) for level in INK_LEVELS)
    height, width = lab.shape[-2:]
    cell = min(height, width) / rng.uniform(80, 110) * OVERSAMPLING
    y, x = torch.meshgrid(*(torch.arange(OVERSAMPLING * side) / cell for side in (height, width)), indexing="ij")
    # Two triangle waves across each other; the distribution function of their mean makes all thresholds as frequent.
    waves = [(2 * ((axis / math.sqrt(2)) % 1) - 1).abs() for axis in (x + y, x - y)]
    mean = (waves[0] + waves[1]) / 2
    threshold = torch.where(mean < 0.5, 2 * mean.square(), 1 - 2 * (1 - mean).square())
    tone = functional.interpolate((lab[None, :1] - black) / (white - black), threshold.shape, mode="bilinear")
    paper = functional.avg_pool2d((tone > threshold).float(), OVERSAMPLING)[0]
    return _Made(black + (white - black) * paper + _grain(lab, rng, 1), lab[1:])


def _mounted(rgb: Tensor, rng: np.random.Generator) -> _Made:
    """Lay the print on white or cream paper, or leave it as a negative's copy within its black film rim."""
    lab = rgb_to_lab(rgb)
    short = min(lab.shape[-2:])
    film = rng.random() < 0.5
    shares = rng.uniform(0.04, 0.09, 4) if film else [rng.uniform(0.05, 0.1)] * 4
    left, right, top, bottom = margins = [max(3, round(short * share)) for share in shares]
    lab = functional.pad(lab, margins)
    height, width = lab.shape[-2:]
    mask, pen = _drawing(lab)
    corners = (left, top, width - right - 1 / OVERSAMPLING, height - bottom - 1 / OVERSAMPLING)
    radius = OVERSAMPLING * short * (0.02 if film else 0)
    pen.rounded_rectangle([OVERSAMPLING * corner for corner in corners], radius, fill=255)
    inside = _mask(mask, blur=0.6 if film else 0.3)
    level = rng.uniform(3, 9) if film else rng.uniform(90, 97)
    rim = level + (_mottling(lab, rng, 1.5) + _grain(lab, rng, 0.6)).clamp(max=97 - level)
    if film:
        mask, pen = _drawing(lab)
        size = 0.55 * OVERSAMPLING * top
        text = f"SAFETY FILM        {rng.integers(1, 37)}        {rng.integers(100, 999)}"
        pen.text((OVERSAMPLING * left * 2, size * 0.3), text, 255, _font(size))
        rim = rim + 55 * _mask(mask, blur=0.3)
    lightness = inside * lab[:1] + (1 - inside) * rim
    tone = (0.0, 0.0) if film else (1.0, rng.uniform(3, 12))
    return _Made(lightness, inside * lab[1:], tone, inside[0] < 0.01)


def _scratched(rgb: Tensor, rng: np.random.Generator) -> _Made:
    """Scratches and a crease that bare the paper, dust that lay on the negative, and hairs."""
    lab = rgb_to_lab(rgb)
    height, width = lab.shape[-2:]
    short = OVERSAMPLING * min(height, width)
    bare, pen = _drawing(lab)
    for _ in range(rng.integers(9, 15)):
        _line(pen, bare.size, rng, short * rng.uniform(0.15, 0.9), rng.uniform(0.0008, 0.003) * short, 0.12)
    _line(pen, bare.size, rng, 2.5 * short, 0.007 * short, 0.05)  # a crease, from edge to edge
    for _ in range(rng.integers(50, 90)):
        _speck(pen, bare.size, rng, short * rng.uniform(0.001, 0.005))
    dark, pen = _drawing(lab)
    for _ in range(rng.integers(15, 30)):
        _speck(pen, dark.size, rng, short * rng.uniform(0.001, 0.004))
    for _ in range(3):
        _line(pen, dark.size, rng, short * 0.12, 0.0015 * short, 0.6)
    lightness = lab[:1] + (94 - lab[:1]) * 0.9 * _mask(bare, 0.3)
    return _Made(lightness + (12 - lightness) * 0.8 * _mask(dark, 0.3) + _grain(lab, rng, 0.7), lab[1:])


def _stamped(rgb: Tensor, rng: np.random.Generator) -> _Made:
    """A rubber stamp of a studio in uneven ink, and a date written in white."""
    lab = rgb_to_lab(rgb)
    short = OVERSAMPLING * min(lab.shape[-2:])
    day, month, year = rng.integers(1, 29), rng.integers(1, 13), rng.integers(1890, 1970)
    stamp, pen = _drawing(lab)
    size = 0.34 * short
    x, y = (rng.uniform(0.2, 0.8) * (side - size) for side in stamp.size)
    for inset, wide in ((0.0, 0.014), (0.05, 0.006)):
        box = (x + inset * size, y + inset * size, x + (1 - inset) * size, y + (1 - inset) * size)
        pen.ellipse(box, outline=255, width=round(wide * short))
    for line, place, height in (("STUDIO", 0.26, 0.13), (f"{day}.{month}.{year}", 0.5, 0.15), ("PARIS", 0.74, 0.13)):
        pen.text((x + size / 2, y + place * size), line, 255, _font(height * size), anchor="mm")
    turned = stamp.rotate(rng.uniform(-30, 30), Image.Resampling.BILINEAR, center=(x + size / 2, y + size / 2))
    uneven = (0.8 + _mottling(lab, rng, 0.15)).clamp(0.4, 1)
    lightness = lab[:1] + (20 - lab[:1]) * uneven * _mask(turned, 0.4)
    date, pen = _drawing(lab)
    corner = (date.width - 0.04 * short, date.height - 0.04 * short)
    pen.text(corner, f"{day:02} {month:02} '{year % 100:02}", 255, _font(0.06 * short), anchor="rd")
    return _Made(lightness + (95 - lightness) * _mask(date, 0.3) + _grain(lab, rng, 0.7), lab[1:])


#: Makers of old prints by their kind.
KINDS: dict[str, Callable[[Tensor, np.random.Generator], _Made]] = {
    "faded": _faded,
    "sepia": _sepia,
    "mounted": _mounted,
    "halftone": _halftone,
    "scratched": _scratched,
    "stamped": _stamped,
}


def _levelled(rgb: Tensor, black: float, white: float) -> Tensor:
    """Map display RGB affinely, so that chroma falls as contrast does, and return it as Lab."""
    return rgb_to_lab(black + (white - black) * rgb)


def _grain(lab: Tensor, rng: np.random.Generator, deviation: float) -> Tensor:
    return torch.from_numpy(rng.normal(0, deviation, (1, *lab.shape[-2:]))).float()


def _mottling(lab: Tensor, rng: np.random.Generator, deviation: float) -> Tensor:
    """Return smooth stains over the whole picture."""
    coarse = torch.from_numpy(rng.normal(0, deviation, (1, 1, 5, 5))).float()
    return functional.interpolate(coarse, lab.shape[-2:], mode="bicubic", align_corners=True)[0]


def _drawing(lab: Tensor) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return an empty mask, larger than the picture by :data:`OVERSAMPLING`, and a pen for it."""
    height, width = lab.shape[-2:]
    mask = Image.new("L", (OVERSAMPLING * width, OVERSAMPLING * height))
    return mask, ImageDraw.Draw(mask)


def _mask(mask: Image.Image, blur: float) -> Tensor:
    """Bring a drawn mask to the picture's size, 0..1 of shape ``(1, height, width)``, blurred by some pixels."""
    small = mask.reduce(OVERSAMPLING).filter(ImageFilter.GaussianBlur(blur))
    return torch.from_numpy(np.array(small, np.float32))[None] / 255


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(1, size))


def _line(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    rng: np.random.Generator,
    length: float,
    width: float,
    bend: float,
) -> None:
    """Draw a line of twelve pieces through a random place; each turns by about `bend` radians."""
    angles = rng.uniform(0, math.pi) + rng.normal(0, bend, 12).cumsum()
    steps = length / 12 * np.stack([np.cos(angles), np.sin(angles)], 1)
    points = rng.uniform(0, 1, 2) * size + steps.cumsum(0) - steps.sum(0) / 2
    pen.line([tuple(point) for point in points], int(rng.integers(110, 256)), max(1, round(width)), joint="curve")


def _speck(pen: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, radius: float) -> None:
    x, y = rng.uniform(0, 1, 2) * size
    pen.ellipse(
        (x - radius, y - radius * rng.uniform(0.4, 1), x + radius, y + radius), fill=int(rng.integers(150, 256))
    )
