"""Couplings: the identity part of the data stays as it is, and decides how the transformed part moves."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from cinn_app.flows.base import Bijection, Condition, FlowError, LatentShape, Shape, ShapeError, require_condition
from cinn_app.flows.composition import Chain
from cinn_app.flows.numerics import Subnet, run_network, soft_clamp, sum_per_sample, without_autocast

__all__ = [
    "AdditiveCoupling",
    "AdditiveCouplingPair",
    "AffineCoupling",
    "AffineCouplingPair",
    "ConditionalAffine",
    "Coupling",
    "CouplingPair",
    "Identity",
]

#: The identity part of a coupling: how many of the first channels, a mask of the channels, or every other position.
Identity: TypeAlias = int | Sequence[bool] | Tensor | Literal["checkerboard"]

#: From values and the subnet's output for them to the new values and the log-derivative of each.
Transform: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Coupling(Bijection):
    r"""What all couplings share: :math:`z_1 = x_1, \; z_2 = R_\theta(x_2), \; \theta = F(x_1, c)`.

    * inverse: :math:`x_1 = z_1`, :math:`x_2 = R_\theta^{-1}(z_2)` with the same :math:`\theta`, since
      :math:`z_1 = x_1`;
    * log-determinant: the sum of :math:`\log R'_\theta` over the values of :math:`x_2`.

    A subclass sets ``outputs_per_value`` and implements ``_transform`` and ``_transform_back``, which take values and
    the subnet's output for them, and return the new values and the log-derivative of each.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        subnet: builds :math:`F`: ``subnet(in_channels, out_channels)``. It reads the identity part :math:`x_1` joined
            with ``c`` along the channels, and returns ``outputs_per_value`` channels for each channel of the
            transformed part :math:`x_2`, at the spatial size of ``x``. It is never inverted.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``; 0 ignores any condition.
        identity: the identity part. A number ``n``: the first ``n`` channels. A mask of ``channels`` truth values: the
            channels where it is true. ``"checkerboard"``: the positions whose spatial indices have an even sum, in all
            channels; the subnet then sees ``x`` with zeros at the other positions (RealNVP, Dinh et al. 2016, arXiv
            1605.08803, section 3.4). By default the first half of the channels, the larger one if their number is odd.
        flip: exchange the identity part and the transformed part, so that chains can alternate.

    Raises:
        ShapeError: if one of the two parts is empty, or the mask has another length than ``channels``.
        FlowError: if ``identity`` is something else.
    """

    outputs_per_value: int
    channels: int
    order: Tensor | None

    def __init__(
        self,
        channels: int,
        subnet: Subnet,
        condition_channels: int = 0,
        *,
        identity: Identity | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.condition_channels, self.flip = channels, condition_channels, flip
        self.checkerboard = isinstance(identity, str)
        order = None
        if isinstance(identity, str):
            if identity != "checkerboard":
                raise FlowError("The identity part {given} is unknown; give 'checkerboard'.", given=repr(identity))
            self.sizes = (channels, channels)
        else:
            count, order = _identity_channels(identity, channels)
            if not 0 < count < channels:
                raise ShapeError(
                    "A coupling of {channels} channels has an identity part of {count}, but both parts need at least 1 "
                    "channel; give it at least 2 channels, and an identity part of fewer than all.",
                    channels=channels,
                    count=count,
                )
            self.sizes = (count, channels - count)
        self.register_buffer("order", order, persistent=False)
        identity_size, transformed_size = reversed(self.sizes) if flip else self.sizes
        self.subnet = subnet(identity_size + condition_channels, transformed_size * self.outputs_per_value)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self._couple(self._data(x), condition, self._transform)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self._couple(self._latent(z), condition, self._transform_back)

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        if self.checkerboard and len(event_shape) < 2:
            raise ShapeError("A checkerboard needs spatial dimensions, but the data have none; use a mask.")
        return super().latent_shape(event_shape)

    def _couple(self, values: Tensor, condition: Condition, transform: Transform) -> tuple[Tensor, Tensor]:
        if self.checkerboard:
            stays = _even_positions(values) ^ self.flip
            output = self._subnet_output(values.where(stays, 0), condition)
            with without_autocast(values):
                moved, log_slope = transform(values, output)
                return values.where(stays, moved), sum_per_sample(log_slope.masked_fill(stays, 0))
        identity, transformed = self._split(values)
        output = self._subnet_output(identity, condition)
        with without_autocast(values):
            moved, log_slope = transform(transformed, output)
            return self._join(identity, moved), sum_per_sample(log_slope)

    def _subnet_output(self, identity: Tensor, condition: Condition) -> Tensor:
        if self.condition_channels:
            identity = torch.cat([identity, require_condition(condition, self.condition_channels, identity)], dim=1)
        return run_network(self.subnet, identity)

    def _split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        if self.order is not None:
            values = values.index_select(1, self.order)
        first, second = values.split(self.sizes, dim=1)
        return (second, first) if self.flip else (first, second)

    def _join(self, identity: Tensor, transformed: Tensor) -> Tensor:
        values = torch.cat([transformed, identity] if self.flip else [identity, transformed], dim=1)
        return values if self.order is None else values.index_select(1, self.order.argsort())

    def _transform(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _transform_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        parts = [f"channels={self.channels}", f"condition_channels={self.condition_channels}"]
        if self.checkerboard:
            parts.append("identity='checkerboard'")
        elif self.order is not None or self.sizes[0] != self.channels - self.channels // 2:
            parts.append(f"identity={self.sizes[0] if self.order is None else self.order[: self.sizes[0]].tolist()}")
        return ", ".join([*parts, "flip=True"] if self.flip else parts)


def _identity_channels(identity: int | Sequence[bool] | Tensor | None, channels: int) -> tuple[int, Tensor | None]:
    """Return the size of the identity part, and for a mask the order of the channels that puts this part first."""
    if identity is None:
        return channels - channels // 2, None
    try:
        return operator.index(identity), None  # type: ignore[arg-type]
    except TypeError:
        mask = torch.as_tensor(identity).bool()
    if mask.shape != (channels,):
        raise ShapeError(
            "The mask of the identity part has shape {given} where ({channels},) is needed; mark each channel.",
            given=tuple(mask.shape),
            channels=channels,
        )
    return int(mask.sum()), torch.cat([mask.nonzero(), (~mask).nonzero()]).flatten()


def _even_positions(values: Tensor) -> Tensor:
    """Return where the sum of the spatial indices is even, in a shape that broadcasts to ``values``."""
    total = torch.zeros((), dtype=torch.int64, device=values.device)
    for axis, size in enumerate(values.shape[2:]):
        index = torch.arange(size, device=values.device)
        total = total + index.view(-1, *[1] * (values.dim() - 3 - axis))
    return total % 2 == 0


class AffineCoupling(Coupling):
    r"""Scale and shift the transformed part: :math:`z_1 = x_1, \; z_2 = x_2 \odot e^s + t, \; (s, t) = F(x_1, c)`.

    * inverse: :math:`x_1 = z_1`, :math:`x_2 = (z_2 - t) \odot e^{-s}`;
    * log-determinant: the sum of :math:`s` over channels and pixels.

    The log-scale is softly clamped, :math:`s = \mathtt{clamp} \cdot \tfrac{2}{\pi} \arctan(\mathrm{raw})`. RealNVP,
    Dinh et al. 2016 (arXiv 1605.08803), eq. 7.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        subnet: builds :math:`F`, see :class:`Coupling`; it returns first all raw log-scales, then all shifts.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``; 0 ignores any condition.
        clamp: the bound of :math:`|s|`: no value is scaled by more than :math:`e^{\pm\mathtt{clamp}}`.
        identity, flip: how ``x`` is split, see :class:`Coupling`.

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

        The first 3 of 12 channels, two channels by a mask, or the black squares of a checkerboard decide the others:

        >>> AffineCoupling(12, nn.Linear, identity=3).subnet
        Linear(in_features=3, out_features=18, bias=True)
        >>> AffineCoupling(3, nn.Linear, identity=[True, False, True]).subnet
        Linear(in_features=2, out_features=2, bias=True)
        >>> AffineCoupling(1, lambda i, o: nn.Conv2d(i, o, 3, padding=1), identity="checkerboard")(x[:, :1])[0].shape
        torch.Size([2, 1, 8, 8])
    """

    outputs_per_value = 2

    def __init__(
        self,
        channels: int,
        subnet: Subnet,
        condition_channels: int = 0,
        clamp: float = 2.0,
        *,
        identity: Identity | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__(channels, subnet, condition_channels, identity=identity, flip=flip)
        self.clamp = clamp

    def _transform(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        s, t = _log_scale_and_shift(output, x2, self.clamp)
        return x2 * s.exp() + t, s

    def _transform_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        s, t = _log_scale_and_shift(output, z2, self.clamp)
        return (z2 - t) * (-s).exp(), -s

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, clamp={self.clamp}"


class AdditiveCoupling(Coupling):
    r"""Shift the transformed part: :math:`z_1 = x_1`, :math:`z_2 = x_2 + F(x_1, c)`.

    * inverse: :math:`x_1 = z_1`, :math:`x_2 = z_2 - F(z_1, c)`;
    * log-determinant: 0.

    NICE, Dinh et al. 2014 (arXiv 1410.8516), section 3.2. The arguments are those of :class:`Coupling`; the subnet
    returns one shift per value.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AdditiveCoupling
        >>> AdditiveCoupling(4, nn.Linear)(torch.randn(2, 4))[1]
        tensor([0., 0.])
    """

    outputs_per_value = 1

    def _transform(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        return x2 + require_output(output, x2, 1), x2.new_zeros(()).expand_as(x2)

    def _transform_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        return z2 - require_output(output, z2, 1), z2.new_zeros(()).expand_as(z2)


class CouplingPair(Chain):
    """Two couplings that transform both parts in turn, each with a subnet of its own; the first has ``flip``.

    The arguments are those of the coupling, without ``flip``.
    """

    coupling: ClassVar[type[Coupling]]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(self.coupling(*args, **options, flip=flip) for flip in (True, False))


class AffineCouplingPair(CouplingPair):
    r"""Two :class:`AffineCoupling` in turn: :math:`z_1 = x_1 e^{s_2} + t_2`, then :math:`z_2 = x_2 e^{s_1} + t_1`.

    Here :math:`(s_2, t_2) = F(x_2, c)` and :math:`(s_1, t_1) = G(z_1, c)`. The arguments are those of
    :class:`AffineCoupling`. RealNVP (arXiv 1605.08803), section 3.3; Glow, Kingma and Dhariwal 2018 (arXiv 1807.03039),
    table 1.
    """

    coupling = AffineCoupling


class AdditiveCouplingPair(CouplingPair):
    r"""Two :class:`AdditiveCoupling` in turn: :math:`z_1 = x_1 + F(x_2, c)`, then :math:`z_2 = x_2 + G(z_1, c)`.

    The arguments are those of :class:`AdditiveCoupling`. RevNet, Gomez et al. 2017 (arXiv 1707.04585), eq. 6.
    """

    coupling = AdditiveCoupling


class ConditionalAffine(Bijection):
    r"""Subtract what the condition predicts: :math:`z = (x - t) \odot e^{-s}`, :math:`(s, t) = F(c)`.

    * inverse: :math:`x = z \odot e^s + t`;
    * log-determinant: minus the sum of :math:`s` over channels and pixels.

    As a density it is a Gaussian of mean :math:`t(c)` and standard deviation :math:`e^{s(c)}`, so at the start of a
    chain it leaves to the couplings only what the condition cannot predict. The log-scale is softly clamped,
    :math:`s = \mathtt{clamp} \cdot \tfrac{2}{\pi} \arctan(\mathrm{raw})`. While the last layer of :math:`F` is zero it
    is the identity.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        subnet: builds :math:`F`: ``subnet(condition_channels, 2 * channels)``; it returns first all raw log-scales,
            then all shifts, at the spatial size of ``x``.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``.
        clamp: the bound of :math:`|s|`: no value is scaled by more than :math:`e^{\pm\mathtt{clamp}}`.

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
        x = self._data(x)
        output = run_network(self.subnet, require_condition(condition, self.condition_channels, x))
        with without_autocast(x):
            s, t = _log_scale_and_shift(output, x, self.clamp)
            return (x - t) * (-s).exp(), -sum_per_sample(s)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        output = run_network(self.subnet, require_condition(condition, self.condition_channels, z))
        with without_autocast(z):
            s, t = _log_scale_and_shift(output, z, self.clamp)
            return z * s.exp() + t, sum_per_sample(s)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, condition_channels={self.condition_channels}, clamp={self.clamp}"


def require_output(output: Tensor, like: Tensor, per_value: int) -> Tensor:
    """Return a subnet's output in the precision of the data ``like``, or refuse it.

    Args:
        output: ``(batch, per_value * channels, ...)``.
        like: the values to be transformed, ``(batch, channels, ...)``.
        per_value: how many outputs each value needs.
    """
    expected = (like.shape[0], per_value * like.shape[1], *like.shape[2:])
    if output.shape != expected:
        raise ShapeError(
            "The subnet returned shape {given} where {expected} is needed; correct its output size.",
            given=tuple(output.shape),
            expected=expected,
        )
    return output.to(like.dtype)


def _log_scale_and_shift(output: Tensor, like: Tensor, clamp: float) -> tuple[Tensor, Tensor]:
    """Return the soft-clamped log-scale and the shift, each of the shape of ``like``."""
    raw, shift = require_output(output, like, 2).chunk(2, dim=1)
    return soft_clamp(raw, clamp), shift
