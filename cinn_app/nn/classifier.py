"""A classifier that saw colour and colours no picture: it judges whether colourings look like photographs.

EfficientNet-Lite2 with its ImageNet weights. It is not the colorizer's condition encoder, whose own blind spots a
colouring could flatter.
"""

import functools
import re
from typing import Any, NamedTuple

import torch
from timm.data.imagenet_info import ImageNetInfo
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

from cinn_app.nn.pretrained import load_pretrained_classifier

__all__ = ["Judge", "Verdict", "imagenet_class", "load_judge"]

#: The middle of a picture, as large a square as it has, is shown to it at so many pixels.
SIZE = 224
#: A noun's number in WordNet, by which ImageNet names folders and files.
WNID = re.compile(r"(?<![a-z0-9])n\d{8}(?!\d)")


class Verdict(NamedTuple):
    """What the judge sees in pictures.

    Attributes:
        features: its last layer before the classes, averaged over the picture, ``(batch, 1280)``.
        scores: of ImageNet's 1,000 classes, unnormalised, ``(batch, 1000)``.
    """

    features: Tensor
    scores: Tensor


class Judge(nn.Module):
    """The judge, frozen.

    Args:
        classifier: timm's, with its weights.
    """

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.classifier: Any = classifier.eval().requires_grad_(False)

    @torch.inference_mode()
    def forward(self, rgb8: Tensor) -> Verdict:
        """Look at pictures, uint8 ``(batch, height, width, 3)``."""
        device = next(self.classifier.parameters()).device
        # Cut before enlarging: a long panorama would become enormous.
        square = transforms.center_crop(rgb8.movedim(-1, 1), [min(rgb8.shape[1:3])]).to(device).float() / 255
        shown = transforms.resize(square, [SIZE, SIZE], transforms.InterpolationMode.BICUBIC, antialias=True)
        pixels = shown.clamp(0, 1) * 2 - 1
        features = self.classifier.forward_head(self.classifier.forward_features(pixels), pre_logits=True)
        return Verdict(features.cpu(), self.classifier.get_classifier()(features).cpu())


def load_judge(device: torch.device) -> Judge:
    """Load the judge from the package that carries it.

    Raises:
        RecipeError: if that package, the extra ``judge``, is not installed.
    """
    classifier = load_pretrained_classifier("tf_efficientnet_lite2", "A judge of how real colourings look")
    return Judge(classifier).to(device)


def imagenet_class(name: str) -> int | None:
    """Tell which of ImageNet's classes a picture shows, by the WordNet number in its file's or folder's name.

    Args:
        name: a path, or what :func:`cinn_app.data.sources.iterate_images` calls the picture.

    Returns:
        The class's number among 1,000, or ``None`` for a picture of no known class.

    >>> imagenet_class("val.tar:val/n01443537/val_1267.JPEG"), imagenet_class("holiday/beach.jpg")
    (1, None)
    """
    known = [_classes()[wnid] for wnid in WNID.findall(name) if wnid in _classes()]
    return known[-1] if known else None


@functools.cache
def _classes() -> dict[str, int]:
    return {wnid: number for number, wnid in enumerate(ImageNetInfo().label_names())}
