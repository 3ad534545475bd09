"""Networks inside couplings and pyramids: they need no inverse."""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, nn

__all__ = ["ResidualBlock", "conv_subnet", "dense_subnet", "zero_init"]

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def zero_init(layer: Layer) -> Layer:
    """Set a last layer's weights and bias to zero, so that the block it ends starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(act(x))))``, the identity at the start; ``(batch, channels, height, width)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            zero_init(nn.Conv2d(channels, channels, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def conv_subnet(width: int, kernel_size: int = 3, out_kernel_size: int = 3) -> Callable[[int, int], nn.Module]:
    """Return a function that builds a three-layer convolutional subnet, which keeps height and width.

    Args:
        width: hidden channels.
        kernel_size: of the first layer, odd; the middle layer mixes channels only.
        out_kernel_size: of the last layer, odd; 1 is cheap where a spline needs many outputs.

    Returns:
        A function of ``(in_channels, out_channels)``, as couplings call it. The last layer starts at zero.
    """

    def make(in_channels: int, out_channels: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size, padding="same"),
            nn.SiLU(),
            nn.Conv2d(width, width, 1),
            nn.SiLU(),
            zero_init(nn.Conv2d(width, out_channels, out_kernel_size, padding="same")),
        )

    return make


def dense_subnet(width: int, dropout: float = 0.0, hidden: int = 2) -> Callable[[int, int], nn.Module]:
    """Return a function that builds a fully connected subnet, for couplings of vectors.

    Args:
        width: hidden values.
        dropout: share of the last hidden values that is dropped in training, for small data sets.
        hidden: number of hidden layers.

    Returns:
        A function of ``(in_channels, out_channels)``, as couplings call it. The last layer starts at zero.
    """

    def make(in_channels: int, out_channels: int) -> nn.Module:
        layers: list[nn.Module] = []
        for number in range(hidden):
            layers += [nn.Linear(width if number else in_channels, width), nn.SiLU()]
        return nn.Sequential(*layers, nn.Dropout(dropout), zero_init(nn.Linear(width, out_channels)))

    return make
