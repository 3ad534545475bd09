"""Ordinary nets inside couplings: they need no inverse, only shapes."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import nn

__all__ = ["conv_subnet", "dense_subnet", "start_at_zero"]


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def start_at_zero(layer: Layer) -> Layer:
    """Zero a last layer's weights and bias, so that what it belongs to starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def conv_subnet(width: int, kernel_size: int = 3) -> Callable[[int, int], nn.Module]:
    """Return the maker of a three-layer convolutional subnet that keeps height and width.

    Args:
        width: hidden channels.
        kernel_size: of the first and last layer, odd; the middle layer mixes channels only.

    Returns:
        A function of ``(in_channels, out_channels)``, as couplings want it. The last layer starts at zero.
    """

    def make(in_channels: int, out_channels: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size, padding="same"),
            nn.SiLU(),
            nn.Conv2d(width, width, 1),
            nn.SiLU(),
            start_at_zero(nn.Conv2d(width, out_channels, kernel_size, padding="same")),
        )

    return make


def dense_subnet(width: int, size: Sequence[int]) -> Callable[[int, int], nn.Module]:
    """Return the maker of a three-layer subnet in which every value of a small image sees all others.

    Args:
        width: hidden values.
        size: height and width of the image; no other will do.

    Returns:
        A function of ``(in_channels, out_channels)``, as couplings want it. The last layer starts at zero.
    """
    pixels = math.prod(size)

    def make(in_channels: int, out_channels: int) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels * pixels, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            start_at_zero(nn.Linear(width, out_channels * pixels)),
            nn.Unflatten(1, (out_channels, *size)),
        )

    return make
