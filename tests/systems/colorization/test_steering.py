"""Steering by a reference, redrawing a part, and interpolating between colourings."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.reference import ColourReference, colours_by_likeness
from cinn_app.systems.colorization.segments import Segments
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


def in_colour() -> Photograph:
    """A photograph of two things, each with a lightness and a colour of its own."""
    lightness, ab = torch.full((1, 96, 96), 30.0), torch.empty(2, 96, 96)
    lightness[:, 48:] = 70
    ab[0, :48], ab[1, :48], ab[0, 48:], ab[1, 48:] = 25, 15, -15, -25
    return Photograph(lightness, ab)


def test_a_photographs_own_colours_as_reference_bring_colourings_nearer_to_the_truth(colorizer: Colorizer) -> None:
    photograph = in_colour()
    truth = colorizer.encode(photograph).ab
    reference = Steering(reference=ColourReference.of(photograph))
    free = colorizer.colorize(photograph, 4, seed=3)
    steered = colorizer.colorize(photograph, 4, seed=3, steering=reference)
    for before, after in zip(free, steered, strict=True):
        assert (after.ab - truth).norm() < 0.6 * (before.ab - truth).norm()


@pytest.mark.parametrize("colour", [(230, 180, 160), (150, 180, 230)])
def test_a_reference_moves_the_colours_towards_its_own(colorizer: Colorizer, colour: tuple[int, int, int]) -> None:
    reference = ColourReference.of(tinted(*colour))
    wanted = reference.ab.mean((1, 2))
    free = colorizer.colorize(gray(), 2, seed=3)
    steered = colorizer.colorize(gray(), 2, seed=3, steering=Steering(reference=reference))
    for before, after in zip(free, steered, strict=True):
        assert (after.ab.mean((1, 2)) - wanted).norm() < 0.8 * (before.ab.mean((1, 2)) - wanted).norm()
    assert (steered[0].ab - steered[1].ab).abs().mean() > 0.1  # seeds still differ


def test_a_reference_may_be_a_colouring_and_is_named_by_its_colours(colorizer: Colorizer) -> None:
    first, second = colorizer.colorize(gray(), 2)
    one, same, other = (ColourReference.of(colouring) for colouring in (first, first, second))
    assert one.digest == same.digest != other.digest
    assert max(one.photograph.size) <= 512
    (steered,) = colorizer.colorize(gray(), steering=Steering(reference=one))
    assert steered.settings["reference"] == one.digest
    assert len(one.swatches(5)) == 5 and all(len(colour) == 7 for colour in one.swatches(5))


def test_segments_take_the_colours_of_what_looks_alike() -> None:
    """Features are one-hot: segment 0 looks like the left half of the reference, segment 1 like nothing in it."""
    masks = torch.zeros(1, 2, 8, 8)
    masks[:, 0, :4], masks[:, 1, 4:] = 1, 1
    features, others = torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 4, 4)
    features[:, 0, :2], features[:, 3, 2:] = 1, 1
    others[:, 0, :, :2], others[:, 1, :, 2:] = 1, 1
    ab = torch.zeros(1, 2, 8, 8)
    ab[:, 0, :, :4], ab[:, 1, :, 4:] = 30, -20

    def conditions(level: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(segments=Segments(masks, *torch.zeros(2, 1, 1, 2)), levels=(level,))

    wanted, confidence = colours_by_likeness(conditions(features), conditions(others), ab)  # type: ignore[arg-type]
    torch.testing.assert_close(wanted[0], torch.tensor([30.0, 0.0]), atol=0.1, rtol=0)
    assert confidence[0] > 0.9 and confidence[1] < 0.5


def test_a_gray_reference_is_refused() -> None:
    for picture in (gray(), tinted(255, 255, 255)):
        with pytest.raises(ImageError, match="no colours to take"):
            ColourReference.of(picture)


def test_other_constraints_do_not_draw_again_and_change_no_draw(
    colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, warmer = colorizer.encode_photograph(gray()), Steering({"warmer": 1})
    free = colorizer.colorize(encoded, 3, seed=5)
    monkeypatch.setattr(colorizer.model, "decode", None)
    steered = colorizer.colorize(encoded, [2, 0], seed=5, steering=warmer)
    again = colorizer.colorize(encoded, 3, seed=5)
    monkeypatch.undo()
    afresh = colorizer.colorize(gray(), [2, 0], seed=5, steering=warmer)
    for pairs in (zip(again, free, strict=True), zip(steered, afresh, strict=True)):
        assert all((one.ab - other.ab).abs().max() < 1e-3 for one, other in pairs)
    assert (colorizer.colorize(encoded, 1, seed=6)[0].ab - free[0].ab).abs().max() > 0.1


def test_redrawing_keeps_the_region_and_changes_the_rest(colorizer: Colorizer) -> None:
    colouring, other = colorizer.colorize(gray(), 2, temperature=0.5)
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
    with pytest.raises(CinnError, match="whole number from 2"):
        colorizer.interpolate(one, one, 1)
    with pytest.raises(CinnError, match="another model or size"):
        colorizer.redraw(one.on(other.photograph), np.zeros((80, 160), bool))
