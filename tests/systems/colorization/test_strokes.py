"""Strokes and kept regions: on copies of any size, and together with other constraints."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from cinn_app import Colorizer
from cinn_app.errors import CinnError
from cinn_app.imaging import read_photograph, rgb_to_lab, shrink_photograph
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.region import Region, Stroke, painted_region, stroke_pixels
from cinn_app.systems.colorization.steering import Steering


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture
def picture() -> np.ndarray:
    rows, columns = np.mgrid[:180, :240]
    return (128 + 60 * np.sin(columns / 25) + 50 * np.cos(rows / 40)).astype(np.uint8)


def test_a_stroke_covers_the_pixels_near_its_line() -> None:
    points, radius = [(5.0, 4.0), (30.0, 20.0), (30.0, 2.0)], 3.5
    along = np.concatenate([np.linspace(a, b, 2000) for a, b in itertools.pairwise(points)])
    rows, columns = np.mgrid[:24, :36]
    distance = np.hypot(columns[..., None] - along[:, 0], rows[..., None] - along[:, 1]).min(-1)
    covered = torch.zeros(24, 36, dtype=torch.bool)
    covered[tuple(stroke_pixels(points, radius, 24, 36))] = True
    assert (
        covered.numpy()[np.abs(distance - radius) > 0.01].tolist()
        == (distance < radius)[np.abs(distance - radius) > 0.01].tolist()
    )


def test_strokes_over_a_photograph_cover_the_same_region_of_a_copy() -> None:
    strokes = [Stroke(((100, 50), (300, 50)), 40), Stroke(((399, 199),))]
    large, small = (painted_region(strokes, (200, 400), size) for size in ((200, 400), (50, 100)))
    blocks = large.reshape(50, 4, 100, 4).mean((1, 3))
    assert small[blocks == 1].all() and small[49, 99]
    assert abs(small.mean() - large.mean()) < 0.02
    with pytest.raises(CinnError, match="no place"):
        Stroke(((-1, 2),))


def test_hints_in_pixels_of_the_photograph_steer_a_smaller_copy(colorizer: Colorizer, picture: np.ndarray) -> None:
    photograph = read_photograph(picture)
    small = shrink_photograph(shrink_photograph(photograph, 200), 120)
    (colouring,) = colorizer.colorize(small, steering=Steering(hints=Hints.parse(["220,170=#c02020"])))
    assert colouring.hints is not None and (colouring.hints.width, colouring.hints.height) == (240, 180)
    ab = rgb_to_lab(torch.from_numpy(colouring.on(photograph).render()).movedim(-1, 0) / 255)[1:]
    wanted = colouring.hints.ab[0]
    assert torch.nn.functional.cosine_similarity(ab[:, 170, 220], wanted, dim=0) > 0.99
    with pytest.raises(CinnError, match="outside the picture of 240 x 180"):
        colorizer.colorize(small, steering=Steering(hints=Hints.parse(["240,170=#c02020"])))


def test_samples_of_a_seed_can_be_drawn_one_by_one_from_an_encoded_photograph(
    colorizer: Colorizer, picture: np.ndarray
) -> None:
    together = colorizer.colorize(picture, 3, seed=5)
    encoded = colorizer.encode_photograph(picture)
    last, first = colorizer.colorize(encoded, [2, 0], seed=5)
    torch.testing.assert_close(last.ab, together[2].ab, atol=1e-3, rtol=0)
    torch.testing.assert_close(first.ab, together[0].ab, atol=1e-3, rtol=0)
    assert last.settings == together[2].settings


def test_a_kept_region_stays_in_every_sample_with_other_constraints(colorizer: Colorizer, picture: np.ndarray) -> None:
    (old,) = colorizer.colorize(picture, seed=1)
    region = np.zeros((180, 240), bool)
    region[:, :120] = True
    steering = Steering(hints=Hints.parse(["200,90=#2040a0"]), region=Region(old.ab, region))
    samples = colorizer.colorize(picture, 2, seed=9, steering=steering)
    half = old.ab.shape[-1] // 2
    for sample in samples:
        torch.testing.assert_close(sample.ab[..., :half], old.ab[..., :half], atol=1e-3, rtol=0)
        assert (sample.ab - old.ab)[..., half + 4 :].abs().mean() > 1
        assert sample.settings["kept"] == steering.settings()["kept"]
    with pytest.raises(CinnError, match="leaves something out"):
        colorizer.colorize(picture, steering=Steering(region=Region(old.ab, np.ones((180, 240), bool))))
    with pytest.raises(CinnError, match="of another photograph or model"):
        colorizer.colorize(picture, steering=Steering(region=Region(old.ab[..., :-1], region)))
