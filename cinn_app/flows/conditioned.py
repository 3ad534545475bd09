"""A network between the condition and the bijection that it steers."""

from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.shapes import ShapeError

__all__ = ["Conditioned"]


class Conditioned(Bijection):
    r"""Steer a bijection by features of the condition: :math:`z = f(x; g(c))`.

    * inverse: :math:`x = f^{-1}(z; g(c))`;
    * log-determinant: that of :math:`f`; the conditioning network :math:`g` needs no inverse.

    What :math:`g` finds is computed once and read by every block of :math:`f`. Conditional INN, Ardizzone et al. 2019
    (arXiv 1907.02392), section 3.2.

    Args:
        network: :math:`g`, from one condition to one.
        bijection: :math:`f`.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AffineCoupling, Conditioned
        >>> flow = Conditioned(nn.Linear(10, 3), AffineCoupling(4, nn.Linear, condition_channels=3))
        >>> flow(torch.randn(2, 4), torch.randn(2, 10))[0].shape
        torch.Size([2, 4])
    """

    def __init__(self, network: nn.Module, bijection: Bijection) -> None:
        super().__init__()
        self.network, self.bijection = network, bijection

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z, log_det = self.bijection(x, self._features(condition))
        return z, log_det

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(z, self._features(condition))

    def _features(self, condition: Condition) -> Tensor:
        if not isinstance(condition, Tensor):
            raise ShapeError("A conditioning network reads one condition where none or several were given; pass one.")
        features: Tensor = self.network(condition)
        return features
