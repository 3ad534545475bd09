"""Metrics in cases that can be computed by hand."""

import math

import pytest
import torch

from cinn_app.systems.colorization.metrics import (
    best_rmse,
    beyond_tint,
    colourfulness,
    energy_score,
    mean_deviation,
    mean_variance,
    oracle_mse,
    pairwise_rmse,
    rmse,
)


def test_rmse_is_over_pixels_and_channels() -> None:
    truth = torch.zeros(2, 4, 6)
    answer = truth.clone()
    answer[0] = 3.0
    assert math.isclose(rmse(answer, truth), math.sqrt(4.5), rel_tol=1e-6)


def test_the_best_sample_is_chosen_as_a_whole() -> None:
    truth = torch.zeros(2, 2, 2)
    left, right = truth.clone(), truth.clone()
    left[..., 0], right[..., 1] = 4.0, 4.0  # each is right in one half, so the oracle has no error
    assert math.isclose(best_rmse(torch.stack([left, right]), truth), math.sqrt(8), rel_tol=1e-6)
    assert oracle_mse(torch.stack([left, right]), truth) == 0


def test_the_energy_score_in_cases_computed_by_hand() -> None:
    truth = torch.randn(2, 4, 6)
    constant = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)
    assert energy_score(truth.expand(4, -1, -1, -1), truth) == 0
    assert float(energy_score((truth + 5).expand(4, -1, -1, -1), truth)) == pytest.approx(
        5
    )  # equal samples: their error
    assert float(energy_score(truth + constant, truth)) == pytest.approx((1 + 3) / 2 - 2 / 2)
    around = torch.tensor([-2.0, 2.0, 2.0]).reshape(3, 1, 1, 1)
    assert float(energy_score(truth + around, truth)) == pytest.approx(2 - (4 + 4 + 0) / 3 / 2)


def test_no_spread_has_a_better_energy_score_than_the_truths() -> None:
    generator = torch.Generator().manual_seed(0)
    truths, noise = torch.randn(2000, 2, 1, 2, generator=generator), torch.randn(2000, 2, 2, 1, 2, generator=generator)
    scores = {
        spread: float(torch.stack([energy_score(spread * x, y) for x, y in zip(noise, truths, strict=True)]).mean())
        for spread in (0.0, 0.6, 1.0, 1.6)
    }
    assert min(scores, key=lambda spread: scores[spread]) == 1.0


def test_tints_and_vividness_are_not_beyond_a_tint() -> None:
    centre, tint = torch.randn(2, 8, 8), torch.tensor([4.0, -7.0])[:, None, None]
    for sample in (centre + tint, 1.8 * centre, 0.4 * centre + tint):
        assert beyond_tint(sample[None], centre) < 1e-10
    stripes = torch.tensor([1.0, -1.0]).repeat(8, 4).expand(2, -1, -1)
    rows = torch.tensor([1.0, -1.0])[:, None].repeat(4, 8).expand(2, -1, -1)  # orthogonal to the stripes
    assert float(beyond_tint(1.5 * rows + 3 * stripes + tint, rows)) == pytest.approx(9)
    assert float(beyond_tint(tint + 3 * stripes, torch.zeros(2, 8, 8))) == pytest.approx(9)  # about gray


def test_the_oracle_chooses_for_each_pixel_and_channel() -> None:
    samples = torch.tensor([[1.0, 5.0], [3.0, -2.0]]).reshape(2, 2, 1, 1)
    assert math.isclose(oracle_mse(samples, torch.zeros(2, 1, 1)), (1 + 4) / 2)


def test_diversity_in_a_case_computed_by_hand() -> None:
    samples = torch.tensor([0.0, 0.0, 6.0]).reshape(3, 1, 1, 1).expand(3, 2, 4, 4)
    assert math.isclose(mean_variance(samples), 8.0)
    assert math.isclose(pairwise_rmse(samples), 4.0, rel_tol=1e-6)  # 0, 6 and 6


def test_the_pairs_mean_square_is_twice_the_variance() -> None:
    samples = torch.randn(2, 2, 5, 5)
    assert float(pairwise_rmse(samples)) ** 2 == pytest.approx(4 * float(mean_variance(samples)), rel=1e-4)


def test_equal_samples_have_no_deviation() -> None:
    sample = torch.randn(2, 5, 5)
    assert mean_deviation(sample.expand(8, -1, -1, -1)) < 1e-5
    assert math.isclose(mean_deviation(torch.stack([sample, sample + 2.0])), math.sqrt(2), rel_tol=1e-5)


def test_colourfulness_follows_its_formula() -> None:
    red_and_blue = torch.tensor([[[255, 0, 0], [0, 0, 255]]], dtype=torch.uint8)
    rg, yb = torch.tensor([255.0, 0.0]), torch.tensor([127.5, -255.0])
    spread = math.hypot(rg.std(correction=0), yb.std(correction=0))
    expected = spread + 0.3 * math.hypot(rg.mean(), yb.mean())
    assert math.isclose(colourfulness(red_and_blue), expected, rel_tol=1e-6)
