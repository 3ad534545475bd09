"""The posterior as a conditional flow, trained by maximum likelihood."""

import torch
from torch import Tensor, nn

from cinn_app.flows import Bijection, Chain, ConditionalAffine, FlowDistribution, LULinear, SplineCoupling
from cinn_app.nn.blocks import dense_subnet
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.recipe import InverseArchitecture

__all__ = ["ConditionalFlow"]

#: Bound of the log-scales by which the first layer follows the measurement.
CLAMP = 6.0
#: Draws that go through the flow together.
ROWS = 20_000


class ConditionalFlow(PosteriorModel):
    r"""A flow of scaled parameters given scaled measurements: :math:`z = f(x; y)`, :math:`z \sim N(0, I)`.

    The first layer is a Gaussian regression, whose mean and deviations depend on the measurement. Spline couplings
    follow, with a learned linear map in between. The loss is :math:`-\log p(x \mid y)`; Ardizzone et al. 2019 (arXiv
    1907.02392), eq. 4.

    Args:
        architecture: sizes.
        parameters: D.
        measurements: M.
    """

    def __init__(self, architecture: InverseArchitecture, parameters: int, measurements: int) -> None:
        super().__init__(parameters, measurements)
        width, context = architecture.width, architecture.context_width
        self.summary = nn.Sequential(
            nn.Linear(measurements, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, context)
        )
        subnet = dense_subnet(width, architecture.dropout)
        steps: list[Bijection] = [ConditionalAffine(parameters, subnet, context, CLAMP)]
        for number in range(architecture.couplings if parameters > 1 else 0):
            steps += [
                LULinear(parameters, architecture.mixing_seed + number),
                SplineCoupling(
                    parameters,
                    subnet,
                    context,
                    architecture.bins,
                    architecture.bound,
                    architecture.clamp,
                    flip=number % 2 == 1,
                ),
            ]
        self.flow = Chain(steps)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Return ``-log p(x | y)`` in nats, averaged over the batch."""
        nats = -self.log_prob(x, y).mean()
        return nats, {"nats": nats.detach()}

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``log p(x | y)`` in nats, see :meth:`PosteriorModel.log_prob`."""
        v, log_det = self.scale_x(x)
        log_prob = self._distribution(self.summary(self.scale_y(y))).log_prob(v) + log_det
        return log_prob.masked_fill(~self.in_range(x), -torch.inf)

    def sample(self, y: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw parameters, see :meth:`PosteriorModel.sample`."""
        z = torch.randn(len(y), count, self.parameters_count, generator=generator).to(y)
        context = self.summary(self.scale_y(y)).repeat_interleave(count, 0)
        parts = zip(z.flatten(0, 1).split(ROWS), context.split(ROWS), strict=True)
        v = torch.cat([self._distribution(part).decode(noise)[0] for noise, part in parts])
        return self.restore_x(v).unflatten(0, (len(y), count))

    def _distribution(self, context: Tensor) -> FlowDistribution:
        return FlowDistribution(self.flow, (self.parameters_count,), context)
