"""Ordinary nets inside couplings: they need no inverse, only shapes."""

from collections.abc import Callable
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


def conv_subnet(width: int, kernel_size: int = 3, out_kernel_size: int = 3) -> Callable[[int, int], nn.Module]:
    """Return the maker of a three-layer convolutional subnet that keeps height and width.

    Args:
        width: hidden channels.
        kernel_size: of the first layer, odd; the middle layer mixes channels only.
        out_kernel_size: of the last layer, odd; 1 is cheap where a spline wants many outputs.

    Returns:
        A function of ``(in_channels, out_channels)``, as couplings want it. The last layer starts at zero.
    """

    def make(in_channels: int, out_channels: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size, padding="same"),
            nn.SiLU(),
            nn.Conv2d(width, width, 1),
            nn.SiLU(),
            start_at_zero(nn.Conv2d(width, out_channels, out_kernel_size, padding="same")),
        )

    return make


def dense_subnet(width: int, dropout: float = 0.0) -> Callable[[int, int], nn.Module]:
    """Return the maker of a three-layer fully connected subnet, for couplings of vectors.

    Args:
        width: hidden values.
        dropout: share of them that training leaves out, where data are few.

    Returns:
        A function of ``(in_channels, out_channels)``, as couplings want it. The last layer starts at zero.
    """

    def make(in_channels: int, out_channels: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(in_channels, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Dropout(dropout),
            start_at_zero(nn.Linear(width, out_channels)),
        )

    return make
