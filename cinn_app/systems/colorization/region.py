"""Regions of a photograph: painted with strokes of a brush, and kept while the rest is redrawn.

>>> stroke_pixels([(1, 0), (3, 0)], 0, height=2, width=5).tolist()
[[0, 0, 0], [1, 2, 3]]
"""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from cinn_app.arguments import as_number
from cinn_app.errors import CinnError
from cinn_app.limits import DIGEST_DIGITS

__all__ = ["Region", "Stroke", "are_coordinates", "painted_region", "stroke_pixels"]


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """A region of a colouring that other colourings of the same photograph keep.

    Attributes:
        ab: chroma of the colouring in Lab units at the network's size, ``(2, height, width)``.
        mask: true where it is kept, ``(height, width)`` of the photograph.

    Raises:
        CinnError: if the mask is not an array of booleans, or the chroma no such tensor.
    """

    ab: Tensor
    mask: np.ndarray

    def __post_init__(self) -> None:
        if not isinstance(self.mask, np.ndarray) or self.mask.dtype != np.bool_:
            raise CinnError("The mask of what to keep has to be an array of booleans: compare it, as in mask > 0.5.")
        if not isinstance(self.ab, Tensor) or self.ab.ndim != 3 or len(self.ab) != 2:
            raise CinnError("The colours of what to keep have to be those of a colouring: give its ab.")

    def check(self, size: tuple[int, int], content_size: tuple[int, ...]) -> None:
        """Check that it fits a photograph.

        Args:
            size: height and width of the photograph.
            content_size: height and width of its chroma at the network's size.

        Raises:
            CinnError: if the mask or the colouring has another size, or nothing is left to draw.
        """
        if self.mask.shape != size or self.mask.all():
            raise CinnError(
                "The mask of what to keep has shape {shape}, {share:.0%} of it true: give one of shape {size} that "
                "leaves something out.",
                shape=self.mask.shape,
                share=self.mask.mean(),
                size=size,
            )
        if tuple(self.ab.shape[1:]) != tuple(content_size):
            raise CinnError("What is to be kept is of another photograph or model: keep a part of one of this.")

    @property
    def digest(self) -> str:
        """A short digest of colours and mask, for provenance records, which have no room for all of them."""
        content = self.ab.cpu().numpy().round(1).tobytes() + np.packbits(self.mask).tobytes()
        return hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS]


@dataclasses.dataclass(frozen=True)
class Stroke:
    """A stroke of a brush over a picture.

    Attributes:
        points: ``x, y`` in pixels of the upright picture, from 0 at the top left; a single one is a dab.
        radius: of the brush in pixels; 0 is a line of one pixel.

    Raises:
        CinnError: if the place is invalid.
    """

    points: tuple[tuple[float, float], ...]
    radius: float = 0.0

    def __post_init__(self) -> None:
        if not self.points or not are_coordinates(self.points, self.radius):
            raise CinnError("A stroke has no place: give points from 0,0 with a radius from 0.")


def are_coordinates(points: Sequence[Sequence[float]], radius: float) -> bool:
    """Return whether points are pairs of numbers, and all numbers are finite and not negative."""
    try:
        numbers = [radius, *(number for x, y in points for number in (x, y))]
    except (TypeError, ValueError):
        return False
    return all(0 <= as_number(number) < math.inf for number in numbers)


def stroke_pixels(points: Sequence[Sequence[float]], radius: float, height: int, width: int) -> Tensor:
    """Find the pixels within a radius of the line through some points.

    Args:
        points: ``x, y`` of each, at least one.
        radius: in pixels; below 0.5 the line is one pixel thin.
        height, width: of the picture; pixels outside are left out.

    Returns:
        Rows and columns, row by row, ``(2, count)``.
    """
    corners, reach = torch.tensor(points, dtype=torch.float32).floor(), max(radius, 0.5)
    segments: Iterable[tuple[Tensor, Tensor]] = itertools.pairwise(corners)
    if len(corners) == 1:
        segments = [(corners[0], corners[0])]
    covered = []
    for start, end in segments:  # only the pixels around each one: long strokes cross large pictures
        low = (torch.minimum(start, end) - reach).floor().clamp(min=0).long().tolist()
        high = (torch.maximum(start, end) + reach).ceil().long().tolist()
        rows = torch.arange(low[1], min(high[1], height - 1) + 1)
        columns = torch.arange(low[0], min(high[0], width - 1) + 1)
        grid = torch.cartesian_prod(rows, columns)
        pixels = grid.flip(1).float()
        near = (pixels - _nearest_on_segment(pixels, start, end)).norm(dim=-1) <= reach
        covered.append(grid[near] @ torch.tensor([width, 1]))
    flat = torch.cat(covered).unique()
    return torch.stack([flat // width, flat % width])


def painted_region(strokes: Sequence[Stroke], full_size: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Return the mask of what strokes over a photograph cover in a copy of it.

    Args:
        strokes: in pixels of the photograph.
        full_size: height and width of the photograph.
        size: height and width of the copy.

    Returns:
        Booleans ``size``, true where covered.
    """
    region = np.zeros(size, bool)
    down, across = size[0] / full_size[0], size[1] / full_size[1]
    for stroke in strokes:
        points = [((x + 0.5) * across, (y + 0.5) * down) for x, y in stroke.points]
        rows, columns = stroke_pixels(points, stroke.radius * max(down, across), *size).numpy()
        region[rows, columns] = True
    return region


def _nearest_on_segment(points: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return for points ``(count, 2)`` the nearest ones between two others."""
    along = end - start
    share = ((points - start) @ along / along.square().sum().clamp(min=1e-9)).clamp(0, 1)
    return start + share[:, None] * along
