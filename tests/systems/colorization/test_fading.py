"""Old prints in the colorizer: colours as faded as the print, borders without any, and fading removed on request."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, Hints, Steering
from cinn_app.imaging import read_photograph, rgb_to_lab, shrink_photograph
from cinn_app.imaging.prints import FULL_LEVELS, NO_BORDER
from cinn_app.systems.colorization.encoded import network_inputs
from cinn_app.systems.colorization.provenance import Provenance
from cinn_app.systems.colorization.selection import contact_sheet_of, uncertainty

RESTORED = Steering(restore_levels=True)


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


def gray(height: int = 128, width: int = 192) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    return (255 * (picture - picture.min()) / np.ptp(picture)).astype(np.uint8)


def faded(picture: np.ndarray) -> np.ndarray:
    return np.round(0.45 * 255 + 0.35 * picture).astype(np.uint8)


def lab(picture: np.ndarray) -> torch.Tensor:
    return rgb_to_lab(torch.tensor(picture).movedim(-1, 0) / 255)


def chroma(picture: np.ndarray) -> torch.Tensor:
    return lab(picture)[1:].norm(dim=0)


def test_a_photograph_of_full_levels_is_coloured_as_if_levels_and_borders_were_unknown(colorizer: Colorizer) -> None:
    photograph = read_photograph(gray())
    assert (photograph.levels.contrast, photograph.border) == (1.0, NO_BORDER)
    unknown = read_photograph(gray())
    object.__setattr__(unknown, "levels", FULL_LEVELS)
    first, second = (colorizer.colorize(one, steering=RESTORED)[0].render() for one in (photograph, unknown))
    assert (first == second).all()
    assert (first == colorizer.colorize(photograph)[0].render()).all()


def test_a_faded_print_has_the_colours_of_the_fresh_one_as_faded_as_its_lightness(colorizer: Colorizer) -> None:
    fresh, old = (colorizer.colorize(picture)[0] for picture in (gray(), faded(gray())))
    contrast = old.photograph.lightness.std() / fresh.photograph.lightness.std()
    middle = (fresh.photograph.lightness[0] - 55).abs() < 20  # tones that show any of these colours
    ratio = chroma(old.render())[middle].mean() / chroma(fresh.render())[middle].mean()
    assert ratio == pytest.approx(float(contrast), rel=0.25)
    torch.testing.assert_close(lab(old.render())[:1], old.photograph.lightness, atol=1.0, rtol=0)
    both = torch.stack([old.ab, fresh.ab]).flatten(1)
    assert torch.corrcoef(both)[0, 1] > 0.8


def test_fading_is_removed_on_request_in_the_picture_and_in_its_record(colorizer: Colorizer) -> None:
    fresh = colorizer.colorize(gray())[0]
    (old,), (restored,) = (colorizer.colorize(faded(gray()), steering=steering) for steering in (Steering(), RESTORED))
    assert torch.equal(old.ab, restored.ab)
    black, white = np.percentile(lab(restored.render())[0].numpy(), [1, 99])
    assert black < 5 and white > 95
    assert chroma(restored.render()).mean() == pytest.approx(float(chroma(fresh.render()).mean()), rel=0.25)
    assert restored.settings["restore_levels"] is True and "restore_levels" not in old.settings
    made = Provenance.of(restored.record(), colorizer, restored.photograph.size)
    assert made is not None and made.restore_levels
    between = colorizer.interpolate(restored, colorizer.colorize(faded(gray()), [1], steering=RESTORED)[0], 3)[1]
    assert between.contrast == restored.contrast > old.contrast


def test_a_contact_sheet_shows_the_original_as_it_is(colorizer: Colorizer) -> None:
    (old,), (restored,) = (colorizer.colorize(faded(gray()), steering=steering) for steering in (Steering(), RESTORED))
    original, other = (contact_sheet_of([colouring])[20:100, 20:150] for colouring in (old, restored))
    assert (original == other).all()


def test_a_hint_on_a_faded_print_has_exactly_its_colour(colorizer: Colorizer) -> None:
    row, column = np.argwhere(np.abs(gray().astype(int) - 110) < 4)[100]  # a middle tone shows any colour
    hints = Hints.parse([f"{column},{row}=#b06040"])
    for steering in (Steering(hints=hints), Steering(hints=hints, restore_levels=True)):
        picture = colorizer.colorize(faded(gray()), steering=steering)[0].render()
        torch.testing.assert_close(lab(picture)[1:, row, column], hints.ab[0], atol=2.0, rtol=0)


def test_the_true_colours_of_a_faded_picture_come_back(colorizer: Colorizer) -> None:
    old = faded(colorizer.colorize(gray())[0].render())
    difference = lab(colorizer.encode(old).render()) - lab(old)
    assert difference[1:].abs().mean() < 1


@pytest.mark.parametrize("level", [250, 6], ids=["paper", "film"])
def test_a_border_stays_gray_and_does_not_change_the_colours_inside(colorizer: Colorizer, level: int) -> None:
    picture = np.pad(gray(), 20, constant_values=level)
    colouring, other = colorizer.colorize(picture, 2)
    rendered = chroma(colouring.render())
    rows, columns = colouring.photograph.border.inside(colouring.photograph.size)
    assert (rows.start, rows.stop, columns.start, columns.stop) == pytest.approx((20, 148, 20, 212), abs=1)
    inside = rendered[rows, columns].mean()
    rendered[rows, columns] = 0
    assert rendered.max() < 1 and inside > 1
    assert uncertainty([colouring, other])[:18].eq(0).all()
    for one in network_inputs(colouring.photograph, colorizer.recipe.sizes):  # neither the paper nor a seam is seen
        assert one.lightness.diff(dim=-1).abs().max() < 30


def test_copies_of_a_faded_and_mounted_print_have_its_colours(colorizer: Colorizer) -> None:
    photograph = read_photograph(np.pad(faded(gray()), 20, constant_values=240))
    small = shrink_photograph(photograph, 100)
    (colouring,) = colorizer.colorize(photograph)
    (copy,) = colorizer.colorize(colorizer.encode_photograph(small, network_inputs(photograph, colorizer.recipe.sizes)))
    assert copy.contrast == colouring.contrast < 0.6
    assert chroma(copy.render()).mean() == pytest.approx(float(chroma(colouring.render()).mean()), rel=0.15)


@pytest.mark.parametrize("level", [0, 30, 128, 255])
def test_an_even_gray_gets_no_hue_but_that_of_a_hint(colorizer: Colorizer, level: int) -> None:
    for size in ((60, 90), (1, 1)):
        for steering in (Steering(), RESTORED):
            (colouring,) = colorizer.colorize(np.full(size, level, np.uint8), steering=steering)
            assert chroma(colouring.render()).max() < 1
            assert np.abs(colouring.render().astype(int) - level).max() <= 1
    hinted = colorizer.colorize(
        np.full((60, 90), 128, np.uint8), steering=Steering(hints=Hints.parse(["40,30=#b03020"]))
    )
    assert chroma(hinted[0].render())[30, 40] > 50


@pytest.mark.parametrize(("low", "high"), [(120, 136), (0, 256)])
@pytest.mark.parametrize("size", [(64, 96), (300, 400)])
def test_noise_gets_hardly_any_hue(colorizer: Colorizer, low: int, high: int, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(low, high, size).astype(np.uint8)
    assert chroma(colorizer.colorize(noise)[0].render()).mean() < 1
