"""Metrics of colourings: error, energy score, diversity and colourfulness."""

import torch
from torch import Tensor

__all__ = [
    "best_rmse",
    "beyond_tint",
    "colourfulness",
    "energy_score",
    "mean_deviation",
    "mean_variance",
    "oracle_mse",
    "pairwise_rmse",
    "rmse",
]


def rmse(ab: Tensor, truth: Tensor) -> Tensor:
    r"""Root mean squared error over a picture's pixels and both channels, in Lab units.

    .. math:: \sqrt{\operatorname{mean}_{p, c} (ab_{pc} - \widehat{ab}_{pc})^2}

    Args:
        ab: ``(..., 2, height, width)``.
        truth: of the same shape, or one that broadcasts to it.

    Returns:
        One number per picture, ``(...)``.
    """
    return (ab - truth).square().mean((-3, -2, -1)).sqrt()


def best_rmse(samples: Tensor, truth: Tensor) -> Tensor:
    """Error of the sample that is nearest to the truth as a whole, in Lab units.

    The cINN paper's :func:`oracle_mse` chooses the best sample for each pixel and channel instead.

    Args:
        samples: ``(samples, 2, height, width)``.
        truth: ``(2, height, width)``.

    Returns:
        A scalar.
    """
    return rmse(samples, truth).min()


def energy_score(samples: Tensor, truth: Tensor) -> Tensor:
    r"""Energy score of independent samples, in Lab units; lower is better (Gneiting and Raftery 2007, equation 21).

    .. math::
        \mathrm{ES} = \mathbb{E}|x - y| - \tfrac{1}{2} \mathbb{E}|x - x'|
        \approx \frac{1}{K} \sum_k |x_k - y| - \frac{1}{K (K - 1)} \sum_{j < k} |x_j - x_k|

    for samples x and x', the truth y, and :func:`rmse` as the norm. It is strictly proper: no distribution has a lower
    expected score than that of the truth. Noise, or tints that the truth does not have, raise the first term by more
    than they lower the second. For equal samples it is their error.

    Args:
        samples: ``(samples, 2, height, width)``, at least two.
        truth: ``(2, height, width)``.

    Returns:
        A scalar.
    """
    return rmse(samples, truth).mean() - pairwise_rmse(samples) / 2


def beyond_tint(samples: Tensor, centre: Tensor) -> Tensor:
    r"""Mean square of what differs from `centre` by more than a tint and a change of vividness.

    .. math:: \min_{t, v} \operatorname{mean}_{p, c} (x_{pc} - m_{pc} - t_c - v m_{pc})^2

    for samples x and the centre m, with a tint t per channel and one vividness v for both channels.

    Args:
        samples: ``(..., 2, height, width)``.
        centre: of the same shape, or one that broadcasts to it.

    Returns:
        One number per sample, ``(...)``, in Lab units squared.
    """
    # Without their means, both are orthogonal to the tints, and one coefficient is left.
    departure, vivid = (one - one.mean((-2, -1), keepdim=True) for one in (samples - centre, centre))
    dims = (-3, -2, -1)
    scale = (departure * vivid).sum(dims, keepdim=True) / vivid.square().sum(dims, keepdim=True).clamp(min=1e-12)
    return (departure - scale * vivid).square().mean(dims)


def oracle_mse(samples: Tensor, truth: Tensor) -> Tensor:
    r"""Mean squared error of an oracle that takes for each pixel and channel the nearest sample.

    .. math:: \operatorname{mean}_{p, c} \min_k (x_{kpc} - \hat x_{pc})^2

    "MSE best of 8" in the cINN paper is, by the authors' code, 100 times the root of this mean over all pictures, for
    RGB in 0..1. No single sample need be that near: noise alone makes it smaller.

    Args:
        samples: ``(samples, channels, height, width)``.
        truth: ``(channels, height, width)``.

    Returns:
        A scalar.
    """
    return (samples - truth).square().amin(0).mean()


def mean_deviation(samples: Tensor) -> Tensor:
    """Standard deviation over the samples, averaged over pixels and channels, in Lab units.

    Args:
        samples: ``(samples, 2, height, width)``, at least two.
    """
    return samples.std(0).mean()


def mean_variance(samples: Tensor) -> Tensor:
    """Variance over the samples (divided by their number), averaged over pixels and channels.

    Args:
        samples: ``(samples, channels, height, width)``.
    """
    return samples.var(0, correction=0).mean()


def pairwise_rmse(samples: Tensor) -> Tensor:
    """Root mean squared difference of two samples, averaged over all pairs.

    Args:
        samples: ``(samples, 2, height, width)``, at least two.

    Returns:
        A scalar, in Lab units.
    """
    first, second = torch.combinations(torch.arange(len(samples))).T.tolist()
    return torch.stack([rmse(samples[i], samples[j]) for i, j in zip(first, second, strict=True)]).mean()


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
    deviation = opponents.var(-1, correction=0).sum(0).sqrt()
    mean = opponents.mean(-1).square().sum(0).sqrt()
    return deviation + 0.3 * mean
