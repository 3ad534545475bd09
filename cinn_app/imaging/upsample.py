"""Upsampling of chroma along the edges of the lightness.

A network decides few colours, and each pixel needs one. The eye tolerates soft colour, but not colour on the wrong side
of an edge. So the small picture's chroma is enlarged in two steps, both guided by the lightness, which is known at full
resolution:

1. On a grid that doubles its size, colour diffuses between neighbours, freely where lightness is even and hardly where
   it jumps, while the mean over each cell of the small picture is kept. Edges that were smeared become sharp again.
2. Each pixel of the full picture blends the four grid cells around it, with most weight on those of its own lightness.

Neither step adds a multiple of the lightness, as a guided filter does, so texture does not show through as colour.

Measured by `benchmarks/chroma_upsampling.py` on 60 photographs of short side 256, true ab averaged down to 32: root
mean square error 2.53, compared with 3.02 (bicubic), 3.03 (joint bilateral) and 3.52 (guided filter); from a sixteenth
3.46, compared with 4.11, 4.08 and 4.17. A megapixel takes 0.1 s on one core.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging.colour import PIXELS_PER_TILE, row_tiles

__all__ = ["blend_grid", "upsample_chroma"]

Size = tuple[int, int]

# The grid stops growing before it has more cells than this: at 256 x 384 for a picture of 2:3.
GRID_CELLS = 1 << 17
# Diffusion steps on each grid; few suffice, since each grid starts from the result of the previous one.
STEPS = 12
# Differences of L at which the weight between neighbours falls to 1/e: in the diffusion, and in the blend.
DIFFUSION_CONTRAST = 2.0
BLEND_CONTRAST = 8.0
# A weight of each cell's own colour, without which a cell with only unlike neighbours would still take theirs.
INERTIA = 0.1
# Makes the blend bilinear for a pixel that is unlike all four cells around it.
LEAST_WEIGHT = 1e-3


def upsample_chroma(ab: Tensor, lightness: Tensor, pixels_per_tile: int = PIXELS_PER_TILE) -> Tensor:
    """Enlarge a small picture's colours to the size of its lightness.

    Args:
        ab: `(..., 2, small_height, small_width)`, over the same area as the lightness; leading dimensions are many
            colourings.
        lightness: `(1, height, width)`, L in 0..100, of any size.
        pixels_per_tile: of the full picture, computed at a time; it bounds the memory and does not change the result.

    Returns:
        float32 `(..., 2, height, width)`.
    """
    lightness = lightness.float()
    colours = ab.float().flatten(end_dim=-3)  # (channels of all colourings, small_height, small_width)
    grid = _diffuse_on_growing_grids(colours, lightness)
    return blend_grid(grid, lightness, pixels_per_tile).unflatten(0, ab.shape[:-2])


def _diffuse_on_growing_grids(cells: Tensor, lightness: Tensor) -> Tensor:
    """Return the colours on the largest grid allowed; their mean over each cell is `cells`."""
    height, width = cells.shape[-2:]
    full_height, full_width = lightness.shape[-2:]
    cells = _average(cells, (min(height, full_height), min(width, full_width)))  # for a tiny full picture
    colours = cells
    for size in _grid_sizes(_size(cells), _size(lightness)):
        colours = _diffuse(_enlarge(colours, size), cells, _average(lightness, size))
    return colours


def _grid_sizes(small: Size, full: Size) -> Iterator[Size]:
    """Yield sizes, each twice the previous one, at most the full size, up to `GRID_CELLS` cells."""
    size = small
    while size != full:
        size = min(2 * size[0], full[0]), min(2 * size[1], full[1])
        if size[0] * size[1] > GRID_CELLS:
            return
        yield size


def _diffuse(colours: Tensor, cells: Tensor, guide: Tensor) -> Tensor:
    """Diffuse colours `(channels, h, w)` where the guide `(1, h, w)` is even; their means stay `cells`."""
    weight_across = torch.exp(-guide.diff(dim=-1).abs() / DIFFUSION_CONTRAST)
    weight_down = torch.exp(-guide.diff(dim=-2).abs() / DIFFUSION_CONTRAST)
    sides = _to_left(weight_across) + _to_right(weight_across) + _to_upper(weight_down) + _to_lower(weight_down)
    total = sides + INERTIA
    for _ in range(STEPS):
        across = weight_across * colours.diff(dim=-1)
        down = weight_down * colours.diff(dim=-2)
        inflow = _to_left(across) - _to_right(across) + _to_upper(down) - _to_lower(down)
        colours = colours + inflow / total
        colours = colours + _enlarge(cells - _average(colours, _size(cells)), _size(colours))
    return colours


def blend_grid(grid: Tensor, lightness: Tensor, pixels_per_tile: int = PIXELS_PER_TILE) -> Tensor:
    """Blend for each pixel the four grid cells around it, weighted by distance and by difference of lightness.

    Args:
        grid: `(channels, grid_height, grid_width)`, no side longer than the lightness's.
        lightness: `(1, height, width)`, L in 0..100.
        pixels_per_tile: as in `upsample_chroma`.

    Returns:
        `(channels, height, width)`.
    """
    if _size(grid) == _size(lightness):
        return grid
    guide = _average(lightness, _size(grid))
    height, width = _size(lightness)
    upper, lower, down = _bracket(grid.shape[-2], height, grid.device)
    left, right, across = _bracket(grid.shape[-1], width, grid.device)
    colours = grid.new_empty(len(grid), height, width)
    for rows in row_tiles(height, width, pixels_per_tile):
        blend = grid.new_zeros(len(grid), rows.stop - rows.start, width)
        total = grid.new_zeros(1, rows.stop - rows.start, width)
        for row, nearness_down in ((upper[rows], 1 - down[rows]), (lower[rows], down[rows])):
            for column, nearness_across in ((left, 1 - across), (right, across)):
                unlike = (lightness[:, rows] - guide[:, row][:, :, column]).abs()
                likeness = torch.exp(-unlike / BLEND_CONTRAST) + LEAST_WEIGHT
                weight = nearness_down[:, None] * nearness_across * likeness
                blend += weight * grid[:, row][:, :, column]
                total += weight
        colours[:, rows] = blend / total
    return colours


def _bracket(cells: int, pixels: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each pixel along a side the cells before and after it, and the weight of the latter in 0..1."""
    centre = (torch.arange(pixels, device=device) + 0.5) * (cells / pixels) - 0.5
    centre = centre.clamp(0, cells - 1)
    before = centre.floor().long()
    return before, (before + 1).clamp(max=cells - 1), centre - before


def _size(picture: Tensor) -> Size:
    return picture.shape[-2], picture.shape[-1]


def _average(picture: Tensor, size: Size) -> Tensor:
    """Average `(channels, height, width)` over the cells of a smaller grid."""
    return functional.adaptive_avg_pool2d(picture, size)


def _enlarge(picture: Tensor, size: Size) -> Tensor:
    return functional.interpolate(picture[None], size=size, mode="bilinear")[0]


# Values between neighbours, shifted to the neighbour on either side; the rim gets zero from outside.
def _to_left(between: Tensor) -> Tensor:
    return functional.pad(between, (0, 1))


def _to_right(between: Tensor) -> Tensor:
    return functional.pad(between, (1, 0))


def _to_upper(between: Tensor) -> Tensor:
    return functional.pad(between, (0, 0, 0, 1))


def _to_lower(between: Tensor) -> Tensor:
    return functional.pad(between, (0, 0, 1, 0))
