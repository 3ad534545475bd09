"""From space to channels: the orthonormal Haar transform, and a plain rearrangement."""

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision, no_stretch
from cinn_app.flows.shapes import ShapeError, require_even

__all__ = ["HaarDownsampling", "Squeeze"]


def _corners(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split each 2x2 block: top left, top right, bottom left, bottom right, each ``(b, c, h/2, w/2)``."""
    require_even(x)
    x = full_precision(x)
    top, bottom = x[:, :, 0::2], x[:, :, 1::2]
    return top[..., 0::2], top[..., 1::2], bottom[..., 0::2], bottom[..., 1::2]


def _from_corners(*corners: Tensor) -> Tensor:
    """Undo :func:`_corners`."""
    return pixel_shuffle(torch.stack(corners, dim=2).flatten(1, 2), 2)


def _quarters(z: Tensor) -> tuple[Tensor, ...]:
    """Split the channels into four groups."""
    if z.dim() != 4 or z.shape[1] % 4:
        raise ShapeError(
            f"The latent has shape {tuple(z.shape)} where (batch, 4 * channels, height, width) is needed; "
            "give it the shape that the forward map made."
        )
    return full_precision(z).chunk(4, dim=1)


class HaarDownsampling(Bijection):
    r"""The orthonormal Haar transform of every 2x2 block :math:`(a, b; c, d)`, from space to channels.

    .. math::
        z = \tfrac12 (a + b + c + d, \; a - b + c - d, \; a + b - c - d, \; a - b - c + d)

    * inverse: the same matrix, for it is symmetric and orthogonal;
    * log-determinant: 0.

    Shapes: ``(batch, c, h, w)`` to ``(batch, 4 * c, h / 2, w / 2)`` for even ``h`` and ``w``. Channel order:
    first all ``c`` low-pass channels, then ``c`` horizontal, ``c`` vertical and ``c`` diagonal details. The
    low-pass is *twice* the mean of the block, which is what keeps volume: divide by 2 to come back to the
    units of ``x``.

    Raises:
        ShapeError: if height or width is odd.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import HaarDownsampling
        >>> HaarDownsampling()(torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]]))[0].flatten()
        tensor([ 6., -2., -3.,  1.])
    """

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return torch.cat(self._butterfly(*_corners(x)), dim=1), no_stretch(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return _from_corners(*self._butterfly(*_quarters(z))), no_stretch(z)

    @staticmethod
    def _butterfly(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ab, cd, a_b, c_d = (a + b) / 2, (c + d) / 2, (a - b) / 2, (c - d) / 2
        return ab + cd, a_b + c_d, ab - cd, a_b - c_d


class Squeeze(Bijection):
    r"""Lay every 2x2 block :math:`(a, b; c, d)` into channels: :math:`z = (a, d, b, c)`.

    * inverse: lay them back;
    * log-determinant: 0.

    Shapes: ``(batch, c, h, w)`` to ``(batch, 4 * c, h / 2, w / 2)`` for even ``h`` and ``w``. Channel order:
    all ``c`` channels of the top left pixels, then bottom right, top right, bottom left. So the two halves of
    the channels are the two colours of a checkerboard, and a coupling that follows is masked like one:
    RealNVP (arXiv 1605.08803), section 3.4 and figure 3.

    Raises:
        ShapeError: if height or width is odd.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Squeeze
        >>> Squeeze()(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))[0].flatten()
        tensor([1., 4., 2., 3.])
    """

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        a, b, c, d = _corners(x)
        return torch.cat([a, d, b, c], dim=1), no_stretch(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        a, d, b, c = _quarters(z)
        return _from_corners(a, b, c, d), no_stretch(z)
