"""Chroma upsampling: the right size, no seams, no bleeding, no bias, no texture of its own."""

import pytest
import torch
from torch.nn import functional

from cinn_app.imaging import lightness_and_ab_to_rgb8, upsample_chroma
from cinn_app.imaging.colour import row_tiles


def two_fields(height: int = 128, width: int = 192, border: int = 101) -> tuple[torch.Tensor, torch.Tensor]:
    """A bright red field left of a dark blue one: lightness and true ab. The border is inside a small cell."""
    left = torch.arange(width).expand(1, height, width) < border
    lightness = torch.where(left, 70.0, 30.0)
    return lightness, torch.cat([torch.where(left, 50.0, 10.0), torch.where(left, 40.0, -50.0)])


def small(ab: torch.Tensor, factor: int = 8) -> torch.Tensor:
    return functional.avg_pool2d(ab, factor)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 5), (32, 48), (33, 47), (150, 200), (300, 999)])
def test_gives_the_size_of_the_lightness(size):
    ab = upsample_chroma(20 * noise(2, 32, 48), 50 + 10 * noise(1, *size))
    assert ab.shape == (2, *size)
    assert ab.isfinite().all()


def test_takes_many_colourings_at_once():
    ab, lightness = 20 * noise(3, 2, 8, 12), 50 + 10 * noise(1, 60, 90)
    together = upsample_chroma(ab, lightness)
    assert together.shape == (3, 2, 60, 90)
    torch.testing.assert_close(together, torch.stack([upsample_chroma(one, lightness) for one in ab]))


def test_one_colour_stays_one_colour():
    ab = upsample_chroma(torch.tensor([12.0, -34.0]).view(2, 1, 1).expand(2, 16, 24), 50 + 20 * noise(1, 200, 300))
    torch.testing.assert_close(ab, torch.tensor([12.0, -34.0]).view(2, 1, 1).expand(2, 200, 300), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(500, 700), (700, 500)])  # beyond the largest grid
def test_bands_leave_no_seams(size):
    ab, lightness = 20 * noise(2, 16, 24), 50 + 20 * noise(1, *size)
    whole = upsample_chroma(ab, lightness, pixels_per_tile=10**9)
    bands = upsample_chroma(ab, lightness, pixels_per_tile=3000)
    assert (whole - bands).abs().max() <= 1e-3


def test_colour_stops_at_the_edge_of_lightness():
    lightness, true_ab = two_fields()
    error = (upsample_chroma(small(true_ab), lightness) - true_ab).abs()
    plain = functional.interpolate(small(true_ab)[None], size=lightness.shape[-2:], mode="bicubic")[0]
    assert error.max() < 20  # of a step of 90
    assert error.mean() < 0.4 * (plain - true_ab).abs().mean()


def test_the_edge_is_kept_beyond_the_largest_grid():
    lightness, true_ab = two_fields(height=600, width=900, border=451)
    error = (upsample_chroma(small(true_ab, 20), lightness) - true_ab).abs()
    assert error[..., :449].max() < 10  # of a step of 90, two pixels from the border; a small cell has 20
    assert error[..., 453:].max() < 10


def test_the_mean_of_every_cell_is_kept():
    ab, lightness = 20 * noise(2, 16, 24), 50 + 20 * noise(1, 128, 192)
    upsampled = upsample_chroma(ab, lightness)
    assert (small(upsampled).mean((1, 2)) - ab.mean((1, 2))).abs().max() < 0.05
    assert (small(upsampled) - ab).abs().mean() < 1


def test_texture_of_lightness_does_not_become_texture_of_colour():
    flat = torch.full((1, 256, 256), 50.0)
    stripes = flat + 20 * (torch.arange(256) % 4 < 2)
    ramp = torch.linspace(-30, 30, 32).expand(2, 32, 32)
    difference = upsample_chroma(ramp, stripes) - upsample_chroma(ramp, flat)
    assert difference.abs().max() < 2


def test_tiled_and_whole_pictures_agree_within_one_step():
    ab, lightness = 20 * noise(2, 16, 24), (50 + 20 * noise(1, 700, 900)).clamp(0, 100)
    whole = lightness_and_ab_to_rgb8(lightness, upsample_chroma(ab, lightness, pixels_per_tile=10**9)).int()
    tiled = upsample_chroma(ab, lightness, pixels_per_tile=5000)
    tiles = [lightness_and_ab_to_rgb8(lightness[:, rows], tiled[:, rows]) for rows in row_tiles(700, 900, 7000)]
    assert (torch.cat(tiles).int() - whole).abs().max() <= 1
