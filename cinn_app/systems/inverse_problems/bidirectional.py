r"""The posterior from a flow that learns both directions at once: Ardizzone et al. 2019 (arXiv 1808.04730)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from cinn_app.errors import ProblemError
from cinn_app.flows import AffineCouplingPair, Bijection, Chain, OrthogonalMixing, Subnet
from cinn_app.nn.blocks import zero_init
from cinn_app.systems.inverse_problems.losses import backward_ramp, latent_loss, prior_loss
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.recipe import BidirectionalArchitecture, MmdObjective

__all__ = ["BidirectionalFlow", "Outputs"]


class Outputs(NamedTuple):
    """What the flow makes of scaled parameters: latents ``(batch, L)``, padding, and measurements ``(batch, M)``."""

    z: Tensor
    padding: Tensor
    y: Tensor


class BidirectionalFlow(PosteriorModel):
    r"""A flow from parameters to their measurement and a latent, :math:`[z, 0, y] = f([x, 0])`, without a condition.

    Forward it predicts the measurement, which supervises it. Backward, with :math:`z \sim N(0, I)`, it samples the
    posterior. Zeros on both sides make the sizes equal, and leave the flow room. The losses are those of section 3.3 of
    the paper, with squared errors for :math:`\mathcal L_y` and for the padding (:meth:`loss`).

    The measurement is a function of the parameters here, so the noise of a simulator is not part of the posterior.
    There is no density either, since padding has none.

    Args:
        architecture: sizes.
        objective: weights of the losses, widths of the kernels, noise.
        parameters: D.
        measurements: M.
    """

    watched = ("L_y", "L_z", "L_x")
    measured = ("prediction_error", "latent_mmd", "prior_mmd")
    has_density = False

    def __init__(
        self, architecture: BidirectionalArchitecture, objective: MmdObjective, parameters: int, measurements: int
    ) -> None:
        super().__init__(parameters, measurements)
        self.objective, self.latents = objective, architecture.latents
        self.width = max(parameters, measurements + self.latents) + architecture.padding
        steps: list[Bijection] = []
        for number in range(architecture.couplings):
            steps += [
                OrthogonalMixing(self.width, architecture.mixing_seed + number),
                AffineCouplingPair(self.width, _subnet(architecture.width), clamp=architecture.clamp),
            ]
        self.flow = Chain(steps)

    def loss(self, x: Tensor, y: Tensor, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        r"""Return the weighted sum of the losses of both directions, and each of them.

        Forward: :math:`\mathcal L_y`, the squared error of the predicted measurement and of the padding, which should
        be 0; and :math:`\mathcal L_z`. Backward: :math:`\mathcal L_x`, on its ramp; and the squared error of the
        parameters and their padding, when they are restored from the measurement and their own latent with noise in
        place of the padding, so that nothing can hide there.
        """
        v, w = self.scale_x(x)[0], self.scale_y(y)
        w = w + self.objective.measurement_noise * torch.randn_like(w)
        v_padding = self._noise(v, self.width - v.shape[1])
        forward = self._forward(v, v_padding)
        wanted = Outputs(forward.z.detach(), torch.zeros_like(forward.padding), w)
        fit_y = mse_loss(torch.cat(forward[1:], 1), torch.cat(wanted[1:], 1))
        fit_z = latent_loss(forward.z, forward.y, self.objective.kernel_widths)

        near = wanted.z + self.objective.measurement_noise * torch.randn_like(wanted.z)
        hidden = self._noise(v, wanted.padding.shape[1])
        both = [torch.cat(parts) for parts in ((near, torch.randn_like(near)), (hidden, hidden), (w, w))]
        restored, sampled = self.flow.inverse(torch.cat(both, 1))[0].chunk(2)
        fit_restored = mse_loss(restored, torch.cat([v, torch.zeros_like(v_padding)], 1))
        fit_x = prior_loss(sampled[:, : v.shape[1]], v, self.objective.kernel_widths)
        total = (
            self.objective.fit_weight * (fit_y + fit_restored)
            + self.objective.latent_weight * fit_z
            + self.objective.prior_weight * backward_ramp(progress) * fit_x
        )
        parts = {"L_y": fit_y, "L_z": fit_z, "L_x": fit_x, "restored": fit_restored}
        return total, {name: value.detach() for name, value in parts.items()}

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Map latents and measurements to parameters, see :meth:`PosteriorModel.decode`."""
        padding = z.new_zeros(len(z), self.width - z.shape[1] - y.shape[1])
        v = self.flow.inverse(torch.cat([z, padding, self.scale_y(y)], 1))[0][:, : self.parameters_count]
        return self.restore_x(v)

    def measure(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Measure the root of the mean square error of predictions, in standard deviations, and the MMDs."""
        _, parts = self.loss(x, y, progress=1.0)
        error = (self.scale_y(self.predict(x)) - self.scale_y(y)).square().mean().sqrt()
        return {"prediction_error": error, "latent_mmd": parts["L_z"], "prior_mmd": parts["L_x"]}

    def predict(self, x: Tensor) -> Tensor:
        """Predict the measurements of parameters, see :meth:`PosteriorModel.predict`."""
        v = self.scale_x(x)[0]
        return self.restore_y(self._forward(v, v.new_zeros(len(v), self.width - v.shape[1])).y)

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """Refuse: see the class."""
        raise ProblemError(
            "A model that was trained with the objective mmd has no density: sample from it, or train it with "
            "--objective likelihood."
        )

    def _forward(self, v: Tensor, padding: Tensor) -> Outputs:
        out = self.flow(torch.cat([v, padding], 1))[0]
        return Outputs(
            *out.split(
                [self.latents, out.shape[1] - self.latents - self.measurements_count, self.measurements_count], 1
            )
        )

    def _noise(self, v: Tensor, size: int) -> Tensor:
        """Return noise for the place of the padding, ``(batch, size)``, so that the flow cannot hide values there."""
        return self.objective.padding_noise * torch.randn(len(v), size, device=v.device)


def _subnet(width: int) -> Subnet:
    """Return a function that builds a subnet of one hidden layer, which costs least where couplings are many."""
    return lambda inputs, outputs: nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), zero_init(nn.Linear(width, outputs))
    )
