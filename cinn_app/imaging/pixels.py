"""Any kind of picture as plain arrays, gray or sRGB, through its colour profile."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.imaging.formats.own import OwnPicture
from cinn_app.imaging.profiles import lab_to_srgb, to_srgb
from cinn_app.imaging.ranges import to_8_bits, to_unit_range
from cinn_app.messages import Message

__all__ = ["Pixels", "pixels_of_array", "pixels_of_image"]

GRAY_MODES = ("1", "L", "LA", "La")
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


@dataclass(frozen=True, eq=False)
class Pixels:
    """A decoded picture.

    Attributes:
        values: gray `(height, width)` or sRGB `(height, width, 3)`; uint8, or float32 in 0..1 where there are more
            than 8 bits.
        alpha: uint8 `(height, width)`, 255 opaque; None for an opaque picture.
        warnings: sentences about what was lost or assumed.
    """

    values: np.ndarray
    alpha: np.ndarray | None = None
    warnings: tuple[Message, ...] = ()


def pixels_of_image(image: Image.Image, low: np.ndarray | None = None) -> Pixels:
    """Read a Pillow picture of any mode through its colour profile.

    Args:
        image: upright and decoded.
        low: the low bytes of the colours of which Pillow has the high ones, in the shape of `Pixels.values`.
    """
    if isinstance(image, OwnPicture) and image.decoded:
        values, ignored = to_srgb(image.decoded.values, image.info)
        return Pixels(values, image.decoded.alpha, image.decoded.warnings + ignored)
    alpha, transparent = None, image.info.get("transparency")
    if low is not None or image.mode in DEEP_MODES:
        alpha = _alpha_of_a_colour(np.array(image), low, transparent)
    if alpha is not None:
        image.info.pop("transparency")
    elif image.has_transparency_data and image.mode not in DEEP_MODES:
        image = image.convert("LA" if image.mode in GRAY_MODES else "RGBA")
        alpha = np.array(image.getchannel("A"))
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode == "LAB":
        return Pixels(lab_to_srgb(image), alpha)
    if image.mode in (*GRAY_MODES, *DEEP_MODES):
        numbers, warnings = _gray(image)
    else:
        numbers, warnings = np.array(image if image.mode in ("RGB", "CMYK") else image.convert("RGB")), ()
    if low is not None:
        numbers = (numbers * np.float32(256) + low) / np.float32(65535)
    values, ignored = to_srgb(numbers, image.info)
    return Pixels(values, alpha, warnings + ignored)


def _alpha_of_a_colour(numbers: np.ndarray, low: np.ndarray | None, transparent: object) -> np.ndarray | None:
    """Return the alpha of a picture of 16 bits in which one colour is transparent; None if none is."""
    if not isinstance(transparent, int | tuple):
        return None
    same = (numbers if low is None else numbers * np.uint16(256) + low.astype(np.uint16)) == transparent
    return np.where(same if same.ndim == 2 else same.all(2), 0, 255).astype(np.uint8)


def pixels_of_array(array: np.ndarray) -> Pixels:
    """Read a numpy picture: gray `(height, width)`, or gray, gray and alpha, RGB or RGBA in a last axis.

    Unsigned integers range from 0 to the largest of their type, floats from 0 to 1.

    Raises:
        ImageError: for any other shape or kind of number, or no pixels.
    """
    array = np.asarray(array)  # a np.matrix keeps two axes, whatever is done to it
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or array.size == 0:
        raise ImageError(
            "An array of shape {shape} is not a picture: "
            "pass (height, width) or (height, width, channels) with 1 to 4 channels.",
            shape=array.shape,
        )
    if array.dtype.kind not in "buf":
        raise ImageError(
            "An array of {dtype} is not a picture: pass unsigned integers, or floats in 0..1.", dtype=array.dtype
        )
    array = array.reshape(*array.shape[:2], channels)
    alpha = None
    if channels in (2, 4):
        alpha = to_8_bits(to_unit_range(array[..., -1])[0])
        array = array[..., :-1]
    values, warnings = to_unit_range(array)
    return Pixels(values[..., 0] if channels < 3 else values, alpha, warnings)


def _gray(image: Image.Image) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Read gray of any depth in full precision, with warnings."""
    numbers = np.array(image)
    if image.mode == "I" and numbers.min() >= 0 and numbers.max() < 1 << 16:
        numbers = numbers.astype(np.uint16)  # 16 bits in a wider type, as Pillow reads some files
    values, warnings = to_unit_range(numbers)
    return values, warnings
