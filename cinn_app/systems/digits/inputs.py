"""What people hand to a generator of digits: brought to tensors, or refused in one sentence."""

import io
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.imaging import ImageSource
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
    "number_between",
    "whole_number",
]

#: A tensor or array, uint8 ``(28, 28)``, is taken as it is; a file or Pillow picture is read by `read_digit`.
DigitImage: TypeAlias = ImageSource | Tensor
#: Several of them, a tensor or array ``(count, 28, 28)``, or one by itself.
DigitImages: TypeAlias = DigitImage | Sequence[DigitImage]
Labels: TypeAlias = int | Iterable[int] | np.ndarray | Tensor
Latents: TypeAlias = Tensor | np.ndarray


def as_images(images: DigitImages) -> Tensor:
    """Bring pictures of digits to uint8, ``(count, 28, 28)``, 255 for full ink.

    Raises:
        ImageError: if a file cannot be read as a digit.
        CinnError: if it is something else, or has another shape or type.
    """
    if isinstance(images, list | tuple):
        return torch.cat([torch.empty(0, DIGIT_SIDE, DIGIT_SIDE, dtype=torch.uint8), *map(as_images, images)])
    if not isinstance(images, Tensor | np.ndarray):
        if isinstance(images, str | os.PathLike | bytes | Image.Image | io.IOBase):
            return read_digit(images)[None]
        raise CinnError(
            f"Digits cannot be given as {type(images).__name__}: give a tensor, an array, a Pillow picture or a path."
        )
    if images.ndim == 4 and images.shape[1] == 1:  # as loaders of MNIST have it
        images = images[:, 0]
    shape = tuple(images.shape)
    if len(shape) not in (2, 3) or shape[-2:] != (DIGIT_SIDE, DIGIT_SIDE):
        raise CinnError(
            f"Digits cannot have the shape {shape}: give (count, 28, 28) or (28, 28), or bring a drawing of "
            "another size to that form with cinn_app.imaging.read_digit."
        )
    if images.dtype not in (torch.uint8, np.uint8):
        raise CinnError(f"Digits cannot have the type {images.dtype}: give uint8, 255 for full ink.")
    return _tensor(images).reshape(-1, DIGIT_SIDE, DIGIT_SIDE)


def as_image(image: DigitImage) -> Tensor:
    """Bring the picture of a digit to uint8, ``(28, 28)``; raises as :func:`as_images`, and for several."""
    images = as_images(image)
    if len(images) != 1:
        raise CinnError(f"{len(images)} digits were given where one is wanted: choose one.")
    return images[0]


def as_label(label: int) -> int:
    """Check that there is such a digit."""
    try:
        number = operator.index(label)
    except TypeError:
        number = -1
    if number not in range(CLASSES):
        raise CinnError(f"There is no digit {_plain(label)!r}: choose a whole number from 0 to {CLASSES - 1}.")
    return number


def as_labels(labels: Labels) -> list[int]:
    """Check labels, given in any form, or a single one."""
    listed = _plain(labels)
    return [as_label(label) for label in listed] if isinstance(listed, Iterable) else [as_label(listed)]


def as_weights_or_labels(labels: Labels, count: int) -> Tensor:
    """Bring what steers `count` digits to int64, ``(count,)``, or to weights of the classes, float32, ``(count, 10)``.

    A single label stands for all.
    """
    if isinstance(labels, Tensor | np.ndarray) and labels.ndim == 2:
        weights = _floats(labels, "Weights of the classes")
        if weights.shape != (count, CLASSES):
            raise CinnError(f"Weights of shape {tuple(weights.shape)} do not fit: give ({count}, {CLASSES}).")
        return weights
    numbers = as_labels(labels)
    if len(numbers) == 1:
        numbers *= count
    if len(numbers) != count:
        raise CinnError(f"{len(numbers)} labels do not fit {count} digits: give one for each, or one for all.")
    return torch.tensor(numbers, dtype=torch.int64)


def as_latents(latents: Latents, shape: str = "(..., 784)") -> Tensor:
    """Bring handwritings to float32.

    Args:
        latents: floats.
        shape: wanted, ``(784,)``, ``(count, 784)`` or, of any number of dimensions, ``(..., 784)``.
    """
    values = _floats(latents, "Handwritings")
    if values.ndim not in {"(784,)": (1,), "(count, 784)": (2,)}.get(shape, range(1, 100)) or values.shape[-1] != DIMS:
        raise CinnError(f"Handwritings cannot have the shape {tuple(values.shape)} here: give {shape}.")
    return values


def as_steps(steps: Mapping[str | int, float], most: float) -> dict[str | int, float]:
    """Check steps along axes, none farther than `most`."""
    if not isinstance(steps, Mapping):
        raise CinnError(f"Steps cannot be given as {type(steps).__name__}: name axes, such as {{'slant': 1.5}}.")
    return {key: number_between(step, f"step along {key}", -most, most) for key, step in steps.items()}


def number_between(value: float, name: str, low: float, high: float) -> float:
    """Check a number's range; what is no number is in none."""
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):  # the last is torch's, of several numbers
        number = float("nan")
    if not low <= number <= high:
        raise CinnError(f"The {name}, {_plain(value)!r}, is out of range: give a number from {low:g} to {high:g}.")
    return number


def whole_number(value: int, name: str, low: int, high: int | None = None) -> int:
    """Check a whole number's range, which may have no upper end."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if number < low or (high is not None and number > high):
        wanted = f", at least {low}" if high is None else f" from {low} to {high}"
        raise CinnError(f"The {name}, {_plain(value)!r}, is out of range: give a whole number{wanted}.")
    return number


def _floats(values: Tensor | np.ndarray, name: str) -> Tensor:
    if not isinstance(values, Tensor | np.ndarray):
        raise CinnError(f"{name} cannot be given as {type(values).__name__}: give a tensor or an array.")
    of_floats = values.is_floating_point() if isinstance(values, Tensor) else values.dtype.kind == "f"
    if not of_floats:
        raise CinnError(f"{name} cannot have the type {values.dtype}: give floats.")
    tensor = _tensor(values).float()
    if not tensor.isfinite().all():
        raise CinnError(f"{name} cannot have values that are not finite: give none that are nan or infinite.")
    return tensor


def _tensor(values: Tensor | np.ndarray) -> Tensor:
    """Bring bytes and floats to a tensor on the CPU; arrays are copied: they may be read-only, or run backwards."""
    if isinstance(values, Tensor):
        return values.cpu()
    return torch.from_numpy(values.astype(np.uint8 if values.dtype == np.uint8 else np.float32))


def _plain(value: Any) -> Any:
    """Give arrays, tensors and their numbers as Python has them."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic | Tensor) else value
