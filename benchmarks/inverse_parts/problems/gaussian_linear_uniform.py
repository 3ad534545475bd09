"""Gaussian linear uniform: ten parameters, each measured with noise, in a box that cuts the posterior.

Lueckmann et al. 2021 (arXiv 2101.04653), T.2.
"""

import math

import torch
from torch import Generator, Tensor

ranges = [(-1.0, 1.0)] * 10


def prior(count: int, generator: Generator) -> Tensor:
    """Draw ``(count, 10)``, uniform in the cube."""
    return 2 * torch.rand(count, 10, generator=generator) - 1


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Draw ``(count, 10)``: the parameters and noise with a variance of 0.1."""
    return x + math.sqrt(0.1) * torch.randn(x.shape, generator=generator)
