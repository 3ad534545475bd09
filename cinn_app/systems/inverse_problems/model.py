"""What all networks of an inverse problem share: scaling, and how near a measurement is to the simulated ones."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import torch
from torch import Tensor, nn

from cinn_app.errors import ProblemError
from cinn_app.systems.inverse_problems.nearness import Nearness
from cinn_app.systems.inverse_problems.problem import Quantity

__all__ = ["PosteriorModel"]

#: Distance that a bounded parameter keeps from the ends of its range, as a share of it, so that its logit is finite.
MARGIN = 1e-6
#: Draws that go through a flow together: the hidden values of more leave the caches, and fewer cost calls.
ROWS = 10_000
#: Draws from the prior that are kept.
PRIOR = 1000


class PosteriorModel(nn.Module, ABC):
    r"""A model of the parameters ``x`` that explain a measurement ``y``; all values are in the problem's units.

    Subclasses implement :meth:`loss`, :meth:`decode` and :meth:`log_prob`. They work with scaled values: a parameter
    with a range is mapped to the real line by :math:`\mathrm{logit} \frac{x - a}{b - a}`, then all get mean 0 and
    variance 1 over the simulations. :meth:`fit_scaling` sets the scales, which are part of the weights.

    Args:
        parameters: D.
        measurements: M.

    Attributes:
        nearness: judges whether measurements are near to the simulated ones.
        latents: how many values a latent has.
        watched: which parts of the loss a progress bar shows.
        measured: names of what :meth:`measure` returns.
        has_density: whether :meth:`log_prob` works.
        prior: parameters drawn from the prior, to compare with, ``(1000, D)``.
    """

    latents: int
    watched: ClassVar[Sequence[str]]
    measured: ClassVar[Sequence[str]] = ("nats",)
    has_density: ClassVar[bool] = True
    prior: Tensor
    low: Tensor
    span: Tensor
    bounded: Tensor
    x_mean: Tensor
    x_deviation: Tensor
    y_mean: Tensor
    y_deviation: Tensor

    def __init__(self, parameters: int, measurements: int) -> None:
        super().__init__()
        self.parameters_count, self.measurements_count = parameters, measurements
        self.register_buffer("low", torch.zeros(parameters))
        self.register_buffer("span", torch.ones(parameters))
        self.register_buffer("bounded", torch.zeros(parameters, dtype=torch.bool))
        for letter, count in (("x", parameters), ("y", measurements)):
            self.register_buffer(f"{letter}_mean", torch.zeros(count))
            self.register_buffer(f"{letter}_deviation", torch.ones(count))
        self.register_buffer("prior", torch.zeros(PRIOR, parameters))
        self.nearness = Nearness(measurements)

    @torch.no_grad()
    def fit_scaling(self, x: Tensor, y: Tensor, parameters: Sequence[Quantity]) -> None:
        """Set the scales from simulations.

        Args:
            x: parameters, ``(count, D)``.
            y: measurements, ``(count, M)``.
            parameters: with their ranges.
        """
        for number, quantity in enumerate(parameters):
            if quantity.low is not None and quantity.high is not None:
                self.low[number], self.span[number] = quantity.low, quantity.high - quantity.low
                self.bounded[number] = True
        self.x_deviation, self.x_mean = _std_mean(self._unbound(x)[0])
        self.y_deviation, self.y_mean = _std_mean(y)
        self.prior.copy_(x[torch.arange(PRIOR) % len(x)])
        self.nearness.fit(self.scale_y(y))

    def scale_x(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale parameters ``(..., D)``; return also the log-determinant, ``(...,)``."""
        u, log_slope = self._unbound(x)
        return (u - self.x_mean) / self.x_deviation, (log_slope - self.x_deviation.log()).sum(-1)

    def restore_x(self, v: Tensor) -> Tensor:
        """Undo :meth:`scale_x`; bounded parameters come out inside their ranges."""
        u = v * self.x_deviation + self.x_mean
        return torch.where(self.bounded, self.low + self.span * u.sigmoid(), u)

    def scale_y(self, y: Tensor) -> Tensor:
        """Scale measurements ``(..., M)``."""
        return (y - self.y_mean) / self.y_deviation

    def restore_y(self, w: Tensor) -> Tensor:
        """Undo :meth:`scale_y`."""
        return w * self.y_deviation + self.y_mean

    def in_range(self, x: Tensor) -> Tensor:
        """Say which parameters ``(..., D)`` are inside all ranges: ``(...,)``."""
        p = (x - self.low) / self.span
        return (~self.bounded | ((p >= 0) & (p <= 1))).all(-1)

    @abstractmethod
    def loss(self, x: Tensor, y: Tensor, progress: float) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of simulations, and its parts for the log.

        Args:
            x: parameters, ``(batch, D)``.
            y: their measurements, ``(batch, M)``.
            progress: share of the training that is done, 0 to 1.
        """

    @abstractmethod
    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Map latents ``(batch, L)``, given measurements ``(batch, M)``, to parameters ``(batch, D)``."""

    def draw(self, z: Tensor, y: Tensor) -> Tensor:
        """Return parameters as :meth:`decode` does, or others of the same distribution that take less time."""
        return self.decode(z, y)

    def sample(self, y: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw parameters that explain measurements ``(B, M)``: ``(B, count, D)``.

        Args:
            y: measurements.
            count: draws for each.
            generator: of the noise, on the CPU.
        """
        z = torch.randn(len(y) * count, self.latents, generator=generator).to(y)
        parts = z.split(ROWS), y.repeat_interleave(count, 0).split(ROWS)
        drawn = _in_threads(self.draw, *parts) if y.device.type == "cpu" else map(self.draw, *parts)
        return torch.cat(list(drawn)).unflatten(0, (len(y), count))

    def measure(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Measure simulations that were not learnt from, ``(batch, D)`` and ``(batch, M)``: figures by their names."""
        return {"nats": -self.log_prob(x, y).mean()}

    @abstractmethod
    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``log p(x | y)`` in nats of ``x`` ``(B, D)`` given ``y`` ``(B, M)``: ``(B,)``; minus infinity outside
        the ranges.

        Raises:
            ProblemError: if the model has no density.
        """

    def predict(self, x: Tensor) -> Tensor:
        """Predict the measurements ``(B, M)`` of parameters ``(B, D)``, without the simulator.

        Raises:
            ProblemError: if the model learnt only the way from measurements to parameters.
        """
        raise ProblemError(
            "This model gives parameters for measurements, not the reverse: call the problem's simulate, or train with "
            "--objective mmd."
        )

    def _unbound(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map bounded parameters to the real line; return also the logarithms of the slopes."""
        p = ((x - self.low) / self.span).clamp(MARGIN, 1 - MARGIN)
        log_slope = -p.log() - (-p).log1p() - self.span.log()
        return torch.where(self.bounded, p.logit(), x), torch.where(self.bounded, log_slope, 0.0)


def _in_threads(draw: Callable[[Tensor, Tensor], Tensor], *parts: Sequence[Tensor]) -> Iterable[Tensor]:
    """Draw parts side by side, each on one core.

    So the cores seldom wait for each other, as they do where they share one small operation after the other.
    """
    cores = torch.get_num_threads()
    if len(parts[0]) == 1 or cores == 1 or torch.is_grad_enabled():
        return map(draw, *parts)
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(torch.no_grad()(draw), *parts))  # a thread knows nothing of the caller's no_grad
    finally:
        torch.set_num_threads(cores)  # MKL's number is that of all threads


def _std_mean(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return standard deviations, 1 where nothing varies, and means of columns, computed in float64."""
    deviation, mean = torch.std_mean(values.double(), dim=0)
    return torch.where(deviation > 0, deviation, 1.0).to(values.dtype), mean.to(values.dtype)
