"""Arguments of a digit generator's methods: converted to tensors, or refused in one sentence."""

import io
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cinn_app.arguments import as_python, number_between
from cinn_app.errors import CinnError
from cinn_app.imaging import ImageSource
from cinn_app.messages import Message
from cinn_app.systems.digits.images import DIGIT_SIDE, read_digit
from cinn_app.systems.digits.model import CLASSES, DIMS

__all__ = [
    "DigitImage",
    "DigitImages",
    "Labels",
    "Latents",
    "as_image",
    "as_images",
    "as_label",
    "as_labels",
    "as_latents",
    "as_steps",
    "as_weights_or_labels",
]

#: A tensor or array, uint8 ``(28, 28)``, is taken as it is; a file or Pillow picture is read by `read_digit`.
DigitImage: TypeAlias = ImageSource | Tensor
#: A sequence of them, a tensor or array ``(count, 28, 28)``, or a single one.
DigitImages: TypeAlias = DigitImage | Sequence[DigitImage]
Labels: TypeAlias = int | Iterable[int] | np.ndarray | Tensor
Latents: TypeAlias = Tensor | np.ndarray


def as_images(images: DigitImages) -> Tensor:
    """Convert pictures of digits to uint8, ``(count, 28, 28)``, 255 for full ink.

    Raises:
        ImageError: if a file cannot be read as a digit.
        CinnError: if the argument is anything else, or has another shape or type.
    """
    if isinstance(images, list | tuple):
        return torch.cat([torch.empty(0, DIGIT_SIDE, DIGIT_SIDE, dtype=torch.uint8), *map(as_images, images)])
    if not isinstance(images, Tensor | np.ndarray):
        if isinstance(images, str | os.PathLike | bytes | Image.Image | io.IOBase):
            return read_digit(images)[None]
        raise CinnError(
            "Digits cannot be given as {type}: give a tensor, an array, a Pillow picture or a path.",
            type=type(images).__name__,
        )
    if images.ndim == 4 and images.shape[1] == 1:  # as loaders of MNIST return them
        images = images[:, 0]
    shape = tuple(images.shape)
    if len(shape) not in (2, 3) or shape[-2:] != (DIGIT_SIDE, DIGIT_SIDE):
        raise CinnError(
            "Digits cannot have the shape {shape}: give (count, 28, 28) or (28, 28), or convert a drawing of another "
            "size with cinn_app.systems.digits.images.read_digit.",
            shape=shape,
        )
    if images.dtype not in (torch.uint8, np.uint8):
        raise CinnError("Digits cannot have the type {type}: give uint8, 255 for full ink.", type=images.dtype)
    return _as_tensor(images).reshape(-1, DIGIT_SIDE, DIGIT_SIDE)


def as_image(image: DigitImage) -> Tensor:
    """Convert the picture of one digit to uint8, ``(28, 28)``; raises as :func:`as_images`, and for several."""
    images = as_images(image)
    if len(images) != 1:
        raise CinnError("{count} digits were given where one is wanted: choose one.", count=len(images))
    return images[0]


def as_label(label: int) -> int:
    """Return a label from 0 to 9, and refuse anything else."""
    try:
        number = operator.index(label)
    except TypeError:
        number = -1
    if number not in range(CLASSES):
        raise CinnError(
            "There is no digit {label!r}: choose a whole number from 0 to {last}.",
            label=as_python(label),
            last=CLASSES - 1,
        )
    return number


def as_labels(labels: Labels) -> list[int]:
    """Return labels as a list; a single one may be given by itself."""
    given = as_python(labels)
    return [as_label(label) for label in given] if isinstance(given, Iterable) else [as_label(given)]


def as_weights_or_labels(labels: Labels, count: int) -> Tensor:
    """Convert labels of `count` digits to int64, ``(count,)``, or weights of the classes to float32, ``(count, 10)``.

    A single label stands for all.
    """
    if isinstance(labels, Tensor | np.ndarray) and labels.ndim == 2:
        weights = _as_floats(labels, Message("Weights of the classes"))
        if weights.shape != (count, CLASSES):
            raise CinnError(
                "Weights of shape {shape} do not fit: give ({count}, {classes}).",
                shape=tuple(weights.shape),
                count=count,
                classes=CLASSES,
            )
        return weights
    numbers = as_labels(labels)
    if len(numbers) == 1:
        numbers *= count
    if len(numbers) != count:
        raise CinnError(
            "{given} labels do not fit {count} digits: give one for each, or one for all.",
            given=len(numbers),
            count=count,
        )
    return torch.tensor(numbers, dtype=torch.int64)


def as_latents(latents: Latents, shape: str = "(..., 784)") -> Tensor:
    """Convert latents to float32.

    Args:
        latents: floats.
        shape: wanted, ``(784,)``, ``(count, 784)`` or, with any number of dimensions, ``(..., 784)``.
    """
    values = _as_floats(latents, Message("Latents"))
    if values.ndim not in {"(784,)": (1,), "(count, 784)": (2,)}.get(shape, range(1, 100)) or values.shape[-1] != DIMS:
        raise CinnError(
            "Latents cannot have the shape {shape} here: give {wanted}.", shape=tuple(values.shape), wanted=shape
        )
    return values


def as_steps(steps: Mapping[str | int, float], limit: float) -> dict[str | int, float]:
    """Return steps along axes, each from `-limit` to `limit`."""
    if not isinstance(steps, Mapping):
        raise CinnError(
            "Steps cannot be given as {type}: name axes, such as {example}.",
            type=type(steps).__name__,
            example="{'slant': 1.5}",
        )
    return {
        key: number_between(step, Message("step along {axis}", axis=key), -limit, limit) for key, step in steps.items()
    }


def _as_floats(values: Tensor | np.ndarray, name: str) -> Tensor:
    if not isinstance(values, Tensor | np.ndarray):
        raise CinnError(
            "{name} cannot be given as {type}: give a tensor or an array.", name=name, type=type(values).__name__
        )
    if not (values.is_floating_point() if isinstance(values, Tensor) else values.dtype.kind == "f"):
        raise CinnError("{name} cannot have the type {type}: give floats.", name=name, type=values.dtype)
    tensor = _as_tensor(values).float()
    if not tensor.isfinite().all():
        raise CinnError("{name} cannot have values that are nan or infinite: give finite ones.", name=name)
    return tensor


def _as_tensor(values: Tensor | np.ndarray) -> Tensor:
    """Convert bytes and floats to a tensor on the CPU; arrays are copied: they may be read-only or reversed views."""
    if isinstance(values, Tensor):
        return values.cpu()
    return torch.from_numpy(values.astype(np.uint8 if values.dtype == np.uint8 else np.float32))
