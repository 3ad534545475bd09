"""Ranks, coverage and calibration, of distributions whose answer is known."""

import statistics

import numpy as np
import pytest
import torch

from cinn_app.metrics.calibration import calibration_error, coverage, rank_histogram


def drawn(spread: float, shift: float = 0.0, samples: int = 8) -> np.ndarray:
    """Rank a standard normal truth among samples of another spread, in two channels."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(2, 30_000, generator=generator)
    return rank_histogram(shift + spread * torch.randn(samples, 2, 30_000, generator=generator), truth)


def test_ties_are_split_over_all_possible_ranks() -> None:
    samples = torch.tensor([[[1.0, 1.0]], [[3.0, 2.0]], [[3.0, 3.0]]])
    truth = torch.tensor([[3.0, 0.5]])  # the first ties with two, so it may have any of the last three ranks
    np.testing.assert_allclose(rank_histogram(samples, truth), [[1 / 2, 1 / 6, 1 / 6, 1 / 6]], atol=1e-12)


def test_samples_of_the_truths_own_distribution_are_calibrated() -> None:
    for histogram in drawn(spread=1.0):
        np.testing.assert_allclose(histogram, 1 / 9, atol=8e-3)
        assert coverage(histogram, 0.5) == pytest.approx(0.5, abs=0.01)
        assert coverage(histogram, 0.9) == pytest.approx(0.9, abs=0.01)
        assert calibration_error(histogram) < 8e-3


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_coverage_is_the_true_probability_of_the_region(spread: float, level: float) -> None:
    """With many samples the region lies between two quantiles, whose probability is known for a normal distribution."""
    normal = statistics.NormalDist()
    expected = 2 * normal.cdf(spread * normal.inv_cdf(0.5 + level / 2)) - 1
    for histogram in drawn(spread, samples=199):
        assert coverage(histogram, level) == pytest.approx(expected, abs=0.015)


def test_the_error_is_the_area_between_the_distributions() -> None:
    outside = np.zeros(1001)
    outside[[0, -1]] = 0.5
    assert calibration_error(outside) == pytest.approx(0.25, abs=2e-3)
    always_below = np.eye(1001)[0]
    assert calibration_error(always_below) == pytest.approx(0.5, abs=2e-3)
    assert calibration_error(drawn(1.0, shift=5.0)[1]) > 0.4
