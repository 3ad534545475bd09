"""A coupling with a flexible map: scale and shift, then a monotone curve of rational quadratics."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.flows.base import Bijection, Condition, ShapeError, require_condition
from cinn_app.flows.couplings import Coupling, CouplingPair, Identity, require_output
from cinn_app.flows.numerics import Subnet, run_network, soft_clamp, sum_per_sample, without_autocast

__all__ = ["ConditionalSpline", "SplineCoupling", "SplineCouplingPair", "bend", "unbend"]

#: The smallest bin as a share of all, and the smallest slope, which keep the curve invertible in float32.
MINIMUM = 1e-3


class SplineCoupling(Coupling):
    r"""Scale, shift and bend the transformed part: :math:`z_1 = x_1, \; z_2 = R_\theta(x_2 \odot e^s + t)`.

    Here :math:`(s, t, \theta) = F(x_1, c)`, and :math:`R_\theta` is a monotone curve through :math:`K + 1` knots that
    rises from :math:`(-B, -B)` to :math:`(B, B)` and is the identity outside. With :math:`\xi` the position within a
    bin, :math:`s_k` the bin's mean slope and :math:`\delta_k` the slopes at its knots,

    .. math::
        R(\xi) = y_k + \frac{(y_{k+1} - y_k) \, (s_k \xi^2 + \delta_k \xi (1 - \xi))}
                            {s_k + (\delta_{k+1} + \delta_k - 2 s_k) \, \xi (1 - \xi)}

    * inverse: the root of a quadratic in each bin, then :math:`(\cdot - t) \odot e^{-s}`;
    * log-determinant: the sum of :math:`s + \log R'_\theta` over channels and pixels.

    An affine coupling can only scale and shift a density; this one changes its shape, so that a flat density, such as
    that of uniform noise, becomes normal in a single step. Neural Spline Flows, Durkan et al. 2019 (arXiv 1906.04032),
    eqs. 4 to 8.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        subnet: builds :math:`F`, see :class:`Coupling`; for each value it returns :math:`3K + 1` numbers in sequence:
            raw log-scale, shift, widths, heights, inner slopes.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``; 0 ignores any condition.
        bins: :math:`K`, at least 2.
        bound: :math:`B`, where the curve ends.
        clamp: the bound of :math:`|s|`: before the curve no value is scaled by more than :math:`e^{\pm\mathtt{clamp}}`.
        identity, flip: how ``x`` is split, see :class:`Coupling`.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import SplineCoupling
        >>> coupling = SplineCoupling(4, nn.Linear, condition_channels=3)
        >>> x, condition = torch.randn(2, 4), torch.randn(2, 3)
        >>> z, log_det = coupling(x, condition)
        >>> torch.allclose(coupling.inverse(z, condition)[0], x, atol=1e-5)
        True
    """

    def __init__(
        self,
        channels: int,
        subnet: Subnet,
        condition_channels: int = 0,
        bins: int = 8,
        bound: float = 4.0,
        clamp: float = 2.0,
        *,
        identity: Identity | None = None,
        flip: bool = False,
    ) -> None:
        if bins < 2:
            raise ShapeError("A spline was given {bins} bins where at least 2 are needed; add bins.", bins=bins)
        self.outputs_per_value = 3 * bins + 1
        super().__init__(channels, subnet, condition_channels, identity=identity, flip=flip)
        self.bins, self.bound, self.clamp = bins, bound, clamp

    def _transform(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        return bend(x2, parameters_of(output, x2, self.outputs_per_value), self.bins, self.bound, self.clamp)

    def _transform_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        return unbend(z2, parameters_of(output, z2, self.outputs_per_value), self.bins, self.bound, self.clamp)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bins={self.bins}, bound={self.bound}, clamp={self.clamp}"


class SplineCouplingPair(CouplingPair):
    """Two :class:`SplineCoupling` in turn, so that both parts are transformed; the arguments are theirs."""

    coupling = SplineCoupling


class ConditionalSpline(Bijection):
    r"""Scale, shift and bend every value as the condition says: :math:`z = R_\theta(x \odot e^s + t)`.

    Here :math:`(s, t, \theta) = F(c)`, with the curve :math:`R_\theta` of :class:`SplineCoupling`.

    * inverse: as for :class:`SplineCoupling`;
    * log-determinant: the sum of :math:`s + \log R'_\theta` over channels and pixels.

    No value depends on another one, so it also suits data of a single channel, which no coupling can transform. While
    the last layer of :math:`F` is zero it is the identity.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        subnet: builds :math:`F`: ``subnet(condition_channels, (3 * bins + 1) * channels)``, with the outputs of
            :class:`SplineCoupling`, at the spatial size of ``x``.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``.
        bins, bound, clamp: of the curves, see :class:`SplineCoupling`.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import ConditionalSpline
        >>> spline = ConditionalSpline(1, nn.Linear, condition_channels=3)
        >>> x, condition = torch.randn(2, 1), torch.randn(2, 3)
        >>> torch.allclose(spline.inverse(spline(x, condition)[0], condition)[0], x, atol=1e-5)
        True
    """

    def __init__(
        self,
        channels: int,
        subnet: Subnet,
        condition_channels: int,
        bins: int = 8,
        bound: float = 4.0,
        clamp: float = 2.0,
    ) -> None:
        super().__init__()
        if bins < 2:
            raise ShapeError("A spline was given {bins} bins where at least 2 are needed; add bins.", bins=bins)
        self.channels, self.condition_channels = channels, condition_channels
        self.bins, self.bound, self.clamp = bins, bound, clamp
        self.subnet = subnet(condition_channels, (3 * bins + 1) * channels)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self._apply_curve(bend, self._data(x), condition)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self._apply_curve(unbend, self._latent(z), condition)

    def _apply_curve(self, curve: Any, values: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        output = run_network(self.subnet, require_condition(condition, self.condition_channels, values))
        with without_autocast(values):
            parameters = parameters_of(output, values, 3 * self.bins + 1)
            moved, log_slope = curve(values, parameters, self.bins, self.bound, self.clamp)
            return moved, sum_per_sample(log_slope)

    def extra_repr(self) -> str:
        return (
            f"channels={self.channels}, condition_channels={self.condition_channels}, bins={self.bins}, "
            f"bound={self.bound}, clamp={self.clamp}"
        )


def parameters_of(output: Tensor, like: Tensor, per_value: int) -> Tensor:
    """Return a subnet's output with the parameters of each value in a last dimension."""
    output = require_output(output, like, per_value)
    return output.unflatten(1, (like.shape[1], per_value)).movedim(2, -1)


