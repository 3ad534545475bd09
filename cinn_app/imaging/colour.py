"""sRGB, CIE Lab, and 8-bit pictures that keep a given lightness.

Channels are in dimension -3, so `(3, height, width)` and `(batch, 3, height, width)` both fit. RGB is gamma-encoded
sRGB in 0..1. Lab is CIE 1976 with the D65 white point and the 2 degree observer: L in 0..100, and for colours inside
sRGB a in -86..98 and b in -108..94. Chroma is the length of (a, b), hue its angle.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["lab_to_rgb", "lightness_and_ab_to_rgb8", "rgb_to_lab", "row_tiles", "shrink_into_gamut"]

# Half a megapixel: the intermediates of a conversion to Lab stay near 50 MB, whatever the picture's size.
PIXELS_PER_TILE = 1 << 19
# How far outside 0..1 a channel may be and still count as inside: a quarter of a step of 8 bits.
GAMUT_TOLERANCE = 1e-3
# Each halves the interval of the scale: a chroma of 180, the largest possible, is found to within 0.05.
BISECTIONS = 12


def row_tiles(height: int, width: int, pixels: int = PIXELS_PER_TILE) -> Iterator[slice]:
    """Yield slices that cover the rows of a picture once, from the top, each of about `pixels` pixels.

    >>> list(row_tiles(5, 10, pixels=20))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows = max(1, pixels // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB `(..., 3, height, width)` in 0..1 to Lab of the same shape."""
    from kornia.color import rgb_to_lab  # slow to import, and not every user of this module converts

    return rgb_to_lab(rgb)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert Lab `(..., 3, height, width)` to sRGB of the same shape; outside 0..1 where sRGB ends."""
    from kornia.color import lab_to_rgb

    return lab_to_rgb(lab, clip=False)


def shrink_into_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Reduce chroma at constant lightness and hue until each colour is inside sRGB.

    Clipping RGB would move lightness and hue instead. For each pixel outside the gamut, bisection finds the largest s
    in 0..1 for which `s ab` is inside. All other pixels are returned unchanged.

    Args:
        lightness: `(..., 1, height, width)`, 0..100.
        ab: `(..., 2, height, width)`; leading dimensions broadcast, so many colourings may share one lightness.

    Returns:
        ab of the broadcast shape.
    """
    lightness, ab = _broadcast(lightness, ab)
    outside = ~_inside_srgb(lightness, ab)
    if not outside.any():
        return ab

    # The pixels outside, as a picture of one row: (1, 1, n) and (2, 1, n).
    stray_lightness = lightness.movedim(-3, -1)[outside].T[:, None]
    stray_ab = ab.movedim(-3, -1)[outside].T[:, None]
    inner = torch.zeros_like(stray_lightness)  # gray is always inside
    outer = torch.ones_like(stray_lightness)
    for _ in range(BISECTIONS):
        middle = (inner + outer) / 2
        fits = _inside_srgb(stray_lightness, middle * stray_ab)
        inner = torch.where(fits, middle, inner)
        outer = torch.where(fits, outer, middle)

    shrunk = ab.movedim(-3, -1).clone()
    shrunk[outside] = (inner * stray_ab)[:, 0].T
    return shrunk.movedim(-1, -3)


def lightness_and_ab_to_rgb8(lightness: Tensor, ab: Tensor, progress: Callable[[float], None] | None = None) -> Tensor:
    """Convert to 8-bit sRGB with the given Lab lightness, exact to within the rounding of 8 bits.

    Chroma outside the gamut is reduced first (`shrink_into_gamut`). Large pictures are converted in tiles, which
    bounds the memory of the intermediates.

    Args:
        lightness: `(..., 1, height, width)`, 0..100.
        ab: `(..., 2, height, width)`; leading dimensions broadcast.
        progress: is told the share that is done, up to 1, after each tile.

    Returns:
        uint8 `(..., height, width, 3)`: channels last, as in picture files and PIL.
    """
    lightness, ab = _broadcast(lightness, ab)
    height, width = ab.shape[-2:]
    rgb8 = torch.empty((*ab.shape[:-3], height, width, 3), dtype=torch.uint8, device=ab.device)
    for rows in row_tiles(height, width * max(1, ab.shape[:-3].numel())):
        tile_lightness, tile_ab = lightness[..., rows, :], ab[..., rows, :]
        lab = torch.cat([tile_lightness, shrink_into_gamut(tile_lightness, tile_ab)], dim=-3)
        rgb = lab_to_rgb(lab).clamp(0, 1).mul(255).round()
        rgb8[..., rows, :, :] = rgb.to(torch.uint8).movedim(-3, -1)
        if progress:
            progress(rows.stop / height)
    return rgb8


def _inside_srgb(lightness: Tensor, ab: Tensor) -> Tensor:
    """Return for each pixel, `(..., height, width)`, whether its colour is inside sRGB."""
    rgb = lab_to_rgb(torch.cat([lightness, ab], dim=-3))
    return (rgb - 0.5).abs().amax(dim=-3) <= 0.5 + GAMUT_TOLERANCE


def _broadcast(lightness: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Give both the same leading dimensions, in float32."""
    leading = torch.broadcast_shapes(lightness.shape[:-3], ab.shape[:-3])
    lightness = lightness.float().expand(*leading, *lightness.shape[-3:])
    return lightness, ab.float().expand(*leading, *ab.shape[-3:])
