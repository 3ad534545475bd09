"""The posterior as an ensemble of autoregressive mixtures, trained by maximum likelihood: best with few simulations."""

import random
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.special import ndtr

from cinn_app.flows import MixtureAutoregression
from cinn_app.nn.blocks import dense_subnet
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.problem import Quantity
from cinn_app.systems.inverse_problems.recipe import AutoregressiveArchitecture

__all__ = ["AutoregressiveFlow"]


class AutoregressiveFlow(PosteriorModel):
    r"""An ensemble of autoregressive mixtures: :math:`p(x \mid y) = \tfrac1E \sum_e p_e(x \mid y)`.

    Each member is a :class:`~cinn_app.flows.MixtureAutoregression` with weights and an order of the parameters of its
    own, and learns alone: the loss is the mean of their :math:`-\log p_e(x \mid y)`. Mistakes that members do not share
    cancel in the mixture. Each starts from the linear regression of the parameters on the measurements, and its
    densities are cut at the ends of the ranges, so parameters need no logit. The first value of a latent selects the
    member, which maps the others.

    Args:
        architecture: sizes.
        parameters: D.
        measurements: M.
    """

    watched = ("nats",)

    def __init__(self, architecture: AutoregressiveArchitecture, parameters: int, measurements: int) -> None:
        super().__init__(parameters, measurements)
        self.latents = 1 + parameters
        orders = random.Random(architecture.order_seed)
        subnet = dense_subnet(architecture.width, architecture.dropout, architecture.layers)
        members = [
            MixtureAutoregression(
                parameters,
                subnet,
                measurements,
                architecture.components,
                orders.sample(range(parameters), parameters) if number else None,
            )
            for number in range(architecture.members)
        ]
        self.members = cast("Sequence[MixtureAutoregression]", nn.ModuleList(members))

    def fit_scaling(self, x: Tensor, y: Tensor, parameters: Sequence[Quantity]) -> None:
        """Set the scales and the regressions from simulations, see :meth:`PosteriorModel.fit_scaling`."""
        super().fit_scaling(x, y, parameters)
        low, high = (
            torch.where(self.bounded, (end - self.x_mean) / self.x_deviation, infinite)
            for end, infinite in ((self.low, -torch.inf), (self.low + self.span, torch.inf))
        )
        for member in self.members:
            member.fit(self.scale_x(x)[0], self.scale_y(y), low=low, high=high)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Return ``-log p(x | y)`` in nats, averaged over members and batch."""
        nats = -self._log_probs(x, y).mean()
        return nats, {"nats": nats.detach()}

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``log p(x | y)`` in nats, see :meth:`PosteriorModel.log_prob`."""
        mixture = (self._log_probs(x, y) - torch.tensor(len(self.members)).log()).logsumexp(0)
        return mixture.masked_fill(~self.in_range(x), -torch.inf)

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Map latents to parameters, see :meth:`PosteriorModel.decode`."""
        return self._by_members(z, y, lambda member, z, w: member.inverse(z, w)[0])

    def draw(self, z: Tensor, y: Tensor) -> Tensor:
        """Draw parameters, see :meth:`PosteriorModel.draw`."""
        return self._by_members(z, y, MixtureAutoregression.draw)

    def _by_members(
        self, z: Tensor, y: Tensor, map_latents: Callable[[MixtureAutoregression, Tensor, Tensor], Tensor]
    ) -> Tensor:
        chosen = (ndtr(z[:, 0]) * len(self.members)).long().clamp(max=len(self.members) - 1)
        w, v = self.scale_y(y), torch.empty_like(z[:, 1:])
        for number, member in enumerate(self.members):
            rows = chosen == number
            v[rows] = map_latents(member, z[rows, 1:], w[rows])
        return self.restore_x(v)

    def restore_x(self, v: Tensor) -> Tensor:
        """Undo :meth:`scale_x`; bounded parameters come out inside their ranges."""
        x = v * self.x_deviation + self.x_mean
        return torch.where(self.bounded, x.clamp(self.low, self.low + self.span), x)

    def _log_probs(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``log p(x | y)`` of each member: ``(members, batch)``."""
        (v, log_det), w = self.scale_x(x), self.scale_y(y)
        return torch.stack([member.log_prob(v, w) for member in self.members]) + log_det

    def _unbound(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Leave the parameters as they are: the densities end where the ranges do."""
        return x, torch.zeros_like(x)
