"""Measures of a digit's shape, such as slant and thickness."""

from collections.abc import Mapping

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from cinn_app.messages import Message

__all__ = ["axis_name", "measure_shape"]

#: Grays above this, in 0..1, are ink.
INK = 0.5


def measure_shape(images: Tensor) -> Mapping[str, Tensor]:
    """Measure the shape of digits.

    Most measures are moments of the ink. With :math:`E` the mean over the ink, :math:`x` to the right and :math:`y`
    down from the centre of mass, slant is :math:`-E[xy] / E[y^2]`: how far a stroke leans right as it goes up. Measures
    across are taken after the slant is removed. Weight is minus the skewness: the tail of the distribution points away
    from where most ink is.

    Args:
        images: uint8, ``(count, 28, 28)``.

    Returns:
        By name, ``(count,)``; each measure grows with what its name says.
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
        Message("slant"): slant,
        Message("width"): width,
        Message("height"): height,
        Message("thickness"): thickness,
        Message("stroke length"): mass / thickness.clamp(min=1e-6),
        Message("bow to the right"): mean(x * (height[:, None, None] - y.abs())) / height.square().clamp(min=1e-6),
        Message("wide top"): _spread(x, upper) / width.clamp(min=1e-6),
        Message("wide bottom"): _spread(x, lower) / width.clamp(min=1e-6),
        Message("weight at the bottom"): -mean(y.pow(3)) / variance.pow(1.5),
        Message("weight on the right"): -mean(x.pow(3)) / width.pow(3).clamp(min=1e-6),
        Message("weight in the middle"): -mean(y.abs()) / height.clamp(min=1e-6),
        Message("closed loops"): _enclosed(ink.numpy()) / side**2,
        Message("upper slant"): _lean(x, y, upper),
        Message("lower slant"): _lean(x, y, lower),
    }


def axis_name(name: str) -> Message:
    """Return the name of an axis that a checkpoint holds: of the measure that it changes, or ``shape 12`` for none.

    >>> axis_name("shape 12").template
    'shape {number}'
    """
    number = name.removeprefix("shape ")
    return Message("shape {number}", number=number) if number.isdecimal() else Message(name)


def _spread(x: Tensor, ink: Tensor) -> Tensor:
    """Return the standard deviation across of a part of the ink."""
    mass = ink.sum((1, 2)).clamp(min=1e-6)
    centre = (ink * x).sum((1, 2)) / mass
    return ((ink * (x - centre[:, None, None]).square()).sum((1, 2)) / mass).sqrt()


def _lean(x: Tensor, y: Tensor, ink: Tensor) -> Tensor:
    """Return the slant of a part of the ink, on top of that of the whole."""
    mass = ink.sum((1, 2)).clamp(min=1e-6)
    dx, dy = (v - ((ink * v).sum((1, 2)) / mass)[:, None, None] for v in (x, y))
    return -(ink * dx * dy).sum((1, 2)) / (ink * dy.square()).sum((1, 2)).clamp(min=1e-6)


def _enclosed(ink: np.ndarray) -> Tensor:
    """Count the pixels of paper that ink encloses."""
    return torch.tensor([float((ndimage.binary_fill_holes(one) & ~one).sum()) for one in ink > INK])
