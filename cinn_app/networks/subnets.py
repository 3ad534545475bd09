"""Ordinary nets inside couplings: they need no inverse, only shapes."""

from collections.abc import Callable

from torch import nn

__all__ = ["conv_subnet", "start_at_zero"]


def start_at_zero(layer: nn.Conv2d) -> nn.Conv2d:
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
