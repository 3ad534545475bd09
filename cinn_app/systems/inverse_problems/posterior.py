"""The posterior of one or several observations, as a distribution of PyTorch."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from cinn_app.errors import ProblemError
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.problem import Quantity

__all__ = ["Posterior"]

#: Draws behind the mean and the variance.
DRAWS = 10_000
#: Draws among which the search for the mode begins, those of them that climb, and their steps.
CANDIDATES, CLIMBERS, STEPS = 2000, 4, 40


class Posterior(Distribution):
    """``p(x | y)``, the parameters ``x`` that explain an observation ``y``.

    It is a :class:`torch.distributions.Distribution`, with the observations as its batch: none for a single observation
    ``(M,)``, ``(B,)`` for several. Tensors are float32 and on the CPU, whatever device the model is on.

    Args:
        model: the network.
        y: observations, ``(M,)`` or ``(B, M)``.
        parameters: the D quantities.

    Attributes:
        observation: ``y``.
        parameters: names, units and ranges.
        far: which observations are far from everything that was simulated, ``(B,)`` or ``()``; their answers are
            extrapolations.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, model: PosteriorModel, y: Tensor, parameters: Sequence[Quantity]) -> None:
        self.model, self.observation, self.parameters = model, y, tuple(parameters)
        super().__init__(y.shape[:-1], torch.Size([len(parameters)]), validate_args=False)
        self._y = y.reshape(-1, y.shape[-1]).to(model.y_mean)
        with torch.no_grad():
            self.far = model.nearness.is_far(model.scale_y(self._y)).reshape(self.batch_shape).cpu()

    @property
    def support(self) -> constraints.Constraint:
        """Every vector; ranges are part of the density."""
        return constraints.independent(constraints.real, 1)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = (), generator: torch.Generator | None = None) -> Tensor:
        """Draw parameters, ``(*sample_shape, *batch_shape, D)``.

        Args:
            sample_shape: of the draws for each observation.
            generator: of the noise, on the CPU; by default torch's global one.
        """
        shape = torch.Size(sample_shape)
        drawn = self.model.sample(self._y, shape.numel(), generator).cpu()
        return drawn.movedim(0, 1).reshape(*shape, *self.batch_shape, *self.event_shape)

    @torch.no_grad()
    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(x | y)`` in nats.

        Args:
            value: ``x``, ``(*shape, *batch_shape, D)``.

        Returns:
            ``(*shape, *batch_shape)``; minus infinity outside the ranges.

        Raises:
            ProblemError: if the model has no density, or the parameters have another length.
        """
        return self._log_prob(torch.as_tensor(value, dtype=torch.float32).to(self._y)).cpu()

    @property
    def mode(self) -> Tensor:
        """The most probable parameters, ``(*batch_shape, D)``: the best of some draws, improved by gradients.

        Raises:
            ProblemError: if the model has no density.
        """
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            drawn = self.model.sample(self._y, CANDIDATES, generator).movedim(0, 1)
            chosen = self._log_prob(drawn.reshape(CANDIDATES, *self.batch_shape, -1)).reshape(CANDIDATES, -1)
            best = chosen.topk(CLIMBERS, dim=0).indices
            start = self.model.scale_x(drawn.gather(0, best[..., None].expand(-1, -1, drawn.shape[-1])))[0]
        with torch.enable_grad():
            v = start.clone().requires_grad_()
            optimizer = torch.optim.Adam([v], lr=0.05)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
            for _ in range(STEPS):
                optimizer.zero_grad()
                climbed = self._log_prob(self.model.restore_x(v).reshape(CLIMBERS, *self.batch_shape, -1))
                (gradient,) = torch.autograd.grad(-climbed.clamp(min=-1e6).sum(), v)
                v.grad = gradient.nan_to_num(0)
                optimizer.step()
                schedule.step()
        with torch.no_grad():
            x = torch.cat([self.model.restore_x(v), self.model.restore_x(start)])
            reached = self._log_prob(x.reshape(2 * CLIMBERS, *self.batch_shape, -1)).reshape(2 * CLIMBERS, -1)
            top = reached.argmax(0)
            return x[top, torch.arange(x.shape[1])].reshape(*self.batch_shape, *self.event_shape).cpu()

    @property
    def mean(self) -> Tensor:
        """The mean of many draws, ``(*batch_shape, D)``."""
        return self._draws().mean(0)

    @property
    def variance(self) -> Tensor:
        """The variance of many draws, ``(*batch_shape, D)``."""
        return self._draws().var(0)

    def entropy(self) -> Tensor:
        """Return the entropy in nats, ``(*batch_shape,)``, estimated from many draws.

        Raises:
            ProblemError: if the model has no density.
        """
        return -self.log_prob(self._draws()).mean(0)

    def __repr__(self) -> str:
        names = ", ".join(parameter.name for parameter in self.parameters)
        return f"Posterior({names}; observations: {self.batch_shape.numel() if self.batch_shape else 1})"

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> "Posterior":
        """Return the distribution with its batch shape broadcast to another one."""
        shape = torch.broadcast_shapes(self.batch_shape, tuple(batch_shape))
        return Posterior(self.model, self.observation.expand(*shape, -1), self.parameters)

    def _draws(self) -> Tensor:
        return self.sample((DRAWS,), torch.Generator().manual_seed(0))

    def _log_prob(self, x: Tensor) -> Tensor:
        if x.shape[-1:] != self.event_shape:
            raise ProblemError(
                "The parameters have the shape {shape}: give {count} numbers, or an array whose last axis has as many.",
                shape=tuple(x.shape),
                count=len(self.parameters),
            )
        shape = torch.broadcast_shapes(x.shape[:-1], self.batch_shape)
        y = self._y.reshape(*self.batch_shape, -1).expand(*shape, -1)
        rows = x.expand(*shape, -1).reshape(-1, x.shape[-1])
        return self.model.log_prob(rows, y.reshape(-1, y.shape[-1])).reshape(shape)
