"""Averaged weights: steadier than those of the last step, and what the checkpoint gets."""

from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

__all__ = ["MovingAverage", "ramped_decay"]


def ramped_decay(decay: float, updates: float) -> float:
    r"""Return :math:`d_n = \min(d, \tfrac{1 + n}{10 + n})`, the share of the old average that update n keeps."""
    return min(decay, (1 + updates) / (10 + updates))


class MovingAverage(WeightAveraging):
    r"""An exponential moving average that forgets its beginnings sooner while it is young.

    .. math:: \bar w \leftarrow d_n \bar w + (1 - d_n) w

    with :math:`d_n` of :func:`ramped_decay`.

    Without the ramp a training of few steps would end with the average of weights that had learnt little.

    Args:
        decay: :math:`d`.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, updates: Any) -> Tensor:
            return torch.lerp(current.to(averaged), averaged, ramped_decay(decay, float(updates)))

        super().__init__(use_buffers=False, avg_fn=average)
