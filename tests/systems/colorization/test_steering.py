"""Steering by a reference, redrawing a part, and interpolating between colourings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, Colouring
from cinn_app.errors import CinnError, ImageError
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.reference import ColourReference
from cinn_app.systems.colorization.steering import Steering


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


def gray(height: int = 80, width: int = 120) -> np.ndarray:
    small = np.random.default_rng(0).integers(40, 216, (5, 7), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def tinted(red: int, green: int, blue: int) -> np.ndarray:
    """Return a picture in shades of one colour."""
    return (gray()[..., None] * (np.array([red, green, blue]) / 255)).astype(np.uint8)


def distance(colouring: Colouring, palette: ColourReference) -> float:
    small = torch.nn.functional.adaptive_avg_pool2d(colouring.photograph.lightness, colouring.ab.shape[1:])
    return float(palette.distance(colouring.ab[None], small))


def test_the_distance_of_a_palette_from_its_own_picture_is_small(colorizer: Colorizer) -> None:
    colouring, other = colorizer.colorize(gray(), 2, temperature=1.0)
    palette = ColourReference.of(colouring)
    assert distance(colouring, palette) < 0.5
    assert distance(other, palette) > 2


def test_the_distance_between_tints_is_that_of_their_colours() -> None:
    """Only ab differs, by the same vector everywhere, so any transport costs its square."""
    lightness, ab = torch.rand(1, 8, 8) * 100, torch.randn(2, 8, 8)
    shift = torch.tensor([6.0, 8.0])[:, None, None]
    palette = ColourReference.of(Colouring(_photograph(lightness), ab, lambda: ((), 0.0)))
    many = torch.stack([palette.distance((ab + turn * shift)[None], lightness) for turn in (0.0, 1.0)])
    assert many[0] < 1e-6
    assert many[1].item() == pytest.approx(100, rel=1e-3)


def _photograph(lightness: torch.Tensor):
    from cinn_app.imaging import Photograph

    return Photograph(lightness)


@pytest.mark.parametrize("colour", [(230, 180, 160), (150, 180, 230)])
def test_a_reference_moves_the_colours_towards_its_own(colorizer: Colorizer, colour: tuple[int, int, int]) -> None:
    palette = ColourReference.of(tinted(*colour))
    free = colorizer.colorize(gray(), 2, seed=3)
    steered = colorizer.colorize(gray(), 2, seed=3, steering=Steering(reference=palette))
    for before, after in zip(free, steered, strict=True):
        assert distance(after, palette) < 0.8 * distance(before, palette)
    assert (steered[0].ab - steered[1].ab).abs().mean() > 0.1  # seeds still differ


def test_a_gray_reference_is_refused() -> None:
    for picture in (gray(), tinted(255, 255, 255)):
        with pytest.raises(ImageError, match="no colours to take"):
            ColourReference.of(picture)


def test_redrawing_keeps_the_region_and_changes_the_rest(colorizer: Colorizer) -> None:
    colouring, other = colorizer.colorize(gray(), 2, temperature=1.0)
    keep = np.zeros((80, 120), bool)
    keep[:, :60] = True
    first, second = (colorizer.redraw(colouring, keep, seed) for seed in (1, 2))
    assert np.abs(first.render().astype(int) - colouring.render())[:, :60].max() <= 2
    rest = (slice(None), slice(None), slice(colouring.ab.shape[2] // 2 + 2, None))
    usual = (other.ab - colouring.ab)[rest].abs().mean()
    assert (first.ab - colouring.ab)[rest].abs().mean() > 0.4 * usual
    assert (first.ab - second.ab)[rest].abs().mean() > 0.4 * usual
    assert np.isfinite(first.log_prob)


def test_hints_hold_when_the_rest_is_redrawn(colorizer: Colorizer) -> None:
    (colouring,) = colorizer.colorize(gray(), steering=Steering(hints=Hints.parse(["100,40=#20a040"])))
    keep = np.zeros((80, 120), bool)
    keep[:, :60] = True
    redrawn = colorizer.redraw(colouring, keep, 1)
    pixels = [picture.render()[40, 100].astype(int) for picture in (colouring, redrawn)]
    assert np.abs(pixels[0] - pixels[1]).max() <= 2


def test_a_mask_that_does_not_fit_is_refused(colorizer: Colorizer) -> None:
    (colouring,) = colorizer.colorize(gray())
    for keep in (np.zeros((80, 121), bool), np.ones((80, 120), bool)):
        with pytest.raises(CinnError, match=r"give one of shape \(80, 120\)"):
            colorizer.redraw(colouring, keep)


@pytest.mark.parametrize("keep", [np.ones((80, 120)), "all", None])
def test_a_mask_that_is_not_an_array_of_booleans_is_refused(colorizer: Colorizer, keep: object) -> None:
    (colouring,) = colorizer.colorize(gray())
    with pytest.raises(CinnError, match="array of booleans"):
        colorizer.redraw(colouring, keep)


def test_interpolation_is_even_and_ends_at_both_colourings(colorizer: Colorizer) -> None:
    first, second = colorizer.colorize(gray(), 2, temperature=0.8)
    way = colorizer.interpolate(first, second, 5)
    assert way[0] is first
    assert way[-1] is second
    off = [float((step.ab - first.ab).norm()) for step in way]
    assert off == sorted(off)
    norms = [float(torch.cat([z.flatten() for z in step.latents]).norm()) for step in way]
    assert min(norms) > 0.9 * min(norms[0], norms[-1])


def test_colourings_of_different_photographs_are_not_interpolated(colorizer: Colorizer) -> None:
    (one,), (other,) = colorizer.colorize(gray()), colorizer.colorize(gray(80, 160))
    with pytest.raises(CinnError, match="different photographs"):
        colorizer.interpolate(one, other)
    with pytest.raises(CinnError, match="at least 2"):
        colorizer.interpolate(one, one, 1)
    with pytest.raises(CinnError, match="another model or size"):
        colorizer.redraw(one.on(other.photograph), np.zeros((80, 160), bool))
