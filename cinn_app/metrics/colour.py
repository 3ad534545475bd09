"""How near colourings come to the truth, how they differ, and how colourful they are."""

import torch
from torch import Tensor

__all__ = ["best_of", "colourfulness", "deviation", "picture_rmse"]


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

    Not the element-wise oracle of the cINN paper, which picks the best sample for every pixel anew.

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
