"""A coupling whose map bends: scale and shift, then a monotone curve of rational quadratics."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.flows.coupling import Coupling
from cinn_app.flows.numerics import Subnet, soft_clamp, sum_per_sample
from cinn_app.flows.shapes import ShapeError

__all__ = ["SplineCoupling"]

#: The smallest bin, as a share of all, and the smallest slope: what keeps the curve invertible in float32.
MINIMUM = 1e-3


class SplineCoupling(Coupling):
    r"""Scale, shift and bend one half: :math:`z_1 = x_1, \; z_2 = R_\theta(x_2 \odot e^s + t)`.

    Here :math:`(s, t, \theta) = F(x_1, c)` and :math:`R_\theta` is a monotone curve through :math:`K + 1` knots that
    climbs from :math:`(-B, -B)` to :math:`(B, B)` and is the identity beyond. With :math:`\xi` the place within a bin,
    :math:`s_k` the bin's mean slope and :math:`\delta_k` the slopes at its knots,

    .. math::
        R(\xi) = y_k + \frac{(y_{k+1} - y_k) \, (s_k \xi^2 + \delta_k \xi (1 - \xi))}
                            {s_k + (\delta_{k+1} + \delta_k - 2 s_k) \, \xi (1 - \xi)}

    * inverse: the root of a quadratic in each bin, then :math:`(\cdot - t) \odot e^{-s}`;
    * log-determinant: the sum of :math:`s + \log R'_\theta` over channels and pixels.

    An affine coupling can only stretch a density; this one changes its shape, so a flat one, such as that of uniform
    noise, becomes normal in a single step. Neural Spline Flows, Durkan et al. 2019 (arXiv 1906.04032), eq. 4 to 8.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``, at least 2.
        subnet: builds :math:`F`: ``subnet(in_channels, out_channels)``; for every value that moves it gives
            :math:`3K + 1` numbers, one after the other: raw log-scale, shift, widths, heights, inner slopes.
        condition_channels: those of ``c`` of shape ``(batch, condition_channels, ...)``; 0 ignores any condition.
        bins: :math:`K`, at least 2.
        bound: :math:`B`, where the curve ends.
        clamp: before it is bent, no value is stretched or shrunk by more than :math:`e^\mathtt{clamp}`.
        flip: let :math:`x_2` stay and :math:`x_1` move, so that chains can alternate.

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
        flip: bool = False,
    ) -> None:
        if bins < 2:
            raise ShapeError(f"A spline was given {bins} bins where at least 2 are needed; add bins.")
        self.outputs_per_channel = 3 * bins + 1
        super().__init__(channels, subnet, condition_channels, flip=flip)
        self.bins, self.bound, self.clamp = bins, bound, clamp

    def _move(self, x2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        s, t, raw = self._read(output, x2)
        u = x2 * s.exp() + t
        bend = _bins(raw, self.bins, self.bound).at(u, by_height=False)
        inside = u.abs() < self.bound
        z2 = torch.where(inside, bend.rise(u), u)
        return z2, sum_per_sample(s + torch.where(inside, bend.log_slope(bend.place(u)), 0.0))

    def _move_back(self, z2: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        s, t, raw = self._read(output, z2)
        bend = _bins(raw, self.bins, self.bound).at(z2, by_height=True)
        inside = z2.abs() < self.bound
        place = bend.place_of_height(z2)
        u = torch.where(inside, bend.left + place * bend.width, z2)
        stretch = s + torch.where(inside, bend.log_slope(place), 0.0)
        return (u - t) * (-s).exp(), -sum_per_sample(stretch)

    def _read(self, output: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read the subnet's output as log-scale and shift, like the data, and the raw spline in a last dimension."""
        expected = (like.shape[0], like.shape[1] * self.outputs_per_channel, *like.shape[2:])
        if output.shape != expected:
            raise ShapeError(f"The subnet made {tuple(output.shape)} where {expected} is needed; mend its sizes.")
        parameters = output.to(like.dtype).unflatten(1, (like.shape[1], self.outputs_per_channel)).movedim(2, -1)
        return soft_clamp(parameters[..., 0], self.clamp), parameters[..., 1], parameters[..., 2:]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bins={self.bins}, bound={self.bound}, clamp={self.clamp}"


class _Bin(NamedTuple):
    """The bin that each value falls into: all tensors of the values' shape."""

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

    def place(self, u: Tensor) -> Tensor:
        """Return where in the bin ``u`` lies, 0 to 1; values beyond the curve are held at its ends."""
        return ((u - self.left) / self.width).clamp(0, 1)

    def rise(self, u: Tensor) -> Tensor:
        """Return the curve's height over ``u``."""
        xi = self.place(u)
        both = xi * (1 - xi)
        above = self.height * (self.slope * xi.square() + self.slope_left * both)
        return self.bottom + above / (self.slope + self.curvature * both)

    def log_slope(self, xi: Tensor) -> Tensor:
        """Return the logarithm of the curve's slope."""
        both = xi * (1 - xi)
        numerator = self.slope_right * xi.square() + 2 * self.slope * both + self.slope_left * (1 - xi).square()
        return 2 * self.slope.log() + numerator.log() - 2 * (self.slope + self.curvature * both).log()

    def place_of_height(self, z: Tensor) -> Tensor:
        """Solve for the place in the bin at which the curve has the height ``z``, in the form that loses no digits."""
        above = (z - self.bottom).clamp(min=0).minimum(self.height)
        a = self.height * (self.slope - self.slope_left) + above * self.curvature
        b = self.height * self.slope_left - above * self.curvature
        c = -self.slope * above
        root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
        return (2 * c / (-b - root)).clamp(0, 1)


class _Bins(NamedTuple):
    """The knots of a curve for each value: ``(..., bins + 1)``."""

    x: Tensor
    y: Tensor
    slopes: Tensor

    def at(self, values: Tensor, *, by_height: bool) -> _Bin:
        """Pick the bin that each value falls into, by where it lies or by how high."""
        knots = (self.y if by_height else self.x)[..., 1:-1].detach()
        index = (values.detach()[..., None] >= knots).sum(-1, keepdim=True)

        def pick(table: Tensor, step: int = 0) -> Tensor:
            return table.gather(-1, index + step).squeeze(-1)

        left, bottom = pick(self.x), pick(self.y)
        return _Bin(
            left, pick(self.x, 1) - left, bottom, pick(self.y, 1) - bottom, pick(self.slopes), pick(self.slopes, 1)
        )


def _bins(raw: Tensor, bins: int, bound: float) -> _Bins:
    """Make knots of ``(..., 3 * bins - 1)`` raw numbers; of zeros, those of the identity."""
    widths, heights, slopes = raw.split([bins, bins, bins - 1], dim=-1)
    one = math.log(math.expm1(1 - MINIMUM))  # where softplus gives a slope of 1
    inner = MINIMUM + functional.softplus(slopes + one)
    return _Bins(_knots(widths, bound), _knots(heights, bound), functional.pad(inner, (1, 1), value=1.0))


def _knots(raw: Tensor, bound: float) -> Tensor:
    shares = MINIMUM + (1 - MINIMUM * raw.shape[-1]) * raw.softmax(-1)
    inner = bound * (2 * shares.cumsum(-1)[..., :-1] - 1)
    return torch.cat([torch.full_like(inner[..., :1], -bound), inner, torch.full_like(inner[..., :1], bound)], -1)
