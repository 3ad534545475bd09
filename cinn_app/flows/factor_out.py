"""Multi-scale flows: channels leave early as a latent of their own."""

from typing import cast

import torch
from torch import Tensor

from cinn_app.flows.base import Bijection, Condition, Latent
from cinn_app.flows.numerics import full_precision
from cinn_app.flows.shapes import ShapeError, as_tuple

__all__ = ["FactorOut"]


class FactorOut(Bijection):
    r"""Let some channels go, send the others on: :math:`z = (x_1, g(x_2; c))` for :math:`x = (x_1, x_2)`.

    * inverse: :math:`x = (z_1, g^{-1}(z_2; c))`;
    * log-determinant: that of :math:`g`.

    The latent is a flat tuple, fine to coarse: when ``rest`` ends in another :class:`FactorOut`, its latents
    follow. RealNVP, Dinh et al. 2016 (arXiv 1605.08803), eqs. 13 to 16.

    A single condition goes on to ``rest`` as it is. Of a tuple with one condition per scale, fine to coarse,
    the first belongs to the blocks before this one, and only the others go on: inside, the first of *those*
    is used.

    Args:
        channels_out: how many channels leave; the first ones of ``x`` of shape ``(batch, channels, ...)``.
        rest: :math:`g`, a bijection of the other channels.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Chain, FactorOut, HaarDownsampling, OrthogonalMixing
        >>> inner = FactorOut(2, OrthogonalMixing(2, seed=0))
        >>> flow = Chain([HaarDownsampling(), FactorOut(3, Chain([HaarDownsampling(), inner]))])
        >>> [tuple(z.shape) for z in flow(torch.randn(5, 1, 8, 8))[0]]
        [(5, 3, 4, 4), (5, 2, 2, 2), (5, 2, 2, 2)]
    """

    def __init__(self, channels_out: int, rest: Bijection) -> None:
        super().__init__()
        self.channels_out = channels_out
        self.rest = rest

    def forward(  # type: ignore[override]  # a tuple of latents is this block's purpose
        self, x: Tensor, condition: Condition = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        if not 0 < self.channels_out < x.shape[1]:
            raise ShapeError(
                f"The data have {x.shape[1]} channels where more than the {self.channels_out} that leave are "
                "needed; let fewer channels out."
            )
        leaves, stays = full_precision(x).split([self.channels_out, x.shape[1] - self.channels_out], dim=1)
        z, log_det = self.rest(stays, self._tail(condition))
        return (leaves, *as_tuple(z)), log_det

    def inverse(self, z: Latent, condition: Condition = None) -> tuple[Tensor, Tensor]:
        if isinstance(z, Tensor) or len(z) < 2:
            raise ShapeError(
                f"The latent has {len(as_tuple(z))} scale where at least 2 are needed; give a tuple, fine to coarse."
            )
        leaves, *others = z
        stays, log_det = self.rest.inverse(
            cast(Tensor, others[0] if len(others) == 1 else tuple(others)), self._tail(condition)
        )
        return torch.cat([full_precision(leaves), stays], dim=1), log_det

    @staticmethod
    def _tail(condition: Condition) -> Condition:
        return condition if condition is None or isinstance(condition, Tensor) else tuple(condition[1:])

    def extra_repr(self) -> str:
        return f"channels_out={self.channels_out}"
