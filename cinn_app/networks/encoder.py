"""The condition's eyes: a pretrained image classifier that looks at lightness."""

from typing import Any

import timm
import torch
from torch import Tensor, nn

from cinn_app.networks.pretrained import load_pretrained_classifier

__all__ = ["ENCODER_STRIDES", "ImageEncoder", "load_pretrained_encoder"]

#: How many input pixels one feature covers, at each of the encoder's outputs, fine to coarse.
ENCODER_STRIDES = (8, 16, 32)


class ImageEncoder(nn.Module):
    """The trunk of an EfficientNet-Lite, frozen, reading lightness in three equal channels.

    Its batch normalisation always uses the stored statistics, in training too, so that features may be computed
    once and cached.

    Args:
        name: the architecture's name in timm, for example ``"tf_efficientnet_lite0"``.
    """

    def __init__(self, name: str = "tf_efficientnet_lite0") -> None:
        super().__init__()
        self.name = name
        trunk: Any = timm.create_model(name, pretrained=False, features_only=True, out_indices=(2, 3, 4))
        self.trunk = trunk
        self.channels: tuple[int, ...] = tuple(trunk.feature_info.channels())
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Stay in evaluation mode: the encoder is frozen."""
        return super().train(False)

    def forward(self, lightness: Tensor) -> tuple[Tensor, ...]:
        """Compute features at strides 8, 16 and 32.

        Args:
            lightness: CIE L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.

        Returns:
            One tensor ``(batch, channels, height / stride, width / stride)`` per stride, fine to coarse.
        """
        pixels = (lightness / 50 - 1).expand(-1, 3, -1, -1)
        return tuple(self.trunk(pixels.contiguous(memory_format=torch.channels_last)))


def load_pretrained_encoder(name: str = "tf_efficientnet_lite0") -> ImageEncoder:
    """Build the encoder with ImageNet weights, as :func:`load_pretrained_classifier` finds them.

    Raises:
        RecipeError: if the encoder is unknown, or the package with its weights is not installed.
    """
    weights = load_pretrained_classifier(name, "Training").state_dict()
    encoder = ImageEncoder(name)
    encoder.trunk.load_state_dict({key: weights[key] for key in encoder.trunk.state_dict()})
    return encoder
