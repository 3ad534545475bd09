"""Shift and scale straight from the condition."""

from torch import Tensor

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import (
    Subnet,
    full_precision,
    log_scale_and_shift,
    sum_per_sample,
    without_autocast,
)
from cinn_app.flows.shapes import one_condition, require_channels

__all__ = ["ConditionalAffine"]


class ConditionalAffine(Bijection):
    r"""Take away what the condition foretells: :math:`z = (x - t) \odot e^{-s}`, :math:`(s, t) = F(c)`.

    * inverse: :math:`x = z \odot e^s + t`;
    * log-determinant: minus the sum of :math:`s` over channels and pixels.

    Read as a density it is a Gaussian of mean :math:`t(c)` and standard deviation :math:`e^{s(c)}`, so in
    front of a chain it leaves the couplings only what the condition cannot tell. The log-scale is softly
    clamped, :math:`s = \mathtt{clamp} \cdot \tfrac{2}{\pi} \arctan(\mathrm{raw})`. While the last layer of
    :math:`F` is zero it is the identity.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        subnet: builds :math:`F`: ``subnet(condition_channels, 2 * channels)``; it gives first all raw
            log-scales, then all shifts, at the spatial size of ``x``.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``.
        clamp: no value is stretched or shrunk by more than :math:`e^\mathtt{clamp}`.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import ConditionalAffine
        >>> affine = ConditionalAffine(4, nn.Linear, condition_channels=3)
        >>> x, condition = torch.randn(2, 4), torch.randn(2, 3)
        >>> torch.allclose(affine.inverse(affine(x, condition)[0], condition)[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int, subnet: Subnet, condition_channels: int, clamp: float = 2.0) -> None:
        super().__init__()
        self.channels, self.condition_channels, self.clamp = channels, condition_channels, clamp
        self.subnet = subnet(condition_channels, 2 * channels)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(x, self.channels)
        x = full_precision(x)
        output = self.subnet(one_condition(condition, self.condition_channels, x))
        with without_autocast(x):
            s, t = log_scale_and_shift(output, x, self.clamp)
            return (x - t) * (-s).exp(), -sum_per_sample(s)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(z, self.channels)
        z = full_precision(z)
        output = self.subnet(one_condition(condition, self.condition_channels, z))
        with without_autocast(z):
            s, t = log_scale_and_shift(output, z, self.clamp)
            return z * s.exp() + t, sum_per_sample(s)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, condition_channels={self.condition_channels}, clamp={self.clamp}"
