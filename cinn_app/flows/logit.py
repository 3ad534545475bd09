"""From a bounded range to the whole line."""

import math

import torch
from torch import Tensor

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision, sum_per_sample

__all__ = ["Logit"]


class Logit(Bijection):
    r"""Open up a bounded range: :math:`z = \mathrm{logit}(p), \; p = m + (1 - 2m) \, x` for ``x`` in 0..1.

    * inverse: :math:`x = (\mathrm{sigmoid}(z) - m) / (1 - 2m)`;
    * log-determinant: the sum of :math:`\log(1 - 2m) - \log p - \log(1 - p)` over all values.

    Densities pile up at the ends of a bounded range, in pictures at black and white. This spreads them out there, and
    keeps what is generated inside. RealNVP, Dinh et al. 2016 (arXiv 1605.08803), section 4.1.

    Args:
        margin: :math:`m`, what is left free at both ends, so that 0 and 1 stay finite.

    Values of ``x`` beyond the range by :math:`m / (1 - 2m)` or more have no image and become infinite or nan.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Logit
        >>> Logit(0.05)(torch.tensor([[0.0, 0.5, 1.0]]))[0]
        tensor([[-2.9444,  0.0000,  2.9444]])
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        p = self.margin + (1 - 2 * self.margin) * full_precision(x)
        stretch = math.log(1 - 2 * self.margin) - p.log() - (-p).log1p()
        return p.logit(), sum_per_sample(stretch)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = full_precision(z)
        log_p, log_rest = torch.nn.functional.logsigmoid(z), torch.nn.functional.logsigmoid(-z)
        stretch = log_p + log_rest - math.log(1 - 2 * self.margin)
        return (z.sigmoid() - self.margin) / (1 - 2 * self.margin), sum_per_sample(stretch)

    def extra_repr(self) -> str:
        return f"margin={self.margin}"