def bend(x: Tensor, parameters: Tensor, bins: int, bound: float, clamp: float) -> tuple[Tensor, Tensor]:
    """Scale, shift and bend each value; return the results and the logarithms of the slopes.

    Args:
        x: values of any shape.
        parameters: ``(*x.shape, 3 * bins + 1)``: raw log-scale, shift, widths, heights, inner slopes; zeros give the
            identity.
        bins, bound, clamp: as for :class:`SplineCoupling`.
    """
    s, t, raw = soft_clamp(parameters[..., 0], clamp), parameters[..., 1], parameters[..., 2:]
    u = x * s.exp() + t
    bin_ = _curve(raw, bins, bound).bin_at(u, by_height=False)
    inside = u.abs() < bound
    z = torch.where(inside, bin_.height_at(u), u)
    return z, s + torch.where(inside, bin_.log_slope(bin_.position(u)), 0.0)


def unbend(z: Tensor, parameters: Tensor, bins: int, bound: float, clamp: float) -> tuple[Tensor, Tensor]:
    """Undo :func:`bend`; return the values and minus the logarithms of the slopes there."""
    s, t, raw = soft_clamp(parameters[..., 0], clamp), parameters[..., 1], parameters[..., 2:]
    bin_ = _curve(raw, bins, bound).bin_at(z, by_height=True)
    inside = z.abs() < bound
    xi = bin_.position_of_height(z)
    u = torch.where(inside, bin_.left + xi * bin_.width, z)
    log_slope = s + torch.where(inside, bin_.log_slope(xi), 0.0)
    return (u - t) * (-s).exp(), -log_slope


