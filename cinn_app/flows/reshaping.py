"""Maps between space and channels: Haar wavelets, squeeze, flatten; and zero padding, which is no bijection."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition, LatentShape, Shape, ShapeError
from cinn_app.flows.numerics import full_precision, zero_log_det

__all__ = ["Flatten", "HaarDownsampling", "Squeeze", "ZeroPadding"]


class _Downsampling(Bijection):
    """From space to channels: ``(c, *sizes)`` to ``(2**d * c, *sizes / 2)`` for ``d`` spatial dimensions."""

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        channels, *sizes = event_shape or (0,)
        if not sizes or any(size % 2 for size in sizes):
            raise ShapeError(
                "{block} was given values of shape {given} after the batch where (channels, *even sizes) is needed; "
                "crop or pad them to even sizes.",
                block=type(self).__name__,
                given=event_shape,
            )
        return (channels * 2 ** len(sizes), *[size // 2 for size in sizes])

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        channels, *sizes = cast(Shape, latent_shape) or (0,)
        corners = 2 ** len(sizes)
        if not sizes or channels % corners:
            raise ShapeError(
                "{block} was given a latent of shape {given} after the batch, whose channels are not a multiple of "
                "{corners}; give it the shape that forward returns.",
                block=type(self).__name__,
                given=latent_shape,
                corners=corners,
            )
        return (channels // corners, *[2 * size for size in sizes])


def _corners(x: Tensor) -> list[Tensor]:
    """Split each block of ``2**d`` values into its corners; in 2-D top left, top right, bottom left, bottom right."""
    corners = [x]
    for dim in range(2, x.dim()):
        every_dim = (slice(None),) * dim
        corners = [corner[(*every_dim, slice(start, None, 2))] for corner in corners for start in (0, 1)]
    return corners


def _from_corners(corners: Sequence[Tensor]) -> Tensor:
    """Undo :func:`_corners`."""
    dims = corners[0].dim() - 2
    blocks = torch.stack(list(corners), dim=2).unflatten(2, (2,) * dims)
    interleaved = [axis for dim in range(dims) for axis in (2 + dims + dim, 2 + dim)]
    return blocks.permute(0, 1, *interleaved).reshape(*corners[0].shape[:2], *[2 * n for n in corners[0].shape[2:]])


class HaarDownsampling(_Downsampling):
    r"""The orthonormal Haar transform of each block of 2, 2x2 or 2x2x2 values, from space to channels.

    In two dimensions, for each block :math:`(a, b; c, d)`,

    .. math::
        z = \tfrac12 (a + b + c + d, \; a - b + c - d, \; a + b - c - d, \; a - b - c + d)

    * inverse: the same matrix, since it is symmetric and orthogonal;
    * log-determinant: 0.

    Shapes: ``(batch, c, *sizes)`` to ``(batch, 2**d * c, *sizes / 2)`` for ``d`` spatial dimensions of even sizes.
    Channel order: first all ``c`` low-pass channels, then ``c`` channels for each kind of detail, in 2-D horizontal,
    vertical and diagonal. The low-pass is :math:`2^{d/2}` times the mean of the block, in 2-D *twice* the mean, which
    preserves volume: divide by this factor to get the units of ``x``.

    Raises:
        ShapeError: if a size is odd, or there are no spatial dimensions.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import HaarDownsampling
        >>> HaarDownsampling()(torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]]))[0].flatten()
        tensor([ 6., -2., -3.,  1.])
        >>> HaarDownsampling()(torch.ones(1, 1, 8, 8, 8))[0].shape
        torch.Size([1, 8, 4, 4, 4])
    """

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        return torch.cat(_hadamard(_corners(x * 2 ** (1 - x.dim() / 2))), dim=1), zero_log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        bands = (z * 2 ** (1 - z.dim() / 2)).chunk(2 ** (z.dim() - 2), dim=1)
        return _from_corners(_hadamard(bands)), zero_log_det(z)


def _hadamard(corners: Sequence[Tensor]) -> list[Tensor]:
    """Return the Walsh-Hadamard transform: all sums and differences of ``2**d`` tensors."""
    if len(corners) == 1:
        return list(corners)
    half = len(corners) // 2
    pairs = list(zip(_hadamard(corners[:half]), _hadamard(corners[half:]), strict=True))
    return [a + b for a, b in pairs] + [a - b for a, b in pairs]


class Squeeze(_Downsampling):
    r"""Rearrange each block of 2, 2x2 or 2x2x2 values into channels, in 2-D :math:`(a, b; c, d)` as :math:`a, d, b, c`.

    * inverse: rearrange them back;
    * log-determinant: 0.

    Shapes: ``(batch, c, *sizes)`` to ``(batch, 2**d * c, *sizes / 2)`` for ``d`` spatial dimensions of even sizes.
    Channel order: first the corners whose indices have an even sum, in 2-D all ``c`` channels of the top left pixels
    and then of the bottom right ones, then the corners with an odd sum, top right and bottom left. So the two halves of
    the channels are the two colours of a checkerboard: RealNVP (arXiv 1605.08803), section 3.4 and figure 3.

    Raises:
        ShapeError: if a size is odd, or there are no spatial dimensions.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Squeeze
        >>> Squeeze()(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))[0].flatten()
        tensor([1., 4., 2., 3.])
        >>> Squeeze()(torch.arange(6.0).view(1, 1, 6))[0]
        tensor([[[0., 2., 4.],
                 [1., 3., 5.]]])
    """

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        corners = _corners(x)
        return torch.cat([corners[index] for index in _even_first(len(corners))], dim=1), zero_log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        parts = z.chunk(2 ** (z.dim() - 2), dim=1)
        by_index = sorted(zip(_even_first(len(parts)), parts, strict=True), key=lambda pair: pair[0])
        return _from_corners([corner for _, corner in by_index]), zero_log_det(z)


def _even_first(count: int) -> list[int]:
    """Return the numbers of the corners, those whose binary digits have an even sum first."""
    return sorted(range(count), key=lambda corner: corner.bit_count() % 2)


class Flatten(Bijection):
    r"""Flatten each sample into a vector, so that the following blocks see all of it at once.

    * inverse: back into the shape;
    * log-determinant: 0.

    Shapes: ``(batch, *shape)`` to ``(batch, n)``, with ``n`` the product of ``shape``.

    Args:
        shape: of one sample, such as ``(channels, height, width)``.

    Raises:
        ShapeError: if the data have another shape, or the latent another number of values.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Flatten
        >>> Flatten((3, 2, 2))(torch.zeros(5, 3, 2, 2))[0].shape
        torch.Size([5, 12])
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self._data(x).flatten(1), zero_log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self._latent(z).unflatten(1, self.shape), zero_log_det(z)

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        return _require_shape(event_shape, self.shape, (math.prod(self.shape),))

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        return _require_shape(latent_shape, (math.prod(self.shape),), self.shape)

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


