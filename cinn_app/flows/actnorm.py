"""Normalisation of activations with learned scale and shift."""

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision, without_autocast
from cinn_app.flows.shapes import require_channels

__all__ = ["ActNorm"]


class ActNorm(Bijection):
    r"""One learned scale and shift per channel: :math:`z = x \odot e^s + t`.

    * inverse: :math:`x = (z - t) \odot e^{-s}`;
    * log-determinant: ``height * width *`` the sum of :math:`s` (for vectors, one pixel).

    The first batch seen by ``forward`` in training mode sets :math:`s` and :math:`t`, so that each channel of
    it comes out with mean 0 and variance 1 (a constant channel keeps its scale). From then on both are
    ordinary parameters. Glow, Kingma and Dhariwal 2018 (arXiv 1807.03039), section 3.1.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``; :math:`s` and :math:`t` are
            ``(channels,)``.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import ActNorm
        >>> norm = ActNorm(4)
        >>> z, log_det = norm(5 + 3 * torch.randn(100, 4))
        >>> torch.allclose(z.std(0, correction=0), torch.ones(4), atol=1e-5)
        True
        >>> norm
        ActNorm(channels=4, initialised=True)
    """

    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.tensor(False))

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(x, self.channels)
        x = full_precision(x)
        with without_autocast(x):
            if self.training and not self.initialised:
                self._initialise(x)
            return x * self._per_pixel(self.log_scale.exp(), x) + self._per_pixel(self.shift, x), self._log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(z, self.channels)
        z = full_precision(z)
        with without_autocast(z):
            x = (z - self._per_pixel(self.shift, z)) * self._per_pixel((-self.log_scale).exp(), z)
            return x, -self._log_det(z)

    @torch.no_grad()
    def _initialise(self, x: Tensor) -> None:
        per_channel = x.transpose(0, 1).flatten(1)
        deviation = per_channel.std(1, correction=0)
        scale = torch.where(deviation > 1e-6, 1 / deviation, 1.0)
        self.log_scale.copy_(scale.log())
        self.shift.copy_(-per_channel.mean(1) * scale)
        self.initialised.fill_(True)

    @staticmethod
    def _per_pixel(values: Tensor, x: Tensor) -> Tensor:
        return values.to(x.dtype).view(-1, *[1] * (x.dim() - 2))

    def _log_det(self, x: Tensor) -> Tensor:
        pixels = x.shape[2:].numel()
        return (self.log_scale.to(x.dtype).sum() * pixels).expand(x.shape[0])

    def extra_repr(self) -> str:
        return f"channels={self.channels}, initialised={bool(self.initialised)}"
