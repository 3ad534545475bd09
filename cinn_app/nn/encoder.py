"""The condition's eyes: a pretrained image classifier that looks at lightness."""

import itertools
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from cinn_app.nn.pretrained import load_pretrained_classifier

__all__ = ["ENCODER_STRIDES", "ImageEncoder", "load_pretrained_encoder"]

#: How many input pixels one feature covers, at each of the encoder's outputs, fine to coarse.
ENCODER_STRIDES = (8, 16, 32)
#: How many of timm's stages lead to each of them.
STAGES = (3, 5, 7)


class ImageEncoder(nn.Module):
    """The trunk of an EfficientNet-Lite, reading lightness in three equal channels.

    Its stem, down to stride 8, is frozen, so that what it sees may be computed once and cached. The rest, nearly all of
    the weights, can learn to see without colours. Batch normalisation always uses the stored statistics.

    Args:
        name: the architecture's name in timm, for example ``"tf_efficientnet_lite0"``.
    """

    def __init__(self, name: str = "tf_efficientnet_lite0") -> None:
        import timm  # as slow to import as torch; so whoever only shows a page does not wait for it

        super().__init__()
        self.name = name
        trunk: Any = timm.create_model(name, pretrained=False, features_only=True, out_indices=(2, 3, 4))
        self.trunk = trunk.to(memory_format=torch.channels_last)
        self.channels: tuple[int, ...] = tuple(trunk.feature_info.channels())
        for layer in self.trunk.blocks[STAGES[0] :].modules():
            if _is_depthwise(layer) and layer.stride == (2, 2):
                # The same numbers, but bfloat16's gradient through the stride is thirty times as slow on CPUs.
                layer.stride = (1, 1)
                layer.register_forward_hook(lambda layer, given, output: output[..., 1::2, 1::2])
        self.requires_grad_(False)
        self.eval()

    @property
    def stem(self) -> nn.Sequential:
        """The frozen layers, down to stride 8; they read pixels in -1..1."""
        return nn.Sequential(self.trunk.conv_stem, self.trunk.bn1, *self.trunk.blocks[: STAGES[0]])

    def unfreeze(self) -> list[nn.Parameter]:
        """Let what lies above the stem learn.

        Only the spatial filters of the depthwise convolutions stay as they are: they are few, and their gradients take
        most of the time on a CPU.

        Returns:
            What learns now.
        """
        learning = []
        for layer in self.trunk.blocks[STAGES[0] :].modules():
            if not _is_depthwise(layer):
                learning += list(layer.parameters(recurse=False))
        return [weight.requires_grad_(True) for weight in learning]

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Stay in evaluation mode: the statistics of batch normalisation are frozen."""
        return super().train(False)

    def look(self, lightness: Tensor) -> Tensor:
        """See with the stem alone.

        Args:
            lightness: CIE L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.

        Returns:
            Features at stride 8, ``(batch, channels, height / 8, width / 8)``.
        """
        pixels = (lightness / 50 - 1).expand(-1, 3, -1, -1)
        seen: Tensor = self.stem(pixels.contiguous(memory_format=torch.channels_last))
        return seen

    def forward(self, lightness: Tensor, seen: Tensor | None = None) -> tuple[Tensor, ...]:
        """Compute features at strides 8, 16 and 32.

        Args:
            lightness: CIE L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.
            seen: what :meth:`look` returned for it, where that is known.

        Returns:
            One tensor ``(batch, channels, height / stride, width / stride)`` per stride, fine to coarse.
        """
        features = [
            self.look(lightness) if seen is None else seen.float().contiguous(memory_format=torch.channels_last)
        ]
        for begin, end in itertools.pairwise(STAGES):
            features.append(self.trunk.blocks[begin:end](features[-1]))
        return tuple(features)


def _is_depthwise(layer: nn.Module) -> TypeGuard[nn.Conv2d]:
    return isinstance(layer, nn.Conv2d) and layer.groups > 1


def load_pretrained_encoder(name: str = "tf_efficientnet_lite0") -> ImageEncoder:
    """Build the encoder with ImageNet weights, as :func:`load_pretrained_classifier` finds them.

    Raises:
        RecipeError: if the encoder is unknown, or the package with its weights is not installed.
    """
    weights = load_pretrained_classifier(name, "Training").state_dict()
    encoder = ImageEncoder(name)
    encoder.trunk.load_state_dict({key: weights[key] for key in encoder.trunk.state_dict()})
    return encoder
