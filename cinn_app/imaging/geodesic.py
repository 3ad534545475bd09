r"""Geodesic distances over a photograph: how far the colour of a hint spreads over its object, up to the edges.

After Yatziv and Sapiro 2006: the distance of a pixel from the places where a colour is given is the cost of the
cheapest path there, on which even ground costs little and a jump of lightness much:

.. math:: d = \min_\text{paths} \sum_\text{steps} \frac{\text{length}}{\text{short side}} + (\Delta L / 8)^2

The square lets shading and texture pass, and stops at edges. The weight of a colour is :math:`e^{-d^2}`; between
several colours each pixel takes most of the nearest one. A colour takes about 0.1 s in a picture of a megapixel.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging.colour import shrink_into_gamut
from cinn_app.imaging.upsample import blend_grid

__all__ = ["GeodesicGrid", "blend_by_distance", "put_colours"]

# Paths lead over a grid with at most this many cells: 181 x 181 for a square picture.
GRID_CELLS = 1 << 15
# The difference of L between neighbouring cells that costs as much as the picture's short side.
CONTRAST = 8.0
# Beyond this distance the weight is below 1e-6 and counts as zero.
MAX_DISTANCE = 3.7
# Each round reduces a pixel's error to the part that its grid cell does not represent.
ROUNDS = 3


@dataclasses.dataclass(frozen=True, eq=False)
class GeodesicGrid:
    """The lightness of a photograph on a coarse grid, over which geodesic distances are computed.

    Smaller copies of a photograph share its grid, so that a colour spreads equally far in all of them.

    Attributes:
        size: height and width of the photograph.
        lightness: L in 0..100, ``(1, rows, columns)``, at most :data:`GRID_CELLS` cells.
    """

    size: tuple[int, int]
    lightness: Tensor

    @classmethod
    def of(cls, lightness: Tensor) -> "GeodesicGrid":
        """Return the grid of a full-size photograph with lightness ``(1, height, width)``."""
        height, width = lightness.shape[-2:]
        scale = min(1.0, (GRID_CELLS / (height * width)) ** 0.5)
        cells = max(1, round(scale * height)), max(1, round(scale * width))
        return cls((height, width), functional.adaptive_avg_pool2d(lightness, cells))

    def distances(self, places: Sequence[Tensor], size: tuple[int, int] | None = None) -> Tensor:
        """Return the distance of each cell from each of several places.

        Args:
            places: rows and columns of the pixels of each, ``(2, count)``.
            size: height and width of the copy that the pixels belong to; by default those of the photograph itself.

        Returns:
            Distances, infinite beyond :data:`MAX_DISTANCE`, ``(places, rows, columns)``.
        """
        height, width = size or self.size
        rows, columns = self.lightness.shape[-2:]
        costs = _step_costs(self.lightness[0].double().numpy())
        distances = []
        for place in places:
            cells = (place[0] * rows // height) * columns + place[1] * columns // width
            found = dijkstra(costs, directed=False, indices=np.unique(cells.numpy()), min_only=True, limit=MAX_DISTANCE)
            distances.append(torch.from_numpy(found).float().unflatten(0, (rows, columns)))
        return torch.stack(distances)


def blend_by_distance(distances: Tensor, values: Tensor, width: float = 1.0) -> tuple[Tensor, Tensor]:
    """Blend values given at several places over the grid.

    Args:
        distances: from :meth:`GeodesicGrid.distances`.
        values: one row per place, ``(places, channels)``.
        width: the distance at which a weight falls to 1/e.

    Returns:
        Weights in 0..1, ``(1, grid_height, grid_width)``, and values, ``(channels, grid_height, grid_width)``.
    """
    squared = (distances / width).square()
    weights = torch.exp(-squared)
    shares = weights / (squared + 1e-6)
    blended = torch.einsum("phw,pc->chw", shares / shares.sum(0).clamp(min=1e-20), values)
    return weights.amax(0, keepdim=True), blended


def put_colours(ab: Tensor, lightness: Tensor, places: Sequence[Tensor], wanted: Tensor, distances: Tensor) -> Tensor:
    """Give pixels of a finished picture the wanted colours, and spread the change around them.

    Args:
        ab: of the picture, ``(2, height, width)``.
        lightness: ``(1, height, width)``, L in 0..100.
        places: rows and columns of the pixels of each colour, ``(2, count)``; where two overlap the later one wins.
        wanted: a and b of each, ``(places, 2)``; colours outside the gamut there are first shrunk into it.
        distances: from the places, by :meth:`GeodesicGrid.distances`.

    Returns:
        ab of the same shape.
    """
    targets = [_shown(lightness, place, colour[:, None]) for place, colour in zip(places, wanted, strict=True)]
    # A small copy may have fewer pixels than the grid has cells.
    cells = min(distances.shape[-2], lightness.shape[-2]), min(distances.shape[-1], lightness.shape[-1])
    for _ in range(ROUNDS):
        missing = [
            (target - _shown(lightness, place, ab[:, *place])).mean(1)
            for place, target in zip(places, targets, strict=True)
        ]
        weights, change = blend_by_distance(distances, torch.stack(missing))
        ab = ab + blend_grid(functional.adaptive_avg_pool2d(weights * change, cells), lightness)
    for place, target in zip(places, targets, strict=True):
        ab[:, *place] = target
    return ab


def _shown(lightness: Tensor, place: Tensor, ab: Tensor) -> Tensor:
    """Shrink ab ``(2, count)`` or ``(2, 1)`` into the gamut at the pixels of a place."""
    return shrink_into_gamut(lightness[:, *place][..., None], ab.expand(2, place.shape[1])[..., None])[..., 0]


def _step_costs(lightness: np.ndarray) -> csr_array:
    """Return the cost of each step between neighbouring cells, diagonals included."""
    rows, columns = lightness.shape
    numbers = np.arange(rows * columns).reshape(rows, columns)
    sources, targets, costs = [], [], []
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(0, rows - down), slice(max(0, -across), columns - max(0, across))
        there = slice(down, rows), slice(max(0, across), columns + min(0, across))
        length = float(np.hypot(down, across)) / min(rows, columns)
        sources.append(numbers[here].ravel())
        targets.append(numbers[there].ravel())
        costs.append((length + ((lightness[here] - lightness[there]) / CONTRAST) ** 2).ravel())
    pairs = np.concatenate(sources), np.concatenate(targets)
    return csr_array((np.concatenate(costs), pairs), shape=(rows * columns, rows * columns))
