"""Room for a flow that needs more channels than the data have."""

from torch import Tensor
from torch.nn.functional import pad

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision, no_stretch
from cinn_app.flows.shapes import ShapeError

__all__ = ["ZeroPadding"]


class ZeroPadding(Bijection):
    r"""Append channels of zeros: :math:`z = (x, 0)`.

    * inverse: :math:`x` is all but the last ``channels`` of :math:`z`, whatever those hold;
    * log-determinant: 0.

    The exception among the blocks: it is a bijection only onto its image, since the number of values is *not*
    kept. ``inverse(forward(x)) = x`` always, but ``forward(inverse(z)) = z`` only where the padding of ``z``
    is zero, so a likelihood behind it is that of the padded data; an INN keeps the padding small by a term of
    its loss (Ardizzone et al. 2019, arXiv 1808.04730, section 3.2).

    Args:
        channels: how many channels of zeros to append.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import ZeroPadding
        >>> ZeroPadding(2)(torch.ones(1, 3))[0]
        tensor([[1., 1., 1., 0., 0.]])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        behind = [0, 0] * (x.dim() - 2) + [0, self.channels]
        return pad(full_precision(x), behind), no_stretch(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        if z.shape[1] <= self.channels:
            raise ShapeError(
                f"The latent has {z.shape[1]} channels where more than the {self.channels} of padding are "
                "needed; give it the shape that the forward map made."
            )
        return full_precision(z)[:, : z.shape[1] - self.channels], no_stretch(z)

    def extra_repr(self) -> str:
        return f"channels={self.channels}"
