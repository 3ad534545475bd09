r"""Inverse kinematics: which postures of an arm in the plane put its hand at this point?

An arm of three segments is mounted on a slider, as in Ardizzone et al. (ICLR 2019, arXiv 1808.04730), with that paper's
priors and lengths:

.. math::
    \begin{aligned}
    y_1 &= \ell_1 \cos x_2 + \ell_2 \cos(x_2 + x_3) + \ell_3 \cos(x_2 + x_3 + x_4) \\
    y_2 &= x_1 + \ell_1 \sin x_2 + \ell_2 \sin(x_2 + x_3) + \ell_3 \sin(x_2 + x_3 + x_4)
    \end{aligned}

Here :math:`x_1` is the height of the slider, and each angle is that of a joint, relative to the segment before it. The
paper's arm has no noise, so its posterior is a surface without a density. Here the hand is measured with a little.
"""

import torch
from torch import Generator, Tensor

names = ("height of the slider", "joint 1", "joint 2", "joint 3")
units = ("m", "rad", "rad", "rad")
measurement_names = ("hand across", "hand up")
measurement_units = ("m", "m")

#: Segments of the arm, from the slider to the hand, in metres.
LENGTHS = (0.5, 0.5, 1.0)
#: Standard deviations of the priors, whose means are 0.
SPREADS = (0.25, 0.5, 0.5, 0.5)
#: Standard deviation of the measured position, in metres.
NOISE = 0.01


def prior(count: int, generator: Generator) -> Tensor:
    """Draw postures: height and three angles, ``(count, 4)``."""
    return torch.randn(count, 4, generator=generator) * torch.tensor(SPREADS)


def sketch(x: Tensor) -> Tensor:
    """Return the arm as a line through the slider, both elbows and the hand, ``(count, 4, 2)``."""
    angles = x[:, 1:].cumsum(1)
    segments = torch.stack([angles.cos(), angles.sin()], 2) * torch.tensor(LENGTHS, dtype=x.dtype)[:, None]
    slider = torch.stack([torch.zeros_like(x[:, 0]), x[:, 0]], 1)[:, None]
    return torch.cat([slider, slider + segments.cumsum(1)], 1)


def simulate(x: Tensor, generator: Generator) -> Tensor:
    """Measure the position of the hand, ``(count, 2)``."""
    hand = sketch(x)[:, -1]
    return hand + NOISE * torch.randn(hand.shape, generator=generator)
