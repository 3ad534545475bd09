"""Eight Gaussian modes on a ring, each with a label of its own, which is measured.

The example of Ardizzone et al. 2019 (arXiv 1808.04730), section 4.1: what is left open by the label must come from the
latent. The label is measured as a one-hot code with noise. Here it tells all modes apart; ``eight_modes_some`` gives
four modes the same label, and ``eight_modes_none`` all of them.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

#: The modes in the order of their angles, at a distance of 2.61 from the origin, ``(8, 2)``.
INNER, OUTER = 1.0, 1 + 2**0.5
CENTRES = torch.tensor(
    [
        [OUTER, INNER],
        [INNER, OUTER],
        [-INNER, OUTER],
        [-OUTER, INNER],
        [-OUTER, -INNER],
        [-INNER, -OUTER],
        [INNER, -OUTER],
        [OUTER, -INNER],
    ]
)
#: Standard deviation of each mode; the borders between modes are five of them away.
DEVIATION = 0.2
#: Standard deviation of the noise of each value of the code.
NOISE = 0.02
LABELS = (0, 1, 2, 3, 4, 5, 6, 7)

names = ("x1", "x2")


def prior(count: int, generator: torch.Generator) -> Tensor:
    """Draw points, ``(count, 2)``: each mode is as probable."""
    mode = torch.randint(len(CENTRES), (count,), generator=generator)
    return CENTRES[mode] + DEVIATION * torch.randn(count, 2, generator=generator)


def nearest_mode(x: Tensor) -> Tensor:
    """Return the number of the mode that is nearest to each point, int64 ``(count,)``."""
    return torch.cdist(x, CENTRES).argmin(1)


def measured_label(labels: Sequence[int]) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Return the simulator for modes with these labels, numbered from 0: it returns ``(count, number of labels)``."""

    def simulate(x: Tensor, generator: torch.Generator) -> Tensor:
        code = one_hot(torch.tensor(labels)[nearest_mode(x)], max(labels) + 1).float()
        return code + NOISE * torch.randn(code.shape, generator=generator)

    return simulate


simulate = measured_label(LABELS)
