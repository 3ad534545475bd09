"""Reference posteriors by rejection sampling (approximate Bayesian computation), to judge trained posteriors by.

It needs no training and no network, only very many simulations: of all that were made, those whose measurements are
nearest to the observation are samples of the posterior, up to the tolerance that was left.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor

__all__ = ["Reference", "rejection_sample"]

#: Simulations that are made together.
CHUNK = 20_000


class Simulator(Protocol):
    """What is needed of a problem."""

    def prior(self, count: int, generator: Generator) -> Tensor:
        """Draw parameters, ``(count, D)``."""

    def simulate(self, x: Tensor, generator: Generator) -> Tensor:
        """Measure, ``(count, M)``."""


class Reference(NamedTuple):
    """Accepted simulations, the nearest first.

    Attributes:
        x: parameters, ``(count, D)``.
        y: their measurements, ``(count, M)``.
        distance: of the measurements from the observation, ``(count,)``; the last one is the tolerance.
    """

    x: Tensor
    y: Tensor
    distance: Tensor


def rejection_sample(
    problem: Simulator,
    observation: Tensor,
    count: int = 1000,
    simulations: int = 1_000_000,
    scale: Tensor | None = None,
    seed: int = 0,
) -> Reference:
    r"""Sample the posterior of an observation: the simulations with the smallest

    .. math:: d(y)^2 = \sum_i (y_i - y^{obs}_i)^2 / s_i^2

    Args:
        problem: its prior and simulator.
        observation: ``(M,)``.
        count: number of samples to accept.
        simulations: number to choose from; only the best are kept in memory.
        scale: s, ``(M,)``, such as the noise of the measurements; by default their standard deviation over the prior.
        seed: the same seed gives the same samples.
    """
    generator = torch.Generator().manual_seed(seed)
    best: Reference | None = None
    for start in range(0, simulations, CHUNK):
        x = problem.prior(min(CHUNK, simulations - start), generator)
        y = problem.simulate(x, generator)
        if scale is None:
            scale = y.std(0)
        found = Reference(x, y, ((y - observation) / scale).norm(dim=1))
        if best is not None:
            found = Reference(*(torch.cat(rows) for rows in zip(best, found, strict=True)))
        nearest = found.distance.topk(min(count, len(found.distance)), largest=False).indices
        best = Reference(*(row[nearest] for row in found))
    if best is None:
        raise ValueError("rejection sampling needs at least one simulation")
    return best
