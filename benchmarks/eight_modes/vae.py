r"""Conditional variational autoencoders, with a normal posterior of the code, or one of inverse autoregressive flows.

.. math::
    \mathcal L = E_q[-\log p(x \mid z, y) + \log q(z \mid x, y) - \log p(z)]
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from eight_modes.contestant import Contestant, fitting_width, mlp

__all__ = ["AutoregressiveVAE", "ConditionalVAE"]

#: Values of the code, and of what the encoder tells the autoregressive flows beside.
CODE, CONTEXT = 4, 32
#: Share of the training in which the weight of the code's divergence rises to 1, so that the code gets into use.
RISE = 0.2
#: Bounds of log standard deviations of points.
LOG_DEVIATION = (-4.0, 1.0)


class ConditionalVAE(Contestant):
    """Kingma and Welling 2013 (arXiv 1312.6114), given the label; the decoder predicts deviations of points, too."""

    learning_rate = 4e-3
    extra = 0

    def __init__(self, labels: int) -> None:
        super().__init__()
        width = fitting_width(lambda width: mlp(CODE + labels, width, 4))
        self.decoder = mlp(CODE + labels, width, 4)
        self.encoder = mlp(2 + labels, width, 2 * CODE + self.extra)

    @property
    def sampler(self) -> nn.Module:
        return self.decoder

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        z, log_q = self.encode(x, y)
        mean, log_deviation = self.decode(z, y)
        nats = (((x - mean) * (-log_deviation).exp()).square() / 2 + log_deviation).sum(1)
        divergence = log_q + (z.square() + math.log(2 * math.pi)).sum(1) / 2
        return (nats + min(1.0, 0.05 + progress / RISE) * divergence).mean()

    def encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Draw codes ``(batch, CODE)``, and return ``log q(z | x, y)``, ``(batch,)``."""
        mean, log_deviation, context = self.encoder(torch.cat([x, y], 1)).split([CODE, CODE, self.extra], 1)
        noise = torch.randn_like(mean)
        log_q = -(noise.square() / 2 + log_deviation).sum(1) - CODE / 2 * math.log(2 * math.pi)
        return self.flow(mean + log_deviation.exp() * noise, log_q, context)

    def flow(self, z: Tensor, log_q: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Leave the normal posterior as it is."""
        return z, log_q

    def decode(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log deviation of the points."""
        mean, log_deviation = self.decoder(torch.cat([z, y], 1)).chunk(2, 1)
        return mean, log_deviation.clamp(*LOG_DEVIATION)

    def sample(self, y: Tensor) -> Tensor:
        mean, log_deviation = self.decode(torch.randn(len(y), CODE), y)
        return mean + log_deviation.exp() * torch.randn_like(mean)


class AutoregressiveVAE(ConditionalVAE):
    """With inverse autoregressive flows after the encoder, Kingma et al. 2016 (arXiv 1606.04934)."""

    learning_rate = 1e-3
    extra = CONTEXT
    flows = 3

    def __init__(self, labels: int) -> None:
        super().__init__(labels)
        self.steps = nn.ModuleList(AutoregressiveStep() for _ in range(self.flows))

    def flow(self, z: Tensor, log_q: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        for step in self.steps:
            gate, shift = step(z, context)
            z = (gate * z + (1 - gate) * shift).flip(1)
            log_q = log_q - gate.log().sum(1)
        return z, log_q


class AutoregressiveStep(nn.Module):
    """A masked network: gate and shift of each value of the code depend on those before it, and on the context."""

    width = 64

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(CODE + CONTEXT, self.width)
        self.last = nn.Linear(self.width, 2 * CODE)
        degrees = torch.arange(self.width) % CODE  # of 0: what sees the context alone
        inputs = torch.cat([torch.arange(1, CODE + 1), torch.zeros(CONTEXT)])
        self.register_buffer("sees", (degrees[:, None] >= inputs).float(), persistent=False)
        outputs = torch.arange(1, CODE + 1).repeat(2)
        self.register_buffer("reaches", (outputs[:, None] > degrees).float(), persistent=False)
        nn.init.constant_(self.last.bias[:CODE], 2.0)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        hidden = linear(torch.cat([z, context], 1), self.first.weight * self.sees, self.first.bias)
        gate, shift = linear(nn.functional.silu(hidden), self.last.weight * self.reaches, self.last.bias).chunk(2, 1)
        return gate.sigmoid(), shift
