"""Gaussian mixture: the mean of two normal distributions in the plane, one wide and one narrow.

Sisson et al. 2007 (doi 10.1073/pnas.0607208104); Lueckmann et al. 2021 (arXiv 2101.04653), T.7.
"""

import torch
from torch import Generator, Tensor

ranges = [(-10.0, 10.0)] * 2


def prior(count: int, generator: Generator) -> Tensor:
    """Draw ``(count, 2)``, uniform in the square."""
    return 20 * torch.rand(count, 2, generator=generator) - 10


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Draw ``(count, 2)`` with a standard deviation of 1 or of 0.1, each half of the time."""
    narrow = torch.rand(len(x), 1, generator=generator, dtype=torch.float64) > 0.5
    return x + torch.where(narrow, 0.1, 1.0) * torch.randn(len(x), 2, generator=generator)
