"""What a handwritten digit looks like, in numbers that have names."""

from collections.abc import Mapping

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

__all__ = ["measure_strokes"]

#: Gray, of 0..1, above which a pixel is ink.
INK = 0.5


def measure_strokes(images: Tensor) -> Mapping[str, Tensor]:
    """Measure digits: each figure grows with what its name says.

    Most are moments of the ink: with :math:`E` the mean over ink, :math:`x` to the right and :math:`y` down from the
    centre of mass, slant is :math:`-E[xy] / E[y^2]`, how far a stroke leans right while it goes up, and what
    is measured across is measured after the slant is taken out. Weight is minus the skewness: where much ink is
    crowded, the tail of the distribution points the other way.

    Args:
        images: uint8, ``(count, 28, 28)``.

    Returns:
        By name, ``(count,)``.
    """
    ink = images.double() / 255
    mass = ink.sum((1, 2)).clamp(min=1e-6)

    def mean(values: Tensor) -> Tensor:
        return (ink * values).sum((1, 2)) / mass

    def column(values: Tensor) -> Tensor:
        return values[:, None, None]

    side = images.shape[-1]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    across, down = mean(columns), mean(rows)
    x, y = columns - column(across), rows - column(down)
    variance = mean(y.square()).clamp(min=1e-6)
    slant = -mean(x * y) / variance
    x = x + column(slant) * y
    height, width = variance.sqrt(), mean(x.square()).sqrt()
    upper, lower = ((y < 0) * ink, (y > 0) * ink)
    outline = ink.diff(dim=1).abs().sum((1, 2)) + ink.diff(dim=2).abs().sum((1, 2))
    thickness = mass / outline.clamp(min=1e-6)
    return {
        "slant": slant,
        "width": width,
        "height": height,
        "thickness": thickness,
        "stroke length": mass / thickness.clamp(min=1e-6),
        "bow to the right": mean(x * (height[:, None, None] - y.abs())) / height.square().clamp(min=1e-6),
        "wide top": _spread(x, upper) / width.clamp(min=1e-6),
        "wide bottom": _spread(x, lower) / width.clamp(min=1e-6),
        "weight at the bottom": -mean(y.pow(3)) / variance.pow(1.5),
        "weight on the right": -mean(x.pow(3)) / width.pow(3).clamp(min=1e-6),
        "weight in the middle": -mean(y.abs()) / height.clamp(min=1e-6),
        "closed loops": _enclosed(ink.numpy()) / side**2,
        "upper slant": _lean(x, y, upper),
        "lower slant": _lean(x, y, lower),
    }


def _spread(x: Tensor, ink: Tensor) -> Tensor:
    """Standard deviation across, of a part of the ink."""
    mass = ink.sum((1, 2)).clamp(min=1e-6)
    centre = (ink * x).sum((1, 2)) / mass
    return ((ink * (x - centre[:, None, None]).square()).sum((1, 2)) / mass).sqrt()


def _lean(x: Tensor, y: Tensor, ink: Tensor) -> Tensor:
    """Slant of a part of the ink, beside that of the whole."""
    mass = ink.sum((1, 2)).clamp(min=1e-6)
    dx, dy = (v - ((ink * v).sum((1, 2)) / mass)[:, None, None] for v in (x, y))
    return -(ink * dx * dy).sum((1, 2)) / (ink * dy.square()).sum((1, 2)).clamp(min=1e-6)


def _enclosed(ink: np.ndarray) -> Tensor:
    """Count the paper that ink encloses."""
    return torch.tensor([float((ndimage.binary_fill_holes(one) & ~one).sum()) for one in ink > INK])
