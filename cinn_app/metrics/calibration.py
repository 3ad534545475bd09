r"""Do the samples vary as much as the truth does? By where the truth falls among them.

The probability integral transform (PIT) of a value :math:`t` drawn from a distribution :math:`F` is :math:`F(t)`, and
uniform. With :math:`K` samples in place of :math:`F`, the truth's rank among them is: each of the :math:`K + 1` places,
below all samples to above all, is as likely as any other, exactly, whatever the distribution. Crowded ends tell of
samples that vary too little, a crowded middle of samples that vary too much, a slope of a bias.
"""

import numpy as np
import torch
from torch import Tensor

__all__ = ["calibration_error", "coverage", "rank_shares"]

#: Points at which distributions are compared.
POINTS = 1001


def rank_shares(samples: Tensor, truth: Tensor) -> np.ndarray:
    """Count how often the truth takes which place among the samples.

    Where it ties with samples, as 8-bit values do, it counts in equal parts for every place it might take.

    Args:
        samples: ``(samples, channels, ...)``.
        truth: ``(channels, ...)``.

    Returns:
        Shares that add up to 1, ``(channels, samples + 1)``, from below all samples to above all.
    """
    lowest = (samples < truth).sum(0).reshape(len(truth), -1)
    highest = (samples <= truth).sum(0).reshape(len(truth), -1)
    part = 1.0 / (highest - lowest + 1).double()
    # Steps up where a value's places begin and down behind where they end; their running sum counts it in between.
    steps = torch.zeros(len(truth), len(samples) + 2, dtype=torch.float64, device=truth.device)
    steps.scatter_add_(1, lowest, part)
    steps.scatter_add_(1, highest + 1, -part)
    shares: np.ndarray = (steps.cumsum(1)[:, :-1] / lowest.shape[1]).cpu().numpy()
    return shares


def coverage(shares: np.ndarray, level: float) -> float:
    """How often the truth lies in the middle region that should hold it with some probability.

    Where the region ends inside a place, a part of that place counts as inside: for regions of 90% draw 19 samples, or
    39, whose places end where the region does. Of 8, more than half of the outermost places would count.

    Args:
        shares: of the ranks, ``(samples + 1,)``.
        level: the probability, such as 0.9.

    Returns:
        The share of the truths inside; below the level where samples vary too little.

    >>> coverage(np.full(9, 1 / 9), 0.5), coverage(np.array([0.5, 0.0, 0.5]), 0.9)
    (0.5, 0.85)
    """
    lower, upper = _cumulative(shares, np.array([0.5 - level / 2, 0.5 + level / 2]))
    return round(float(upper - lower), 12)


def calibration_error(shares: np.ndarray) -> float:
    r"""How far the PIT's distribution :math:`F` is from the uniform one: :math:`\int_0^1 |F(u) - u| \, du`.

    0 is perfect. It is near 0.25 where the truth is always outside the samples, below or above equally often, and near
    0.5 where it is always on the same side.

    Args:
        shares: of the ranks, ``(samples + 1,)``.
    """
    points = np.linspace(0, 1, POINTS)
    return float(np.abs(_cumulative(shares, points) - points).mean())


def _cumulative(shares: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Give the PIT's cumulative distribution: a rank stands for all probabilities between it and the next, alike."""
    known = np.linspace(0, 1, len(shares) + 1)
    return np.interp(points, known, np.concatenate([[0.0], np.cumsum(shares)]))
