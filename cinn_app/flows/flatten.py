"""From images to vectors."""

import math
from collections.abc import Sequence

from torch import Tensor

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision, no_stretch
from cinn_app.flows.shapes import ShapeError

__all__ = ["Flatten"]


class Flatten(Bijection):
    r"""Lay all values of a sample in a row, so that what follows sees the whole image at once.

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
        return full_precision(_require(x, self.shape)).flatten(1), no_stretch(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return full_precision(_require(z, (math.prod(self.shape),))).unflatten(1, self.shape), no_stretch(z)

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


def _require(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    if values.shape[1:] != shape:
        raise ShapeError(
            f"The data have shape {tuple(values.shape)} where (batch, *{shape}) is needed; mend the shape."
        )
    return values
