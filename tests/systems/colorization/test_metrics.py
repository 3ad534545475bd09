"""Figures on cases that can be reckoned by hand."""

import math

import pytest
import torch

from cinn_app.systems.colorization.metrics import (
    best_of,
    colourfulness,
    deviation,
    oracle_error,
    pairwise_distance,
    picture_rmse,
    variance,
)


def test_rmse_is_over_pixels_and_channels() -> None:
    truth = torch.zeros(2, 4, 6)
    answer = truth.clone()
    answer[0] = 3.0
    assert math.isclose(picture_rmse(answer, truth), math.sqrt(4.5), rel_tol=1e-6)


def test_best_of_takes_one_whole_picture() -> None:
    truth = torch.zeros(2, 2, 2)
    left, right = truth.clone(), truth.clone()
    left[..., 0], right[..., 1] = 4.0, 4.0  # each right in one half: the oracle finds no error
    assert math.isclose(best_of(torch.stack([left, right]), truth), math.sqrt(8), rel_tol=1e-6)
    assert oracle_error(torch.stack([left, right]), truth) == 0


def test_the_oracle_takes_the_nearest_value_of_each_pixel_and_channel() -> None:
    samples = torch.tensor([[1.0, 5.0], [3.0, -2.0]]).reshape(2, 2, 1, 1)
    assert math.isclose(oracle_error(samples, torch.zeros(2, 1, 1)), (1 + 4) / 2)


def test_diversity_of_samples_reckoned_by_hand() -> None:
    samples = torch.tensor([0.0, 0.0, 6.0]).reshape(3, 1, 1, 1).expand(3, 2, 4, 4)
    assert math.isclose(variance(samples), 8.0)
    assert math.isclose(pairwise_distance(samples), 4.0, rel_tol=1e-6)  # 0, 6 and 6


def test_the_pairs_mean_square_is_twice_the_variance() -> None:
    samples = torch.randn(2, 2, 5, 5)
    assert float(pairwise_distance(samples)) ** 2 == pytest.approx(4 * float(variance(samples)), rel=1e-4)


def test_deviation_of_equal_samples_is_none() -> None:
    sample = torch.randn(2, 5, 5)
    assert deviation(sample.expand(8, -1, -1, -1)) < 1e-5
    assert math.isclose(deviation(torch.stack([sample, sample + 2.0])), math.sqrt(2), rel_tol=1e-5)


def test_colourfulness_follows_its_formula() -> None:
    red_and_blue = torch.tensor([[[255, 0, 0], [0, 0, 255]]], dtype=torch.uint8)
    rg, yb = torch.tensor([255.0, 0.0]), torch.tensor([127.5, -255.0])
    spread = math.hypot(rg.std(correction=0), yb.std(correction=0))
    expected = spread + 0.3 * math.hypot(rg.mean(), yb.mean())
    assert math.isclose(colourfulness(red_and_blue), expected, rel_tol=1e-6)
