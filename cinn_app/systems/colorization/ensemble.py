r"""Many colourings of one photograph, which say what is plausible for it and what belongs together.

The flow draws the colours of the segments, at temperature 1 and without details. Across these draws, colours of
different places vary together: both sleeves of a coat, a lawn and the trees behind it.
"""

import dataclasses

import torch
from torch import Tensor

__all__ = ["DRAWS", "Ensemble"]

#: How many colourings are drawn.
DRAWS = 64
#: A correlation below the first counts as chance, and one above the second as full.
CHANCE, FULL = 0.3, 0.7
#: The power of claims: the larger, the more the strongest one decides.
DECISION = 8
#: Added to the diagonal of what is inverted, as a share of it.
RIDGE = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """Draws of the chroma of one photograph.

    Attributes:
        ab: Lab units, ``(draws, 2, height, width)``.
    """

    ab: Tensor

    def regress(self, measured: Tensor) -> Tensor:
        """Return how colours change where a measure of a colouring is one standard deviation larger.

        Args:
            measured: several measures of each draw, ``(draws, measures)``. Each is changed with the others unchanged.

        Returns:
            Lab units, ``(measures, 2, height, width)``.
        """
        known = (measured - measured.mean(0)) / measured.std(0).clamp(min=1e-6)
        gram = known.T @ known / len(known)
        covariance = torch.einsum("nm,ncyx->mcyx", known, self.ab - self.ab.mean(0)) / len(known)
        return torch.einsum("ml,lcyx->mcyx", torch.linalg.inv(gram + RIDGE * torch.eye(len(gram)).to(gram)), covariance)

    def spread(self, ab: Tensor, weights: Tensor, wanted: Tensor) -> Tensor:
        r"""Give some places of colourings wanted colours, and what belongs to them the same change.

        .. math:: x + \max_p k_p \, \frac{\sum_p k_p^n \, \delta_p}{\sum_p k_p^n}, \quad
            k_p = \max(0, \operatorname{corr}(x, h_p)) \min(1, \sigma_x / \sigma_{h_p})

        for places with mean colours :math:`h_p`, at which :math:`\delta_p` is missing. Where several have a claim, the
        one that a colour goes with best decides, so that two hints cannot push a third colour to an extreme.
        Correlation and deviation are across the draws, over both channels, without the tint of each draw: a tint would
        connect everything. Correlations that may be chance are cut off.

        Args:
            ab: the colourings in Lab units, ``(batch, 2, height, width)``.
            weights: of each place, with sum 1, ``(places, height, width)``.
            wanted: mean colour of each place in Lab units, ``(places, 2)``.

        Returns:
            Chroma of the same shape.
        """
        departures = self.ab - self.ab.mean(0)
        departures = departures - departures.mean((2, 3), keepdim=True)
        seen = torch.einsum("ncyx,pyx->npc", departures, weights)
        sizes = departures.square().sum((0, 1)).sqrt().clamp(min=1e-3)
        seen_sizes = seen.square().sum((0, 2)).sqrt().clamp(min=1e-3)[:, None, None]
        correlation = torch.einsum("npc,ncyx->pyx", seen, departures) / (sizes * seen_sizes)
        kernel = ((correlation - CHANCE) / (FULL - CHANCE)).clamp(0, 1) * (sizes / seen_sizes).clamp(max=1)
        claims = kernel**DECISION
        shares = kernel.amax(0) * claims / claims.sum(0).clamp(min=1e-12)
        missing = wanted - torch.einsum("bcyx,pyx->bpc", ab, weights)
        return ab + torch.einsum("bpc,pyx->bcyx", missing, shares)
