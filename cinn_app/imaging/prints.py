"""What shows of an old print in its scan: how far it has faded, its border, and the dots of a halftone.

Fading draws display RGB together, :math:`x' = k x + x_0`. To a good approximation it does the same to CIE L: on faded
copies of 50 photographs, chroma fell as the range of L did, to within 2% of it on the median.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["FULL_LEVELS", "NO_BORDER", "Border", "Levels", "halftone_period"]

#: Percentiles of L that count as the black and the white of a picture.
BLACK_PERCENTILE, WHITE_PERCENTILE = 0.5, 99.5
#: Pixels from which they are taken: every n-th row and column, since averages would hide grain.
SAMPLED_PIXELS = 1 << 16
#: Shares of the range from 0 to white that are used, (white - black) / white: below the first a print has faded for
#: certain, above the second not at all. Of 600 new photographs 6 lie below the second and one below the first, with
#: colours as strong as those of the others. Dark pictures with a true black have not faded.
FADED, UNFADED = 0.6, 0.72
#: The range of L of a photograph in full contrast: the median of 600.
USUAL_RANGE = 90.0
#: How many times more contrast a faded print gets at most: more would be made of its grain.
MAX_GAIN = 3.0
#: A range of L that may be nothing but grain: the smaller it is, the less contrast it gets.
GRAIN = 10.0

#: Borders are searched in a copy with this longer side, on each side up to this share of it, three within each other.
SEARCHED_SIDE, MAX_BORDER, NESTED = 320, 0.25, 3
#: A border is darker or lighter than these levels of L, or on all sides; it keeps its level to within a tolerance.
BLACK_BORDER, WHITE_BORDER, TOLERANCE = 20.0, 75.0, 8.0
#: Least share of a row's pixels that are the border's; the rest is left to writing, perforations and dust.
BORDER_SHARE = 0.7
#: How much of that share ends within two rows, of pixels that are merely dark, and if only two sides have a border.
STEP, STEP_OF_DARKNESS, STEP_OF_A_PAIR = 0.45, 0.6, 0.8
#: How much borders of one picture differ in L.
SAME_BORDER = 12.0

#: Dots are searched in a square in the middle, of at most this many pixels, at these frequencies in cycles per pixel.
HALFTONE_SIDE, HALFTONE_FREQUENCIES = 512, (1 / 12, 1 / 2)
#: How many times the peaks of a halftone exceed other frequencies of their length, and this share of the highest. Two
#: of 375 photographs exceed 15, and none 35; all of 100 made halftones exceed 35.
HALFTONE_PEAK, HALFTONE_EVENNESS = 35.0, 0.002


class Levels(NamedTuple):
    """The black and the white of a picture, CIE L.

    >>> Levels(0, 100).contrast, round(Levels(48, 82).contrast, 2), Levels(50, 50).contrast
    (1.0, 0.38, 0.0)
    """

    black: float = 0.0
    white: float = 100.0

    @classmethod
    def of(cls, lightness: Tensor) -> "Levels":
        """Measure the levels of lightness `(1, height, width)`."""
        step = max(1, int((lightness.numel() / SAMPLED_PIXELS) ** 0.5))
        black, white = np.percentile(lightness[:, ::step, ::step].numpy(), [BLACK_PERCENTILE, WHITE_PERCENTILE])
        return cls(float(black), float(white))

    @property
    def fading(self) -> float:
        """How sure it is that the picture has faded: 0 for full levels, 1 for a veil of gray."""
        used = (self.white - self.black) / max(self.white, 1e-6)
        return min(1.0, max(0.0, (UNFADED - used) / (UNFADED - FADED)))

    @property
    def contrast(self) -> float:
        """The factor of contrast, and so of chroma, that fading has left: 1 for full levels, 0 for one even gray."""
        return 1 - self.fading * (1 - min(1.0, (self.white - self.black) / USUAL_RANGE))

    @property
    def gain(self) -> float:
        """The factor by which :meth:`restore` raises the contrast; 1 for full levels."""
        span = self.white - self.black
        full = min(100 / max(span, 1e-6), MAX_GAIN)
        return 1 + self.fading * min(1.0, span / GRAIN) * (full - 1)

    def restore(self, lightness: Tensor) -> Tensor:
        """Stretch lightness of these levels to full contrast; with full levels it is returned itself."""
        if self.gain == 1:
            return lightness
        span = self.white - self.black
        black = self.black * (100 - self.gain * span) / (100 - span)
        return (black + self.gain * (lightness - self.black)).clamp(0, 100)

    def restore_chroma(self, ab: Tensor) -> Tensor:
        """Return the chroma that faded chroma `ab` had; what has nearly vanished is not brought back."""
        return ab / max(self.contrast, 1 / MAX_GAIN)


FULL_LEVELS = Levels()


class Border(NamedTuple):
    """The border of a print or film on each side, as shares of the picture's height and width; 0 without one.

    >>> Border(top=0.1, left=0.05).inside((100, 100))
    (slice(10, 100, None), slice(5, 100, None))
    """

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0

    @classmethod
    def of(cls, lightness: Tensor) -> "Border":
        """Find borders in lightness `(1, height, width)`, also several within each other.

        A border has a constant level and a straight inner edge: on two opposite sides at least if it is white, cream or
        black, on all four if it is gray. The sky and the paper behind a studio's sitter do not.
        """
        scale = min(1.0, SEARCHED_SIDE / max(lightness.shape))
        size = [max(1, round(scale * side)) for side in lightness.shape[-2:]]
        small = functional.interpolate(lightness[None], size, mode="area")[0, 0].numpy()
        top, left, (bottom, right) = 0, 0, small.shape
        for _ in range(NESTED):
            widths = _border_widths(small[top:bottom, left:right])
            top, bottom, left, right = top + widths[0], bottom - widths[1], left + widths[2], right - widths[3]
        height, width = small.shape
        return cls(top / height, 1 - bottom / height, left / width, 1 - right / width)

    def inside(self, size: tuple[int, int], margin: int = 0) -> tuple[slice, slice]:
        """Return the rows and columns inside the border in a copy of this height and width.

        Args:
            size: height and width.
            margin: pixels beside the border that are left out, too, since they blend with it in a small copy.
        """
        return _between(self.top, self.bottom, size[0], margin), _between(self.left, self.right, size[1], margin)

    def clear(self, picture: Tensor) -> Tensor:
        """Return a picture `(..., height, width)` with zeros on the border; without one it is returned itself."""
        if not any(self):
            return picture
        rows, columns = self.inside((picture.shape[-2], picture.shape[-1]))
        cleared = torch.zeros_like(picture)
        cleared[..., rows, columns] = picture[..., rows, columns]
        return cleared


NO_BORDER = Border()


def halftone_period(lightness: Tensor) -> float:
    """Return the distance of the dots of a halftone in pixels, or 0 for a picture without.

    A halftone is a square grid, so its spectrum has equal peaks in two directions across each other. Fences, fabrics
    and brickwork have one, or lower ones.

    Args:
        lightness: ``(1, height, width)``.
    """
    side = min(HALFTONE_SIDE, *lightness.shape[-2:])
    if side < 32:
        return 0.0
    top, left = ((whole - side) // 2 for whole in lightness.shape[-2:])
    square = lightness[0, top : top + side, left : left + side]
    window = torch.hann_window(side, periodic=False)
    spectrum = torch.fft.fftshift(torch.fft.fft2((square - square.mean()) * window * window[:, None])).abs() + 1e-3
    spectrum = spectrum[(side + 1) % 2 :, (side + 1) % 2 :]  # so that a quarter turn maps frequencies to frequencies
    frequencies = (torch.arange(len(spectrum)) - len(spectrum) // 2) / side
    radius = torch.hypot(frequencies[:, None], frequencies)
    ring = (64 * radius).long().flatten()
    level = torch.bincount(ring, spectrum.log().flatten()) / torch.bincount(ring).clamp(min=1)
    lowest, highest = HALFTONE_FREQUENCIES
    spectrum[(radius < lowest) | (radius > highest)] = 0
    excess = spectrum / (level.exp()[ring].view_as(spectrum) + HALFTONE_EVENNESS * spectrum.max())
    both = torch.minimum(excess, excess.rot90())
    peak = int(both.argmax())
    return float(1 / radius.flatten()[peak]) if both.flatten()[peak] > HALFTONE_PEAK else 0.0


def _between(before: float, after: float, side: int, margin: int) -> slice:
    start = round(before * side) + margin * (before > 0)
    stop = side - round(after * side) - margin * (after > 0)
    return slice(start, stop) if start < stop else slice(0, side)


def _border_widths(picture: np.ndarray) -> tuple[int, int, int, int]:
    """Return the widths in pixels of the outermost border, at the top, bottom, left and right."""
    found = [_border_of_side(side) for side in (picture, picture[::-1], picture.T, picture.T[::-1])]
    pairs = [pair for pair in ((0, 1), (2, 3)) if abs(found[pair[0]].level - found[pair[1]].level) <= SAME_BORDER]
    if not pairs:
        return 0, 0, 0, 0
    level = np.mean([found[side].level for pair in pairs for side in pair])
    alike = [one if abs(one.level - level) <= SAME_BORDER else NO_SIDE for one in found]
    sides = sum(one.width > 0 for one in alike)
    if sides == 2 and min(one.step for one in alike if one.width) < STEP_OF_A_PAIR:
        return 0, 0, 0, 0
    if sides < 4 and BLACK_BORDER < level < WHITE_BORDER:
        return 0, 0, 0, 0
    top, bottom, left, right = (one.width for one in alike)
    return top, bottom, left, right


class _Side(NamedTuple):
    """A border on one side: its width in pixels, its level of L, and the step in its share of pixels where it ends."""

    width: int
    level: float
    step: float


NO_SIDE = _Side(0, float("nan"), 0.0)


def _border_of_side(rows: np.ndarray) -> _Side:
    """Search the border at the first row."""
    most, corner = int(MAX_BORDER * len(rows)), int(0.15 * rows.shape[1])
    rows = rows[: most + 3, corner : rows.shape[1] - corner]  # without the corners, which other borders fill
    if most < 4 or rows.shape[1] < 8:
        return NO_SIDE
    level = float(np.median(rows[1:3]))  # scans often smear the first row
    kinds = [(np.abs(rows - level) <= TOLERANCE, STEP)]
    if level <= BLACK_BORDER:  # a film is even darker where it has holes
        kinds.append((rows <= BLACK_BORDER, STEP_OF_DARKNESS))
    for alike, least in kinds:
        share = alike.mean(1)
        ends = np.flatnonzero(share[1:] < BORDER_SHARE) + 1
        if len(ends) and 2 <= ends[0] < most:
            width = int(ends[0])
            step = float(share[1:width].mean() - share[width + 1 : width + 3].mean())
            if step >= least:
                return _Side(width, level, step)
    return NO_SIDE
