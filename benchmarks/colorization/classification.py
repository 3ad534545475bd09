r"""Colour as a class per pixel, after Zhang, Isola and Efros 2016 (arXiv 1603.08511).

The ab plane is cut into bins of 10 units inside sRGB. The target is spread over the five nearest bins, rare colours
weigh more, and one picture is made by the annealed mean, between the mode and the mean of what is predicted.
"""

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import rgb_to_lab
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from colorization.baseline import Baseline

#: Side of a bin and width of the Gaussian that spreads a target and smooths the prior, in Lab units.
STEP, SIGMA = 10, 5.0
#: Bins that share one target.
NEIGHBOURS = 5
#: How much of the prior is replaced by the uniform one before rare colours are weighed.
UNIFORM = 0.5
#: The annealed mean's temperature: 1 is the mean, 0 the mode.
ANNEALING = 0.38


def gamut_bins() -> Tensor:
    """Return the centres of the bins that colours of sRGB fall into, ``(bins, 2)``: 260 of them, 313 in the paper."""
    levels = torch.linspace(0, 1, 52)
    colours = torch.cartesian_prod(levels, levels, levels).T[:, None]  # a picture of one row
    bins = (rgb_to_lab(colours)[1:, 0].T / STEP).round().unique(dim=0)
    return STEP * bins


def soft_encode(ab: Tensor, bins: Tensor) -> tuple[Tensor, Tensor]:
    """Spread chroma over the nearest bins.

    Args:
        ab: Lab units, ``(batch, 2, height, width)``.
        bins: ``(bins, 2)``.

    Returns:
        The numbers of the nearest bins, nearest first, and their shares, which add up to 1; both
        ``(batch, 5, height, width)``.
    """
    distances, nearest = torch.cdist(ab.movedim(1, -1).flatten(0, -2), bins).topk(NEIGHBOURS, largest=False)
    shares = torch.softmax(-distances.square() / (2 * SIGMA**2), dim=1)
    size = (len(ab), *ab.shape[-2:], NEIGHBOURS)
    return nearest.view(size).movedim(-1, 1), shares.view(size).movedim(-1, 1)


def annealed_mean(scores: Tensor, bins: Tensor, temperature: float = ANNEALING) -> Tensor:
    r"""Mean of the bins under the distribution sharpened by a temperature, :math:`p^{1/T} / \sum p^{1/T}`.

    Args:
        scores: unnormalised log-probabilities, ``(batch, bins, height, width)``.
        bins: ``(bins, 2)``.
        temperature: :math:`T`.

    Returns:
        Lab units, ``(batch, 2, height, width)``.
    """
    return torch.einsum("bqhw,qc->bchw", torch.softmax(scores / temperature, dim=1), bins)


def rarity_weights(ab: Tensor, bins: Tensor) -> Tensor:
    r"""Weigh bins by :math:`w \propto ((1 - \lambda) \tilde p + \lambda / Q)^{-1}`, so that :math:`E_p[w] = 1`.

    Args:
        ab: chroma of many pictures, Lab units, ``(pictures, 2, height, width)``.
        bins: ``(bins, 2)``, :math:`Q` of them.

    Returns:
        ``(bins,)``.
    """
    nearest = soft_encode(ab, bins)[0][:, 0]
    share = torch.bincount(nearest.flatten(), minlength=len(bins)) / nearest.numel()
    kernel = torch.softmax(-torch.cdist(bins, bins).square() / (2 * SIGMA**2), dim=1)
    smooth = share @ kernel
    weights = 1 / ((1 - UNIFORM) * smooth + UNIFORM / len(bins))
    return weights / (share * weights).sum()


class SoftClassification(Baseline):
    """Cross entropy with spread targets and rare colours weighed; coloured by the annealed mean."""

    bins: Tensor
    weights: Tensor

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        bins = gamut_bins()
        super().__init__(encoder, recipe, len(bins))
        self.register_buffer("bins", bins)
        self.register_buffer("weights", rarity_weights(ab, bins))

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return the weighed cross entropy of a pixel."""
        scores = self.read(batch.lightness, batch.features).mean.float()
        nearest, shares = soft_encode(batch.ab, self.bins)
        entropy = -(shares * functional.log_softmax(scores, dim=1).gather(1, nearest)).sum(1)
        return (self.weights[nearest[:, 0]] * entropy).mean()

    def centre(self, lightness: Tensor) -> Tensor:
        """Return the annealed mean."""
        return annealed_mean(self.read(lightness).mean.float(), self.bins)