def _require_shape(given: LatentShape, expected: Shape, result: Shape) -> Shape:
    if given != expected:
        raise ShapeError(
            "Flatten was given values of shape {given} after the batch where {expected} is needed; build it for the "
            "shape of the data.",
            given=given,
            expected=expected,
        )
    return result


class ZeroPadding(nn.Module):
    r"""Append channels of zeros: :math:`z = (x, 0)`, an embedding into more dimensions.

    It is not a :class:`Bijection`, since it does not preserve the number of values: :meth:`inverse` drops the padding
    whatever it holds, so that ``inverse(forward(x)) = x`` always, but ``forward(inverse(z)) = z`` only if the padding
    of ``z`` is zero. Padded data have no density, so :class:`NormalizingFlow` and :class:`Chain` refuse
    it. Apply it to the data of an INN that is trained by other losses, one of which keeps the padding small
    (Ardizzone et al. 2019, arXiv 1808.04730, section 3.2).

    Args:
        channels: how many channels of zeros to append.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import ZeroPadding
        >>> ZeroPadding(2)(torch.ones(1, 3))
        tensor([[1., 1., 1., 0., 0.]])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Append the padding: ``(batch, n, ...)`` to ``(batch, n + channels, ...)``."""
        after = [0, 0] * (x.dim() - 2) + [0, self.channels]
        return nn.functional.pad(full_precision(x), after)

    def inverse(self, z: Tensor) -> Tensor:
        """Drop the padding: ``(batch, n + channels, ...)`` to ``(batch, n, ...)``."""
        if z.shape[1] <= self.channels:
            raise ShapeError(
                "The values have {given} channels where more than the {channels} of padding are needed; give the shape "
                "that forward returns.",
                given=z.shape[1],
                channels=self.channels,
            )
        return full_precision(z)[:, : z.shape[1] - self.channels]

    def extra_repr(self) -> str:
        return f"channels={self.channels}"
