"""The decoder: from the encoder's features to the mean chroma, and features for the segments and the flow."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.devices import memory_format
from cinn_app.nn.blocks import ResidualBlock, zero_init

__all__ = ["FEATURE_SCALE", "ColourDecoder", "Decoded", "double_size"]

#: The encoder's features are not normalised; dividing by this brings them near unit size.
FEATURE_SCALE = 6.0


class Decoded(NamedTuple):
    """What the decoder computes for a batch of photographs.

    Attributes:
        mean: the mean chroma at stride 4, normalised, ``(batch, 2, height / 4, width / 4)``.
        levels: features at strides 8, 16 and 32.
    """

    mean: Tensor
    levels: tuple[Tensor, Tensor, Tensor]

    def detach(self) -> "Decoded":
        """Return it without gradients."""
        level8, level16, level32 = (level.detach() for level in self.levels)
        return Decoded(self.mean.detach(), (level8, level16, level32))


class ColourDecoder(nn.Module):
    """A feature pyramid, top down: context at the coarse end, edges of the lightness at the fine end.

    Self-attention at stride 32 connects all parts of the picture. Residual convolutions carry this to the finer levels,
    which add the encoder's features and the lightness itself.

    Args:
        feature_channels: channels of the encoder's features at strides 8, 16 and 32.
        widths: channels of the levels at strides 8, 16 and 32.
        blocks: residual blocks of these levels.
        attention_layers: transformer layers at stride 32.
        dropout: share of the encoder's channels that training leaves out.
    """

    def __init__(
        self,
        feature_channels: Sequence[int],
        widths: Sequence[int],
        blocks: Sequence[int],
        attention_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        (in8, in16, in32), (w8, w16, w32) = feature_channels, widths
        self.dropout = nn.Dropout2d(dropout)
        self.lateral32 = nn.Conv2d(in32, w32, 1)
        self.lateral16 = nn.Conv2d(in16, w16, 1)
        self.lateral8 = nn.Conv2d(in8 + 64, w8, 1)
        layer = nn.TransformerEncoderLayer(
            w32, 8, 2 * w32, dropout=dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.attention = nn.TransformerEncoder(layer, attention_layers, enable_nested_tensor=False)
        self.up16 = nn.Conv2d(w32, w16, 1)
        self.up8 = nn.Conv2d(w16, w8, 1)
        self.level8, self.level16, self.level32 = (
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(widths, blocks, strict=True)
        )
        self.mean = nn.Sequential(nn.SiLU(), zero_init(nn.Conv2d(w8, 8, 3, padding=1)), nn.PixelShuffle(2))
        self.to(memory_format=torch.channels_last)

    def forward(self, features: Sequence[Tensor], lightness: Tensor) -> Decoded:
        """Decode the features of a batch of photographs.

        Args:
            features: the encoder's, at strides 8, 16 and 32.
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.
        """
        f8, f16, f32 = (self.dropout(feature.float() / FEATURE_SCALE) for feature in features)
        pixels = functional.pixel_unshuffle(lightness / 50 - 1, 8)
        level32 = self.level32(self._attend(self.lateral32(f32)))
        level16 = self.level16(self.lateral16(f16) + double_size(self.up16(level32)))
        level8 = self.level8(self.lateral8(torch.cat([f8, pixels], 1)) + double_size(self.up8(level16)))
        return Decoded(self.mean(level8), (level8, level16, level32))

    def _attend(self, level: Tensor) -> Tensor:
        tokens = self.attention(level.flatten(2).transpose(1, 2))
        unflattened = tokens.transpose(1, 2).unflatten(2, level.shape[2:])
        return unflattened.contiguous(memory_format=memory_format(level.device))


def double_size(x: Tensor) -> Tensor:
    """Enlarge ``(batch, channels, height, width)`` to twice the height and width."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
