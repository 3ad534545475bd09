"""One part of the data first, the other part given it."""

from typing import cast

import torch
from torch import Tensor

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision
from cinn_app.flows.shapes import ShapeError

__all__ = ["Triangular"]


class Triangular(Bijection):
    r"""Map some channels, then the others as they depend on these: :math:`z_1 = f(x_1; c), \; z_2 = g(x_2; c, x_1)`.

    * inverse: :math:`x_1 = f^{-1}(z_1; c)` first, then :math:`x_2 = g^{-1}(z_2; c, x_1)`;
    * log-determinant: the sum of the two, since the Jacobian is block-triangular.

    It is the chain rule :math:`p(x_1, x_2 \mid c) = p(x_1 \mid c) \, p(x_2 \mid x_1, c)` with a density of its own for
    each factor; what :math:`g` reads of :math:`x_1` needs no inverse. The triangular maps of Knothe and Rosenblatt, see
    Papamakarios et al. 2021 (arXiv 1912.02762), section 2.2.

    Shapes: ``x`` is ``(batch, channels, ...)``; the latents of both parts are joined along their channels, and have to
    agree in all else.

    Args:
        channels: how many channels of ``x``, the first ones, make up :math:`x_1`.
        latent_channels: how many channels :math:`f` makes of them.
        first: :math:`f`, with the condition ``c``.
        second: :math:`g`, whose condition is ``c`` joined with :math:`x_1`, so it has ``channels`` more than ``c``;
            without ``c`` it is :math:`x_1` alone.

    Raises:
        ShapeError: if ``x`` has too few channels, or the condition is not a single tensor.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AffineCoupling, OrthogonalMixing, Triangular
        >>> flow = Triangular(2, 2, OrthogonalMixing(2, seed=0), AffineCoupling(3, nn.Linear, condition_channels=2))
        >>> flow(torch.randn(4, 5))[0].shape
        torch.Size([4, 5])
    """

    def __init__(self, channels: int, latent_channels: int, first: Bijection, second: Bijection) -> None:
        super().__init__()
        self.channels, self.latent_channels = channels, latent_channels
        self.first, self.second = first, second

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x1, x2 = _split(full_precision(x), self.channels)
        z1, stretch1 = self.first(x1, condition)
        z2, stretch2 = self.second(x2, _join(condition, x1))
        return torch.cat([z1, z2], dim=1), stretch1 + stretch2

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z1, z2 = _split(full_precision(z), self.latent_channels)
        x1, stretch1 = self.first.inverse(z1, condition)
        x2, stretch2 = self.second.inverse(z2, _join(condition, x1))
        return torch.cat([x1, x2], dim=1), stretch1 + stretch2

    def extra_repr(self) -> str:
        return f"channels={self.channels}, latent_channels={self.latent_channels}"


def _split(values: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    if not 0 < channels < values.shape[1]:
        raise ShapeError(
            f"There are {values.shape[1]} channels where more than the {channels} of the first part are needed; give "
            "both parts."
        )
    return cast(tuple[Tensor, Tensor], values.split([channels, values.shape[1] - channels], dim=1))


def _join(condition: Condition, x1: Tensor) -> Tensor:
    if condition is None:
        return x1
    if not isinstance(condition, Tensor):
        raise ShapeError(f"A triangular map was given {len(condition)} conditions where one is needed; pass one.")
    return torch.cat([condition, x1], dim=1)
