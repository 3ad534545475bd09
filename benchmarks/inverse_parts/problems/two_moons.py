"""Two moons: a crescent of noise around a point that two parameters give, once for each sign of their sum.

Greenberg et al. 2019 (arXiv 1905.07488), appendix; Lueckmann et al. 2021 (arXiv 2101.04653), T.8.
"""

import math

import torch
from torch import Generator, Tensor

ranges = [(-1.0, 1.0)] * 2


def prior(count: int, generator: Generator) -> Tensor:
    """Draw ``(count, 2)``, uniform in the square."""
    return 2 * torch.rand(count, 2, generator=generator) - 1


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Draw ``(count, 2)``: a point of a half circle, moved by the parameters."""
    angle = math.pi * (torch.rand(len(x), 1, generator=generator) - 0.5)
    radius = 0.1 + 0.01 * torch.randn(len(x), 1, generator=generator)
    crescent = torch.cat([radius * angle.cos() + 0.25, radius * angle.sin()], dim=1)
    total, difference = x[:, :1] + x[:, 1:], x[:, 1:] - x[:, :1]
    return crescent + torch.cat([-total.abs(), difference], dim=1) / math.sqrt(2)
