"""The condition network: from the encoder's features to the mean chroma and a condition per scale."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.nn.blocks import ResidualBlock, zero_init

__all__ = ["ColourPyramid", "PyramidOutput"]

#: Strides of the pyramid's levels, fine to coarse, in pixels of the lightness.
STRIDES = (4, 8, 16, 32, 64)
#: The encoder's projections are not normalised; dividing by this brings them near unit size.
FEATURE_SCALE = 6.0


class PyramidOutput(NamedTuple):
    """The outputs for a batch of photographs.

    Attributes:
        mean: the mean chroma at stride 4, normalised, ``(batch, 2, height / 4, width / 4)``.
        conditions: one tensor per flow scale, strides 8, 16, 32 and 64.
    """

    mean: Tensor
    conditions: tuple[Tensor, ...]


class ColourPyramid(nn.Module):
    """A feature pyramid, top down: context at the coarse end, edges of the lightness at the fine end.

    Self-attention at stride 32 connects all parts of the picture, so that one object can get one colour. Residual
    convolutions carry this to the finer levels, which add the encoder's features and the lightness itself.

    Args:
        feature_channels: channels of the encoder's features at strides 8, 16 and 32.
        widths: channels of the levels at strides 4, 8, 16, 32 and 64.
        condition_channels: channels of the conditions at strides 8, 16, 32 and 64.
        blocks: residual blocks of the levels, fine to coarse.
        attention_layers: transformer layers at stride 32.
    """

    def __init__(
        self,
        feature_channels: Sequence[int],
        widths: Sequence[int] = (48, 96, 160, 256, 256),
        condition_channels: Sequence[int] = (32, 48, 64, 96),
        blocks: Sequence[int] = (1, 2, 2, 2, 1),
        attention_layers: int = 1,
    ) -> None:
        super().__init__()
        w4, w8, w16, w32, w64 = widths
        in8, in16, in32 = feature_channels
        # The levels' inputs: the encoder's features, except at stride 4, and at strides 4 and 8 the lightness's pixels.
        self.lateral32 = nn.Conv2d(in32, w32, 1)
        self.lateral16 = nn.Conv2d(in16, w16, 1)
        self.lateral8 = nn.Conv2d(in8 + 64, w8, 1)
        self.lateral4 = nn.Conv2d(16, w4, 3, padding=1)
        self.attention = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(
                w32, 8, 2 * w32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            ),
            attention_layers,
            enable_nested_tensor=False,
        )
        self.down64 = nn.Conv2d(w32, w64, 2, stride=2)
        self.up16 = nn.Conv2d(w32, w16, 1)
        self.up8 = nn.Conv2d(w16, w8, 1)
        self.up4 = nn.Conv2d(w8, w4, 1)
        self.level64 = _residual_blocks(w64, blocks[4])
        self.level32 = _residual_blocks(w32, blocks[3])
        self.level16 = _residual_blocks(w16, blocks[2])
        self.level8 = _residual_blocks(w8, blocks[1])
        self.level4 = _residual_blocks(w4, blocks[0])
        self.mean = zero_init(nn.Conv2d(w4, 2, 3, padding=1))
        self.to_condition = nn.ModuleList(
            nn.Conv2d(width, channels, 1) for width, channels in zip(widths[1:], condition_channels, strict=True)
        )

    def forward(self, features: Sequence[Tensor], lightness: Tensor) -> PyramidOutput:
        """Compute mean and conditions of a batch of photographs.

        Args:
            features: the encoder's, at strides 8, 16 and 32.
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 64.
        """
        f8, f16, f32 = (feature.float() / FEATURE_SCALE for feature in features)
        light = lightness / 50 - 1
        p32 = self._attend(self.lateral32(f32))
        p64 = self.level64(self.down64(p32))
        p32 = self.level32(p32)
        p16 = self.level16(self.lateral16(f16) + _double(self.up16(p32)))
        p8 = self.level8(
            self.lateral8(torch.cat([f8, functional.pixel_unshuffle(light, 8)], 1)) + _double(self.up8(p16))
        )
        p4 = self.level4(self.lateral4(functional.pixel_unshuffle(light, 4)) + _double(self.up4(p8)))
        conditions = tuple(
            project(level) for project, level in zip(self.to_condition, (p8, p16, p32, p64), strict=True)
        )
        return PyramidOutput(self.mean(p4), conditions)

    def _attend(self, level: Tensor) -> Tensor:
        height, width = level.shape[-2:]
        tokens = self.attention(level.flatten(2).transpose(1, 2))
        return tokens.transpose(1, 2).unflatten(2, (height, width)).contiguous()


def _residual_blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
