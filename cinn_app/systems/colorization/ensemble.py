r"""Many colourings of one photograph as a linear model of what is plausible.

The flow draws the colours of the segments, at temperature 1 and without details. Across these draws, colours of
different places vary together: both sleeves of a coat, a lawn and the trees behind it. Linear regression across the
draws says how the colours of a photograph change where something about them is known, as in an ensemble Kalman filter
(Evensen 1994): with draws :math:`x`, an observation :math:`h(x)` of them and what is wanted, :math:`y`,

.. math:: x^* = x + \operatorname{Cov}(x, h) \, (\operatorname{Cov}(h, h) + R)^{-1} \, (y - h(x))
"""

import dataclasses

import torch
from torch import Tensor

__all__ = ["DRAWS", "Ensemble"]

#: How many colourings are drawn.
DRAWS = 64
#: A correlation below the first counts as chance, and one above the second as it is.
CHANCE, CERTAIN = 0.25, 0.6
#: Variance of an observation's error, as a share of its variance across the draws, and in Lab units squared.
RELATIVE_ERROR, ABSOLUTE_ERROR = 0.02, 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """Draws of the chroma of one photograph.

    Attributes:
        ab: Lab units, ``(draws, 2, height, width)``.
    """

    ab: Tensor

    @property
    def departures(self) -> Tensor:
        """The draws without their mean, ``(draws, 2, height, width)``."""
        return self.ab - self.ab.mean(0)

    def regress(self, measured: Tensor) -> Tensor:
        """Return how colours change where a measure of a colouring is one standard deviation larger.

        Args:
            measured: several measures of each draw, ``(draws, measures)``. Each is changed with the others unchanged.

        Returns:
            Lab units, ``(measures, 2, height, width)``.
        """
        spread = measured.std(0).clamp(min=1e-6)
        known = (measured - measured.mean(0)) / spread
        gram = known.T @ known / len(known) + RELATIVE_ERROR * torch.eye(known.shape[1], device=known.device)
        covariance = torch.einsum("nm,ncyx->mcyx", known, self.departures) / len(known)
        return torch.einsum("ml,lcyx->mcyx", torch.linalg.inv(gram), covariance)

    def update(self, ab: Tensor, weights: Tensor, wanted: Tensor, confidence: Tensor | None = None) -> Tensor:
        """Change colourings so that they have wanted colours at some places, and elsewhere what goes with them.

        No place changes by more, in proportion, than the places where the colours are wanted.

        Args:
            ab: the colourings in Lab units, ``(batch, 2, height, width)``.
            weights: of each place, with sum 1, ``(places, height, width)``.
            wanted: mean colour of each place in Lab units, ``(places, 2)``.
            confidence: of each wanted colour, 0 to 1, ``(places,)``; 1 by default.

        Returns:
            Chroma of the same shape.
        """
        draws, places = len(self.ab), len(weights)
        departures = self.departures
        seen = torch.einsum("ncyx,pyx->npc", departures, weights)
        missing = wanted - torch.einsum("ncyx,pyx->npc", ab, weights)
        spread, seen_spread = departures.std(0).clamp(min=0.1), seen.std(0).clamp(min=0.1)
        across = _shrink(torch.einsum("npd,ncyx->pdcyx", seen / seen_spread, departures / spread) / draws)
        among = _shrink(torch.einsum("npd,nqe->pdqe", seen / seen_spread, seen / seen_spread) / draws)
        gram = (among * seen_spread[:, :, None, None] * seen_spread).reshape(2 * places, 2 * places)
        error = RELATIVE_ERROR * seen_spread.square() + ABSOLUTE_ERROR
        if confidence is not None:
            error = error + (1 / confidence.clamp(min=1e-3) - 1)[:, None] * seen_spread.square()
        gram = gram + torch.diag(error.flatten() + 1e-3 * gram.diagonal().mean())
        pull = torch.linalg.solve(gram, missing.flatten(1).T).T.unflatten(1, (places, 2))
        gain = seen_spread[:, :, None, None, None] * torch.minimum(seen_spread[:, :, None, None, None], spread)
        return ab + torch.einsum("bpd,pdcyx->bcyx", pull, gain * across)


def _shrink(correlation: Tensor) -> Tensor:
    """Bring correlations that may be chance to zero."""
    return correlation * ((correlation.abs() - CHANCE) / (CERTAIN - CHANCE)).clamp(0, 1)
