"""How near colourings come to the truth, how they differ, and how colourful they are."""

import torch
from torch import Tensor

__all__ = [
    "best_of",
    "colourfulness",
    "deviation",
    "oracle_error",
    "pairwise_distance",
    "picture_rmse",
    "variance",
]


def picture_rmse(ab: Tensor, truth: Tensor) -> Tensor:
    r"""Root mean squared error over a picture's pixels and both channels, in Lab units.

    .. math:: \sqrt{\operatorname{mean}_{p, c} (ab_{pc} - \widehat{ab}_{pc})^2}

    Args:
        ab: ``(..., 2, height, width)``.
        truth: of the same shape, or broadcast to it.

    Returns:
        One number per picture, ``(...)``.
    """
    return (ab - truth).square().mean((-3, -2, -1)).sqrt()


def best_of(samples: Tensor, truth: Tensor) -> Tensor:
    """Error of the whole colouring that comes nearest to the truth, in Lab units.

    Not the cINN paper's :func:`oracle_error`, which picks the best sample for every pixel and channel anew.

    Args:
        samples: ``(samples, 2, height, width)``.
        truth: ``(2, height, width)``.

    Returns:
        A scalar.
    """
    return picture_rmse(samples, truth).min()


def deviation(samples: Tensor) -> Tensor:
    """Standard deviation over the samples at each pixel and channel, averaged over both, in Lab units.

    Args:
        samples: ``(samples, 2, height, width)``, at least two.
    """
    return samples.std(0).mean()


def oracle_error(samples: Tensor, truth: Tensor) -> Tensor:
    r"""Squared error of an oracle that takes, for every pixel and channel anew, the sample nearest to the truth.

    .. math:: \operatorname{mean}_{p, c} \min_k (x_{kpc} - \hat x_{pc})^2

    What the cINN paper prints as "MSE best of 8" is, by its authors' code, 100 times the root of this mean over all
    pictures, of RGB in 0..1. No single sample need be that near: noise alone brings it down.

    Args:
        samples: ``(samples, channels, height, width)``.
        truth: ``(channels, height, width)``.

    Returns:
        A scalar.
    """
    return (samples - truth).square().amin(0).mean()


def variance(samples: Tensor) -> Tensor:
    """Variance over the samples, by their number, at each pixel and channel, averaged over both.

    Args:
        samples: ``(samples, channels, height, width)``.
    """
    return samples.var(0, correction=0).mean()


def pairwise_distance(samples: Tensor) -> Tensor:
    """Root mean squared difference of two samples, whole pictures, averaged over all pairs.

    Args:
        samples: ``(samples, 2, height, width)``, at least two.

    Returns:
        A scalar, in Lab units.
    """
    first, second = torch.combinations(torch.arange(len(samples))).T.tolist()
    return torch.stack([picture_rmse(samples[i], samples[j]) for i, j in zip(first, second, strict=True)]).mean()


def colourfulness(rgb: Tensor) -> Tensor:
    r"""Colourfulness after Hasler and Suesstrunk (2003), of sRGB in 0..255.

    .. math::
        C = \sqrt{\sigma_{rg}^2 + \sigma_{yb}^2} + 0.3 \sqrt{\mu_{rg}^2 + \mu_{yb}^2}, \quad
        rg = R - G, \quad yb = (R + G) / 2 - B

    About 0 for gray, 33 for moderately and 60 for quite colourful pictures.

    Args:
        rgb: ``(..., height, width, 3)``, of any dtype.

    Returns:
        One number per picture, ``(...)``.

    >>> colourfulness(torch.full((4, 4, 3), 128)).item()
    0.0
    """
    red, green, blue = rgb.double().unbind(-1)
    rg, yb = red - green, (red + green) / 2 - blue
    opponents = torch.stack([rg, yb]).flatten(-2)
    spread = opponents.var(-1, correction=0).sum(0).sqrt()
    centre = opponents.mean(-1).square().sum(0).sqrt()
    return spread + 0.3 * centre
