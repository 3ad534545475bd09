"""Averaged weights: steadier than those of the last step, and what the checkpoint gets."""

from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

__all__ = ["MovingAverage"]


class MovingAverage(WeightAveraging):
    r"""An exponential moving average that forgets its beginnings sooner while it is young.

    .. math:: \bar w \leftarrow d_n \bar w + (1 - d_n) w, \quad d_n = \min(d, \tfrac{1 + n}{10 + n})

    Without the ramp a training of few steps would end with the average of weights that had learnt little.

    Args:
        decay: :math:`d`.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, updates: Any) -> Tensor:
            n = float(updates)
            return torch.lerp(current.to(averaged), averaged, min(decay, (1 + n) / (10 + n)))

        super().__init__(use_buffers=False, avg_fn=average)
