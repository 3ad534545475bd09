"""Couplings: one half of the channels stays, and steers how the other half moves."""

import torch
from torch import Tensor

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.chain import Chain
from cinn_app.flows.numerics import (
    Subnet,
    full_precision,
    log_scale_and_shift,
    no_stretch,
    sum_per_sample,
    without_autocast,
)
from cinn_app.flows.shapes import ShapeError, one_condition, require_channels

__all__ = ["AdditiveCoupling", "AdditiveCouplingPair", "AffineCoupling", "AffineCouplingPair"]


class Coupling(Bijection):
    """What all couplings share: split the channels, ask the subnet, move one half, join.

    The first half has ``channels - channels // 2`` channels: with an odd number it is the larger one.
    """

    outputs_per_channel: int  # how many numbers the subnet gives for every value that moves

    def __init__(self, channels: int, subnet: Subnet, condition_channels: int = 0, *, flip: bool = False) -> None:
        super().__init__()
        if channels < 2:
            raise ShapeError(f"A coupling was given {channels} channels where at least 2 are needed; add channels.")
        self.channels, self.condition_channels, self.flip = channels, condition_channels, flip
        self.sizes = (channels - channels // 2, channels // 2)
        stays, moves = reversed(self.sizes) if flip else self.sizes
        self.subnet = subnet(stays + condition_channels, moves * self.outputs_per_channel)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        stays, moves = self._split(x)
        output = self._ask(stays, condition)
        with without_autocast(moves):
            moved, log_det = self._move(moves, output)
            return self._join(stays, moved), log_det

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        stays, moved = self._split(z)
        output = self._ask(stays, condition)
        with without_autocast(moved):
            moves, log_det = self._move_back(moved, output)
            return self._join(stays, moves), log_det

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        require_channels(x, self.channels)
        first, second = full_precision(x).split(self.sizes, dim=1)
        return (second, first) if self.flip else (first, second)

    def _ask(self, stays: Tensor, condition: Condition) -> Tensor:
        if self.condition_channels:
            stays = torch.cat([stays, one_condition(condition, self.condition_channels, stays)], dim=1)
        output: Tensor = self.subnet(stays)
        return output

    def _join(self, stays: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([moved, stays] if self.flip else [stays, moved], dim=1)

    def _move(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _move_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        flip = ", flip=True" if self.flip else ""
        return f"channels={self.channels}, condition_channels={self.condition_channels}{flip}"


class AffineCoupling(Coupling):
    r"""Scale and shift one half: :math:`z_1 = x_1, \; z_2 = x_2 \odot e^s + t, \; (s, t) = F(x_1, c)`.

    * inverse: :math:`x_1 = z_1`, :math:`x_2 = (z_2 - t) \odot e^{-s}`;
    * log-determinant: the sum of :math:`s` over channels and pixels.

    :math:`x = (x_1, x_2)` is split along the channels. The log-scale is softly clamped,
    :math:`s = \mathtt{clamp} \cdot \tfrac{2}{\pi} \arctan(\mathrm{raw})`. RealNVP, Dinh et al. 2016
    (arXiv 1605.08803), eq. 7.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``, at least 2.
        subnet: builds :math:`F`: ``subnet(in_channels, out_channels)``; it reads :math:`x_1` joined with
            ``c`` and gives first all raw log-scales, then all shifts, at the same spatial size.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``; 0 ignores any
            condition.
        clamp: no value is stretched or shrunk by more than :math:`e^\mathtt{clamp}`.
        flip: let :math:`x_2` stay and :math:`x_1` move, so that chains can alternate.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AffineCoupling
        >>> coupling = AffineCoupling(4, lambda i, o: nn.Conv2d(i, o, 3, padding=1), condition_channels=3)
        >>> coupling
        AffineCoupling(
          channels=4, condition_channels=3, clamp=2.0
          (subnet): Conv2d(5, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
        )
        >>> x, condition = torch.randn(2, 4, 8, 8), torch.randn(2, 3, 8, 8)
        >>> z, log_det = coupling(x, condition)
        >>> torch.allclose(coupling.inverse(z, condition)[0], x, atol=1e-5)
        True
    """

    outputs_per_channel = 2

    def __init__(
        self,
        channels: int,
        subnet: Subnet,
        condition_channels: int = 0,
        clamp: float = 2.0,
        *,
        flip: bool = False,
    ) -> None:
        super().__init__(channels, subnet, condition_channels, flip=flip)
        self.clamp = clamp

    def _move(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        s, t = log_scale_and_shift(output, x2, self.clamp)
        return x2 * s.exp() + t, sum_per_sample(s)

    def _move_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        s, t = log_scale_and_shift(output, z2, self.clamp)
        return (z2 - t) * (-s).exp(), -sum_per_sample(s)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, clamp={self.clamp}"


class AdditiveCoupling(Coupling):
    r"""Shift one half: :math:`z_1 = x_1`, :math:`z_2 = x_2 + F(x_1, c)`.

    * inverse: :math:`x_1 = z_1`, :math:`x_2 = z_2 - F(z_1, c)`;
    * log-determinant: 0.

    NICE, Dinh et al. 2014 (arXiv 1410.8516), section 3.2. The arguments are those of :class:`AffineCoupling`;
    the subnet gives one shift per value that moves.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AdditiveCoupling
        >>> AdditiveCoupling(4, nn.Linear)(torch.randn(2, 4))[1]
        tensor([0., 0.])
    """

    outputs_per_channel = 1

    def _move(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        return x2 + self._shift(output, x2), no_stretch(x2)

    def _move_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        return z2 - self._shift(output, z2), no_stretch(z2)

    @staticmethod
    def _shift(output: Tensor, like: Tensor) -> Tensor:
        if output.shape != like.shape:
            raise ShapeError(
                f"The subnet made {tuple(output.shape)} where {tuple(like.shape)} is needed; mend its sizes."
            )
        return output.to(like.dtype)


class AffineCouplingPair(Chain):
    r"""Both halves in turn: :math:`z_1 = x_1 e^{s_2} + t_2`, then :math:`z_2 = x_2 e^{s_1} + t_1`.

    Here :math:`(s_2, t_2) = F(x_2, c)` and :math:`(s_1, t_1) = G(z_1, c)`: two :class:`AffineCoupling`, the
    first with ``flip``, each with its own subnet. The arguments are theirs. RealNVP (arXiv 1605.08803),
    section 3.3; Glow, Kingma and Dhariwal 2018 (arXiv 1807.03039), table 1.
    """

    def __init__(self, channels: int, subnet: Subnet, condition_channels: int = 0, clamp: float = 2.0) -> None:
        super().__init__(
            AffineCoupling(channels, subnet, condition_channels, clamp, flip=flip) for flip in (True, False)
        )


class AdditiveCouplingPair(Chain):
    r"""Both halves in turn: :math:`z_1 = x_1 + F(x_2, c)`, then :math:`z_2 = x_2 + G(z_1, c)`.

    Two :class:`AdditiveCoupling`, the first with ``flip``, each with its own subnet. The arguments are
    theirs. RevNet, Gomez et al. 2017 (arXiv 1707.04585), eq. 6.
    """

    def __init__(self, channels: int, subnet: Subnet, condition_channels: int = 0) -> None:
        super().__init__(AdditiveCoupling(channels, subnet, condition_channels, flip=flip) for flip in (True, False))
