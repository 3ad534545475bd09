"""Bernoulli GLM: the spikes of a neuron that filters white noise; offset and filter are sought.

Ten sufficient statistics of 100 time bins are measured: the number of spikes, and the spike-triggered sums of the
stimulus. Lueckmann et al. 2021 (arXiv 2101.04653), T.5.
"""

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

BINS, TAPS = 100, 9
#: White noise, the same in every simulation: the benchmark draws it by NumPy's generator with the seed 42.
STIMULUS = torch.from_numpy(np.random.RandomState(42).randn(BINS)).float()
#: A column of ones, then the stimulus delayed by 0 to 8 bins: ``(bins, 1 + taps)``.
DESIGN = torch.stack([torch.ones(BINS), *(functional.pad(STIMULUS, (lag, 0))[:BINS] for lag in range(TAPS))], dim=1)


def _prior_factor() -> Tensor:
    """Return the Cholesky factor of the prior's covariance, which makes filters smooth: ``(1 + taps, 1 + taps)``."""
    differences = torch.eye(TAPS) - torch.diag(torch.ones(TAPS - 1), -1)
    roughness = differences @ differences + torch.diag(torch.arange(TAPS) / TAPS).sqrt()
    return torch.linalg.cholesky(torch.linalg.inv(torch.block_diag(torch.tensor(0.5), roughness.T @ roughness)))


FACTOR = _prior_factor()


def prior(count: int, generator: Generator) -> Tensor:
    """Draw ``(count, 10)``, normal: the offset, then the filter."""
    return torch.randn(count, 1 + TAPS, generator=generator) @ FACTOR.T


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Draw ``(count, 10)``: the sum over the bins of spike or none, times ones and the delayed stimulus."""
    spikes = torch.rand(len(x), BINS, generator=generator) < (x @ DESIGN.T).sigmoid()
    return spikes.float() @ DESIGN
