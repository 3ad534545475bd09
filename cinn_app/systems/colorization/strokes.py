"""Strokes of a brush, and the pixels that they cover.

>>> stroke_pixels([(1, 0), (3, 0)], 0, height=2, width=5).tolist()
[[0, 0, 0], [1, 2, 3]]
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cinn_app.errors import CinnError

__all__ = ["Stroke", "painted_region", "stroke_pixels"]


@dataclasses.dataclass(frozen=True)
class Stroke:
    """A stroke over a picture.

    Attributes:
        points: ``x, y`` in pixels of the upright picture, from 0 at the top left; one alone is a dab.
        radius: of the brush, in pixels; 0 is as thin as a pixel.

    Raises:
        CinnError: if it is nowhere.
    """

    points: tuple[tuple[float, float], ...]
    radius: float = 0.0

    def __post_init__(self) -> None:
        numbers = [self.radius, *(number for point in self.points for number in point)]
        if not self.points or not all(0 <= number < math.inf for number in numbers):
            raise CinnError("A stroke has no place: give points from 0,0 with a radius from 0.")


def stroke_pixels(points: Sequence[Sequence[float]], radius: float, height: int, width: int) -> Tensor:
    """Find the pixels within a radius of the line through some points.

    Args:
        points: ``x, y`` of each, at least one.
        radius: in pixels; below 0.5 the line is a pixel thin.
        height, width: of the picture; what lies outside is left out.

    Returns:
        Rows and columns, row by row, ``(2, count)``.
    """
    corners, reach = torch.tensor(points, dtype=torch.float32).floor(), max(radius, 0.5)
    ends = itertools.pairwise(corners) if len(corners) > 1 else [(corners[0], corners[0])]
    covered = []
    for start, end in ends:  # each looks only at the pixels around it: long strokes cross large pictures
        low = (torch.minimum(start, end) - reach).floor().clamp(min=0).long().tolist()
        high = (torch.maximum(start, end) + reach).ceil().long().tolist()
        rows = torch.arange(low[1], min(high[1], height - 1) + 1)
        columns = torch.arange(low[0], min(high[0], width - 1) + 1)
        grid = torch.cartesian_prod(rows, columns)
        places = grid.flip(1).float()
        near = (places - _nearest_on_segment(places, start, end)).norm(dim=-1) <= reach
        covered.append(grid[near] @ torch.tensor([width, 1]))
    flat = torch.cat(covered).unique()
    return torch.stack([flat // width, flat % width])


def painted_region(strokes: Sequence[Stroke], full_size: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Say what strokes over a photograph cover in a copy of it.

    Args:
        strokes: in pixels of the photograph.
        full_size: height and width of the photograph.
        size: those of the copy.

    Returns:
        True where covered, ``size``.
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
