"""Figures on cases that can be reckoned by hand."""

import math

import torch

from cinn_app.metrics.colour import best_of, colourfulness, deviation, picture_rmse


def test_rmse_is_over_pixels_and_channels() -> None:
    truth = torch.zeros(2, 4, 6)
    answer = truth.clone()
    answer[0] = 3.0
    assert math.isclose(picture_rmse(answer, truth), math.sqrt(4.5), rel_tol=1e-6)


def test_best_of_takes_one_whole_picture() -> None:
    truth = torch.zeros(2, 2, 2)
    left, right = truth.clone(), truth.clone()
    left[..., 0], right[..., 1] = 4.0, 4.0  # each right in one half: an element-wise oracle would find no error
    assert math.isclose(best_of(torch.stack([left, right]), truth), math.sqrt(8), rel_tol=1e-6)


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
