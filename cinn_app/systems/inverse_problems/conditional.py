"""The posterior as a conditional flow, trained by maximum likelihood."""

import torch
from torch import Tensor, nn

from cinn_app.flows import (
    Bijection,
    Chain,
    ConditionalAffine,
    ConditionalSpline,
    FlowDistribution,
    LULinear,
    SplineCoupling,
)
from cinn_app.nn.blocks import dense_subnet
from cinn_app.systems.inverse_problems.losses import backward_ramp, latent_loss, prior_loss
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.recipe import BothObjective, InverseArchitecture, LikelihoodObjective

__all__ = ["ConditionalFlow"]

#: Bound of the log-scales by which the first layer follows the measurement.
CLAMP = 6.0


class ConditionalFlow(PosteriorModel):
    r"""A flow of scaled parameters given scaled measurements: :math:`z = f(x; y)`, :math:`z \sim N(0, I)`.

    The first layer is a Gaussian regression, whose mean and deviations depend on the measurement, and the second bends
    each parameter on its own, also where there is only one. Spline couplings follow, with a learned linear map in
    between. The loss is :math:`-\log p(x \mid y)`; Ardizzone et al. 2019 (arXiv 1907.02392), eq. 4. With the objective
    ``both``, the MMD losses of latents and of samples come on top: Ardizzone et al. 2019 (arXiv 1808.04730), section
    3.3.

    Args:
        architecture: sizes.
        objective: of the training.
        parameters: D.
        measurements: M.
    """

    watched = ("nats",)

    def __init__(
        self,
        architecture: InverseArchitecture,
        objective: LikelihoodObjective | BothObjective,
        parameters: int,
        measurements: int,
    ) -> None:
        super().__init__(parameters, measurements)
        self.objective, self.latents = objective, parameters
        width, context = architecture.width, architecture.context_width
        self.summary = nn.Sequential(
            nn.Linear(measurements, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, context)
        )
        subnet = dense_subnet(width, architecture.dropout)
        curves = architecture.bins, architecture.bound, architecture.clamp
        steps: list[Bijection] = [
            ConditionalAffine(parameters, subnet, context, CLAMP),
            ConditionalSpline(parameters, subnet, context, *curves),
        ]
        for number in range(architecture.couplings if parameters > 1 else 0):
            steps += [
                LULinear(parameters, architecture.mixing_seed + number),
                SplineCoupling(parameters, subnet, context, *curves, flip=number % 2 == 1),
            ]
        self.flow = Chain(steps)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Return ``-log p(x | y)`` in nats, averaged over the batch, plus the MMD losses if the objective has them."""
        z, log_prob = self._encode(x, y)
        total = -log_prob.mean()
        parts = {"nats": total.detach()}
        if isinstance(self.objective, BothObjective):
            w, widths = self.scale_y(y), self.objective.kernel_widths
            sampled = self._distribution(self.summary(w)).decode(torch.randn_like(z))[0]
            fit_z, fit_x = latent_loss(z, w, widths), prior_loss(sampled, self.scale_x(x)[0], widths)
            total = total + self.objective.latent_weight * fit_z
            total = total + self.objective.prior_weight * backward_ramp(progress) * fit_x
            parts |= {"L_z": fit_z.detach(), "L_x": fit_x.detach()}
        return total, parts

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``log p(x | y)`` in nats, see :meth:`PosteriorModel.log_prob`."""
        return self._encode(x, y)[1].masked_fill(~self.in_range(x), -torch.inf)

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Map latents to parameters, see :meth:`PosteriorModel.decode`."""
        return self.restore_x(self._distribution(self.summary(self.scale_y(y))).decode(z)[0])

    def _encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents and ``log p(x | y)`` of parameters inside the ranges."""
        v, log_det = self.scale_x(x)
        z, log_prob = self._distribution(self.summary(self.scale_y(y))).encode(v)
        assert isinstance(z, Tensor)
        return z, log_prob + log_det

    def _distribution(self, context: Tensor) -> FlowDistribution:
        return FlowDistribution(self.flow, (self.parameters_count,), context)
