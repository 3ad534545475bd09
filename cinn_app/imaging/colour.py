"""Between sRGB and CIE Lab, with a lightness that stays where it is.

Every tensor has its channels in dimension -3, so `(3, height, width)` and `(batch, 3, height, width)` both
fit. RGB is gamma-encoded sRGB in 0..1. Lab is CIE 1976 with the D65 white point and the 2 degree observer: L
in 0..100, and for colours inside sRGB a in -86..98 and b in -108..94. Chroma is the length of (a, b), hue its
angle.
"""

import torch
from torch import Tensor

from cinn_app.imaging.bands import row_bands

__all__ = ["lab_to_rgb", "lightness_and_ab_to_rgb8", "rgb_to_lab", "shrink_into_gamut"]

# How far outside 0..1 a channel may lie and still count as inside: a quarter of a step of 8 bits.
GAMUT_TOLERANCE = 1e-3
# Each halves the interval of the scale: a chroma of 180, which none exceeds, is found to within 0.05.
BISECTIONS = 12


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB `(..., 3, height, width)` in 0..1 to Lab of the same shape."""
    from kornia.color import rgb_to_lab  # takes long to load, and many who load this module convert nothing

    return rgb_to_lab(rgb)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert Lab `(..., 3, height, width)` to sRGB of the same shape; beyond 0..1 where sRGB ends."""
    from kornia.color import lab_to_rgb

    return lab_to_rgb(lab, clip=False)


def shrink_into_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Shrink chroma, at the same lightness and hue, just until each colour is inside sRGB.

    Clipping RGB instead would move lightness and hue. Of `ab' = s ab` the largest s in 0..1 inside the gamut
    is found by bisection, for the pixels outside only: all others come back bit for bit.

    Args:
        lightness: `(..., 1, height, width)`, 0..100.
        ab: `(..., 2, height, width)`; leading dimensions broadcast, so many colourings may share one
            lightness.

    Returns:
        ab of the broadcast shape.
    """
    lightness, ab = _broadcast(lightness, ab)
    outside = _is_outside(_to_rgb(lightness, ab))
    if not outside.any():
        return ab
    shrunk = ab.movedim(-3, -1).clone()
    shrunk[outside] = _pixels(_shrink(_row(lightness, outside), _row(ab, outside)))
    return shrunk.movedim(-1, -3)


def lightness_and_ab_to_rgb8(lightness: Tensor, ab: Tensor) -> Tensor:
    """Make 8-bit sRGB whose Lab lightness is the one given, to within the rounding of 8 bits.

    Chroma that leaves the gamut shrinks first (`shrink_into_gamut`). The work goes by bands of rows, so that
    the intermediates of a large picture do not count.

    Args:
        lightness: `(..., 1, height, width)`, 0..100.
        ab: `(..., 2, height, width)`; leading dimensions broadcast.

    Returns:
        uint8 `(..., height, width, 3)`: channels last, as picture files and PIL have them.
    """
    lightness, ab = _broadcast(lightness, ab)
    height, width = ab.shape[-2:]
    rgb8 = torch.empty((*ab.shape[:-3], height, width, 3), dtype=torch.uint8, device=ab.device)
    for rows in row_bands(height, width * max(1, ab.shape[:-3].numel())):
        band_lightness, band_ab = lightness[..., rows, :], ab[..., rows, :]
        rgb = _to_rgb(band_lightness, band_ab)
        outside = _is_outside(rgb)
        rgb = rgb.movedim(-3, -1)
        if outside.any():
            stray_lightness, stray_ab = _row(band_lightness, outside), _row(band_ab, outside)
            rgb[outside] = _pixels(_to_rgb(stray_lightness, _shrink(stray_lightness, stray_ab)))
        rgb8[..., rows, :, :] = rgb.clamp(0, 1).mul(255).round().to(torch.uint8)
    return rgb8


def _shrink(lightness: Tensor, ab: Tensor) -> Tensor:
    """Shrink the chroma of colours outside sRGB."""
    inner = torch.zeros_like(lightness)  # gray is always inside
    outer = torch.ones_like(lightness)
    for _ in range(BISECTIONS):
        middle = (inner + outer) / 2
        outside = _is_outside(_to_rgb(lightness, middle * ab)).unsqueeze(-3)
        inner = torch.where(outside, inner, middle)
        outer = torch.where(outside, middle, outer)
    return inner * ab


def _to_rgb(lightness: Tensor, ab: Tensor) -> Tensor:
    return lab_to_rgb(torch.cat([lightness, ab], dim=-3))


def _is_outside(rgb: Tensor) -> Tensor:
    """Say for each pixel, `(..., height, width)`, whether the colour is outside sRGB."""
    return (rgb - 0.5).abs().amax(dim=-3) > 0.5 + GAMUT_TOLERANCE


def _row(picture: Tensor, chosen: Tensor) -> Tensor:
    """Take the chosen pixels out of a picture, as one of a single row: `(channels, 1, count)`."""
    return picture.movedim(-3, -1)[chosen].T[:, None]


def _pixels(row: Tensor) -> Tensor:
    """Give the pixels of a picture of one row, `(count, channels)`."""
    return row[:, 0].T


def _broadcast(lightness: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Give both the same leading dimensions, in float32."""
    leading = torch.broadcast_shapes(lightness.shape[:-3], ab.shape[:-3])
    lightness = lightness.float().expand(*leading, *lightness.shape[-3:])
    return lightness, ab.float().expand(*leading, *ab.shape[-3:])
