"""Simple likelihood, complex posterior (SLCP): four points of a normal distribution with given mean and covariance.

Standard deviations are squares of parameters, so the posterior has four modes. Papamakarios et al. 2019 (arXiv
1805.07226), section 5; Lueckmann et al. 2021 (arXiv 2101.04653), T.3.
"""

import torch
from torch import Generator, Tensor

ranges = [(-3.0, 3.0)] * 5


def prior(count: int, generator: Generator) -> Tensor:
    """Draw ``(count, 5)``, uniform in the cube."""
    return 6 * torch.rand(count, 5, generator=generator) - 3


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Draw ``(count, 8)``: four points in the plane, one after the other."""
    first, second = torch.randn(len(x), 4, 2, generator=generator).unbind(-1)
    deviation1, deviation2, correlation = x[:, 2:3].square(), x[:, 3:4].square(), x[:, 4:].tanh()
    second = correlation * first + (1 - correlation.square()).sqrt() * second
    return torch.stack([x[:, :1] + deviation1 * first, x[:, 1:2] + deviation2 * second], dim=-1).flatten(1)
