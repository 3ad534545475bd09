"""Whether a photograph is a negative: light and dark exchanged."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.systems.colorization.decoder import FEATURE_SCALE

__all__ = ["Polarity"]

#: The threshold, divided by the highest score of photographs that were not learnt from: others, such as pictures of
#: textures alone, score higher.
MARGIN = 1.1
#: Weight of the squared weights in the fit.
RIDGE = 0.01
#: With fewer photographs there is no fit.
FEWEST = 400


class Polarity(nn.Module):
    r"""A linear comparison of a photograph with its negative.

    .. math:: s(L) = w \cdot (f(100 - L) - f(L)) - t

    with the encoder's features :math:`f` at strides 16 and 32, averaged over the picture. Without :math:`t` the sign of
    `s` changes where light and dark are exchanged. Before :meth:`fit` no photograph is a negative.

    Args:
        channels: of the features at both strides together.
    """

    weight: Tensor
    threshold: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(channels))
        self.register_buffer("threshold", torch.ones(()))

    def forward(self, features: Sequence[Tensor], of_negative: Sequence[Tensor]) -> Tensor:
        """Return the scores of a batch of photographs, ``(batch,)``: above 0 for what is likely a negative.

        Args:
            features: the encoder's, at strides 8, 16 and 32.
            of_negative: the same of ``100 - L``.
        """
        return self.difference(features, of_negative) @ self.weight - self.threshold

    @staticmethod
    def difference(features: Sequence[Tensor], of_negative: Sequence[Tensor]) -> Tensor:
        """Return how the averaged features change with the exchange, ``(batch, channels)``."""
        photograph, negative = (
            torch.cat([part.float().mean((2, 3)) / FEATURE_SCALE for part in parts[1:]], 1)
            for parts in (features, of_negative)
        )
        return negative - photograph

    @torch.no_grad()
    def fit(self, learnt: Tensor, held_out: Tensor) -> None:
        """Fit the weights by logistic regression, and the threshold on photographs that the encoder has not seen.

        Args:
            learnt: differences of photographs that are no negatives, ``(photographs, channels)``. Fewer than 400 are
                ignored.
            held_out: those of others.
        """
        if len(learnt) < FEWEST:
            return
        deviation = learnt.std(0).clamp(min=1e-3)
        weight = torch.zeros_like(deviation, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

        @torch.enable_grad()
        def loss() -> Tensor:
            optimiser.zero_grad()
            value = functional.softplus(learnt / deviation @ weight).mean() + RIDGE * weight.square().sum()
            value.backward()
            return value

        optimiser.step(loss)
        self.weight.copy_(weight / deviation)
        self.threshold.copy_(MARGIN * (held_out @ self.weight).max().clamp(min=0))
