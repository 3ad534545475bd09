"""Colour: numbers from scikit-image, a gamut that is kept to, a lightness that stays."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pixels import assert_same_pixels
from skimage.color import rgb2lab

from cinn_app.imaging import lab_to_rgb, lightness_and_ab_to_rgb8, rgb_to_lab, shrink_into_gamut

# sRGB colours and their Lab values, from skimage.color.rgb2lab (D65, 2 degrees).
REFERENCE = {
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (255, 0, 0): (53.2406, 80.0923, 67.2028),
    (0, 255, 0): (87.7351, -86.1830, 83.1797),
    (0, 0, 255): (32.2957, 79.1856, -107.8573),
    (128, 128, 128): (53.5850, 0.0, 0.0),
    (200, 150, 100): (65.7601, 12.7589, 33.5647),
    (3, 2, 1): (0.5869, 0.1224, 0.4706),
}


def plane(values: list[tuple[float, ...]]) -> torch.Tensor:
    """Lay colours in a row: (channels, 1, n)."""
    return torch.tensor(values, dtype=torch.float32).T[:, None]


def grid_of_colours(step: float = 4.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Every lightness with every hue at chromas inside and outside the gamut, as lightness and ab of one row."""
    lightness, hue, chroma = torch.meshgrid(
        torch.arange(0.0, 100 + step, step).clamp(max=100), torch.arange(0, 6.28, 0.2), torch.arange(0, 151, 10.0),
        indexing="ij",
    )  # fmt: skip
    return lightness.reshape(1, 1, -1), torch.stack([chroma * hue.cos(), chroma * hue.sin()]).reshape(2, 1, -1)


def chroma_of(ab: torch.Tensor) -> torch.Tensor:
    return ab.norm(dim=-3)


def test_agrees_with_reference_numbers():
    rgb = plane([tuple(value / 255 for value in colour) for colour in REFERENCE])
    torch.testing.assert_close(rgb_to_lab(rgb), plane(list(REFERENCE.values())), atol=0.02, rtol=0)


def test_agrees_with_scikit_image_everywhere():
    rgb = torch.rand(3, 50, 60, generator=torch.Generator().manual_seed(0))
    expected = rgb2lab(rgb.movedim(0, -1).numpy())
    np.testing.assert_allclose(rgb_to_lab(rgb).movedim(0, -1).numpy(), expected, atol=0.02)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_round_trip_for_any_leading_dimensions(leading):
    rgb = torch.rand(*leading, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb)), rgb, atol=1e-4, rtol=0)


def test_lab_outside_srgb_leaves_the_unit_range():
    assert lab_to_rgb(plane([(50.0, 120.0, 0.0)])).min() < 0


def test_colours_inside_the_gamut_are_returned_unchanged():
    lab = rgb_to_lab(torch.rand(3, 30, 30, generator=torch.Generator().manual_seed(2)))
    assert torch.equal(shrink_into_gamut(lab[:1], lab[1:]), lab[1:])


@settings(max_examples=60, deadline=None)
@given(
    lightness=st.floats(0, 100, width=32),
    a=st.floats(-200, 200, width=32),
    b=st.floats(-200, 200, width=32),
)
def test_shrinking_ends_at_the_border_with_the_same_hue(lightness, a, b):
    lightness, ab = torch.full((1, 1, 1), lightness), torch.tensor([a, b]).view(2, 1, 1)
    shrunk = shrink_into_gamut(lightness, ab)
    rgb = lab_to_rgb(torch.cat([lightness, shrunk]))
    assert rgb.min() >= -2e-3
    assert rgb.max() <= 1 + 2e-3
    assert chroma_of(shrunk) <= chroma_of(ab) + 1e-4
    cross = ab[0] * shrunk[1] - ab[1] * shrunk[0]
    assert cross.abs().max() <= 1e-3 * (1 + chroma_of(ab).max()), "the hue turned"
    if not torch.equal(shrunk, ab):  # a little more chroma, and the colour is outside
        wider = shrunk + 2e-3 * ab
        outside = lab_to_rgb(torch.cat([lightness, wider]))
        assert outside.min() < 0 or outside.max() > 1


def test_lightness_of_8_bit_pictures_stays():
    lightness, ab = grid_of_colours()
    rgb8 = lightness_and_ab_to_rgb8(lightness, ab)
    error = np.abs(rgb2lab(rgb8.numpy())[..., 0] - lightness[0].numpy())
    assert np.percentile(error, 99) <= 0.3  # the requirement is 1.0
    assert error.max() <= 0.6


def test_every_shade_of_gray_survives_the_round_trip():
    gray = torch.arange(256, dtype=torch.uint8).view(1, 1, 256)
    lightness = rgb_to_lab(gray.expand(3, -1, -1) / 255)[:1]
    rgb8 = lightness_and_ab_to_rgb8(lightness, torch.zeros(2, 1, 256))
    assert torch.equal(rgb8, gray[0, ..., None].expand(1, 256, 3))


def test_many_colourings_share_one_lightness():
    generator = torch.Generator().manual_seed(3)
    lightness = 100 * torch.rand(1, 7, 9, generator=generator)
    ab = 60 * torch.randn(4, 2, 7, 9, generator=generator)
    together = lightness_and_ab_to_rgb8(lightness, ab)
    assert together.shape == (4, 7, 9, 3)
    assert together.dtype == torch.uint8
    alone = torch.stack([lightness_and_ab_to_rgb8(lightness, one) for one in ab])
    assert_same_pixels(together, alone)


def test_tiles_do_not_show(monkeypatch):
    lightness, ab = grid_of_colours(step=10)
    lightness, ab = lightness.reshape(1, 32, -1), ab.reshape(2, 32, -1)
    whole = lightness_and_ab_to_rgb8(lightness, ab)
    monkeypatch.setattr(
        "cinn_app.imaging.colour.row_tiles", lambda height, width: (slice(i, i + 1) for i in range(height))
    )
    assert_same_pixels(lightness_and_ab_to_rgb8(lightness, ab), whole)
