"""What all contestants share: scaled data, one way of training, samples."""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cinn_app.training.module import warmup_cosine

__all__ = ["BATCH", "PARAMETERS", "Contestant", "Trained", "count_weights", "fitting_width", "mlp", "train"]

BATCH = 256
#: Weights of the part that samples; discriminators and encoders come on top.
PARAMETERS = 30_000
WARMUP_STEPS = 20
GRADIENT_NORM = 5.0
AVERAGING = 0.99


class Contestant(nn.Module, ABC):
    """Learns to draw points ``x``, scaled to variance 1, given a measured label ``y``.

    Attributes:
        learning_rate, betas: of AdamW, at its peak.
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Return the optimisers, whose rates follow the schedule."""
        return [self.optimizer(self.parameters())]

    def optimizer(self, parameters: Iterable[nn.Parameter], learning_rate: float | None = None) -> torch.optim.AdamW:
        """Return AdamW for some weights."""
        rate = learning_rate or self.learning_rate
        return torch.optim.AdamW(parameters, lr=rate, betas=self.betas, weight_decay=1e-5, fused=True)

    def train_step(self, x: Tensor, y: Tensor, progress: float, optimizers: list[Any]) -> None:
        """Learn from one batch; a contestant with several optimisers has its own way."""
        (optimizer,) = optimizers
        descend(self.loss(x, y, progress), optimizer)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """Return the loss of points ``(batch, 2)`` and their labels ``(batch, M)``."""
        raise NotImplementedError

    @abstractmethod
    def sample(self, y: Tensor) -> Tensor:
        """Draw one point for each label: ``(batch, M)`` to ``(batch, 2)``."""

    @property
    @abstractmethod
    def sampler(self) -> nn.Module:
        """The part that samples, whose weights are counted."""

    def label_scores(self, x: Tensor, codes: Tensor) -> Tensor | None:
        """Score each label ``codes`` ``(labels, M)`` for points ``(batch, 2)``, or return ``None`` if it cannot."""
        return None


class Trained(NamedTuple):
    """A contestant with averaged weights, and how long it learnt."""

    contestant: Contestant
    steps: int
    seconds: float


def train(
    contestant: Contestant,
    x: Tensor,
    y: Tensor,
    seconds: float,
    seed: int = 0,
    watch: Callable[[float, Contestant], None] | None = None,
) -> Trained:
    """Train on all the simulations for a time, by the schedule that every contestant has.

    Args:
        contestant: to train.
        x, y: points ``(count, 2)`` and their labels ``(count, M)``.
        seconds: of the processor, so that other processes do not count.
        seed: of the batches and the noise.
        watch: is shown the progress and the averaged contestant after each step.
    """
    torch.manual_seed(seed)
    optimizers = contestant.train().optimizers()
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    averaged = copy.deepcopy(contestant).eval().requires_grad_(False)
    pairs = list(averaged.parameters()), list(contestant.parameters())
    steps, begun, watching = 0, time.process_time(), 0.0
    while (progress := (time.process_time() - begun - watching) / seconds) < 1:
        for optimizer, rates in zip(optimizers, peaks, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * warmup_cosine(steps, WARMUP_STEPS, progress)
        index = torch.randint(len(x), (BATCH,))
        contestant.train_step(x[index], y[index], progress, optimizers)
        with torch.no_grad():
            torch._foreach_lerp_(*pairs, 1 - min(AVERAGING, (1 + steps) / (10 + steps)))
        steps += 1
        if watch:
            paused = time.process_time()
            watch(progress, averaged)
            watching += time.process_time() - paused
    return Trained(averaged, steps, seconds)


def descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Make one step of the weights of an optimiser."""
    optimizer.zero_grad()
    loss.backward()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    nn.utils.clip_grad_norm_(weights, GRADIENT_NORM)
    optimizer.step()


def mlp(inputs: int, width: int, outputs: int, hidden: int = 3, dropout: float = 0.0) -> nn.Sequential:
    """Return a fully connected network with hidden layers of one width."""
    layers: list[nn.Module] = []
    for number in range(hidden):
        layers += [nn.Linear(width if number else inputs, width), nn.SiLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def count_weights(module: nn.Module) -> int:
    """Count the weights."""
    return sum(weight.numel() for weight in module.parameters())


def fitting_width(build: Callable[[int], nn.Module], target: int = PARAMETERS) -> int:
    """Return the width with which a network has nearest to a number of weights, up to 512."""
    low, high = 1, 512
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if count_weights(build(middle)) < target else (low, middle)
    return min((low - 1, low), key=lambda width: abs(count_weights(build(max(1, width))) - target))
