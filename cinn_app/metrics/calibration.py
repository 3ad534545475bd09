r"""Calibration: whether samples vary as much as the truth does, by the truth's rank among them.

The probability integral transform (PIT) of a value :math:`t` drawn from a distribution :math:`F` is :math:`F(t)`, which
is uniform. With :math:`K` samples instead of :math:`F` it becomes the rank of the truth among them: each of the
:math:`K + 1` ranks, from below all samples to above all, has the same probability, for any distribution. A histogram
with high ends shows samples that vary too little, one with a high middle samples that vary too much, a slope a bias.
"""

import numpy as np
import torch
from torch import Tensor

__all__ = ["calibration_error", "coverage", "rank_histogram"]

#: Points at which distributions are compared.
POINTS = 1001


def rank_histogram(samples: Tensor, truth: Tensor) -> np.ndarray:
    """Compute how often the truth has each rank among the samples.

    A truth that ties with samples, as 8-bit values do, counts in equal parts for all ranks it may have.

    Args:
        samples: ``(samples, channels, ...)``.
        truth: ``(channels, ...)``.

    Returns:
        Frequencies that add up to 1, ``(channels, samples + 1)``, from below all samples to above all.
    """
    lowest = (samples < truth).sum(0).reshape(len(truth), -1)
    highest = (samples <= truth).sum(0).reshape(len(truth), -1)
    part = 1.0 / (highest - lowest + 1).double()
    # A step up at a value's lowest rank and a step down after its highest one; the running sum fills the ranks between.
    steps = torch.zeros(len(truth), len(samples) + 2, dtype=torch.float64, device=truth.device)
    steps.scatter_add_(1, lowest, part)
    steps.scatter_add_(1, highest + 1, -part)
    frequencies: np.ndarray = (steps.cumsum(1)[:, :-1] / lowest.shape[1]).cpu().numpy()
    return frequencies


def coverage(histogram: np.ndarray, level: float) -> float:
    """Return how often the truth is inside the central region with a given probability.

    If the region ends inside a rank, part of that rank counts as inside. With 19 or 39 samples the region of 90% ends
    between two ranks; with 8 samples more than half of the outermost ranks would count.

    Args:
        histogram: of the ranks, ``(samples + 1,)``.
        level: the probability, such as 0.9.

    Returns:
        The share of truths inside; below the level if samples vary too little.

    >>> coverage(np.full(9, 1 / 9), 0.5), coverage(np.array([0.5, 0.0, 0.5]), 0.9)
    (0.5, 0.85)
    """
    lower, upper = _cumulative(histogram, np.array([0.5 - level / 2, 0.5 + level / 2]))
    return round(float(upper - lower), 12)


def calibration_error(histogram: np.ndarray) -> float:
    r"""Return the distance of the PIT's distribution :math:`F` from uniform: :math:`\int_0^1 |F(u) - u| \, du`.

    0 is perfect. It is near 0.25 if the truth is always outside the samples, below or above equally often, and near 0.5
    if it is always on the same side.

    Args:
        histogram: of the ranks, ``(samples + 1,)``.
    """
    points = np.linspace(0, 1, POINTS)
    return float(np.abs(_cumulative(histogram, points) - points).mean())


def _cumulative(histogram: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the PIT's cumulative distribution; a rank is uniform over the probabilities up to the next rank."""
    known = np.linspace(0, 1, len(histogram) + 1)
    return np.interp(points, known, np.concatenate([[0.0], np.cumsum(histogram)]))