class _Bin(NamedTuple):
    """The bin of the curve that each value falls into; all tensors have the shape of the values."""

    left: Tensor
    width: Tensor
    bottom: Tensor
    height: Tensor
    slope_left: Tensor
    slope_right: Tensor

    @property
    def slope(self) -> Tensor:
        return self.height / self.width

    @property
    def curvature(self) -> Tensor:
        return self.slope_left + self.slope_right - 2 * self.slope

    def position(self, u: Tensor) -> Tensor:
        """Return the position of ``u`` in the bin, 0 to 1; values outside the curve are clamped to its ends."""
        return ((u - self.left) / self.width).clamp(0, 1)

    def height_at(self, u: Tensor) -> Tensor:
        """Return the height of the curve at ``u``."""
        xi = self.position(u)
        both = xi * (1 - xi)
        above = self.height * (self.slope * xi.square() + self.slope_left * both)
        return self.bottom + above / (self.slope + self.curvature * both)

    def log_slope(self, xi: Tensor) -> Tensor:
        """Return the logarithm of the slope at the position ``xi``."""
        both = xi * (1 - xi)
        numerator = self.slope_right * xi.square() + 2 * self.slope * both + self.slope_left * (1 - xi).square()
        return 2 * self.slope.log() + numerator.log() - 2 * (self.slope + self.curvature * both).log()

    def position_of_height(self, z: Tensor) -> Tensor:
        """Return the position at which the curve has the height ``z``, by the numerically stable quadratic formula."""
        above = (z - self.bottom).clamp(min=0).minimum(self.height)
        a = self.height * (self.slope - self.slope_left) + above * self.curvature
        b = self.height * self.slope_left - above * self.curvature
        c = -self.slope * above
        root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
        return (2 * c / (-b - root)).clamp(0, 1)


class _Curve(NamedTuple):
    """The knots of the curve of each value: ``(..., bins + 1)``."""

    x: Tensor
    y: Tensor
    slopes: Tensor

    def bin_at(self, values: Tensor, *, by_height: bool) -> _Bin:
        """Return the bin that each value falls into, as a position or as a height."""
        knots = (self.y if by_height else self.x)[..., 1:-1].detach()
        index = (values.detach()[..., None] >= knots).sum(-1, keepdim=True)

        def pick(table: Tensor, step: int = 0) -> Tensor:
            return table.gather(-1, index + step).squeeze(-1)

        left, bottom = pick(self.x), pick(self.y)
        return _Bin(
            left, pick(self.x, 1) - left, bottom, pick(self.y, 1) - bottom, pick(self.slopes), pick(self.slopes, 1)
        )


def _curve(raw: Tensor, bins: int, bound: float) -> _Curve:
    """Return the curve of ``(..., 3 * bins - 1)`` raw numbers; zeros give the identity."""
    widths, heights, slopes = raw.split([bins, bins, bins - 1], dim=-1)
    one = math.log(math.expm1(1 - MINIMUM))  # where softplus gives a slope of 1
    inner = MINIMUM + functional.softplus(slopes + one)
    return _Curve(_knots(widths, bound), _knots(heights, bound), functional.pad(inner, (1, 1), value=1.0))


def _knots(raw: Tensor, bound: float) -> Tensor:
    shares = MINIMUM + (1 - MINIMUM * raw.shape[-1]) * raw.softmax(-1)
    inner = bound * (2 * shares.cumsum(-1)[..., :-1] - 1)
    return torch.cat([torch.full_like(inner[..., :1], -bound), inner, torch.full_like(inner[..., :1], bound)], -1)
