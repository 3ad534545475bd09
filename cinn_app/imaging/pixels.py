"""Any kind of picture as plain arrays, gray or sRGB, through its colour profile."""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from cinn_app.errors import ImageError
from cinn_app.messages import Message

__all__ = ["SRGB_PROFILE", "Pixels", "pixels_of_array", "pixels_of_image"]

GRAY_MODES = ("1", "L", "LA", "La")
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
# In TIFF a photometric interpretation of 0 says that white is 0; Pillow handles it except at 16 bits.
PHOTOMETRIC_INTERPRETATION = 262

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_BLOCK = _SRGB.tobytes()
#: The sRGB profile for files that are written. Bytes 24 to 36 are its date: a fixed one, so that the same picture gives
#: the same file every day.
SRGB_PROFILE = _BLOCK[:24] + struct.pack(">6H", 2026, 7, 1, 0, 0, 0) + _BLOCK[36:]

IGNORED = Message("Its colour profile is damaged or made for another kind of picture, and was ignored.")

# A curve from the picture's gray in 0..1 to sRGB gray: two arrays of the same length, both increasing.
GrayCurve = tuple[np.ndarray, np.ndarray]


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


def pixels_of_image(image: Image.Image) -> Pixels:
    """Read a Pillow picture of any mode through its colour profile."""
    alpha = None
    if image.has_transparency_data and image.mode not in DEEP_MODES:
        image = image.convert("LA" if image.mode in GRAY_MODES else "RGBA")
        alpha = np.array(image.getchannel("A"))
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode in (*GRAY_MODES, *DEEP_MODES):
        values, warnings = _gray(image)
        return Pixels(values, alpha, warnings)
    srgb, warnings = _colour_to_srgb(image)
    return Pixels(np.array(srgb), alpha, warnings)


def pixels_of_array(array: np.ndarray) -> Pixels:
    """Read a numpy picture: gray `(height, width)`, or gray, gray and alpha, RGB or RGBA in a last axis.

    Unsigned integers range from 0 to the largest of their type, floats from 0 to 1.

    Raises:
        ImageError: for any other shape or kind of number, or no pixels.
    """
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
        alpha = _to_8_bits(_unit_range(array[..., -1])[0])
        array = array[..., :-1]
    values, warnings = _unit_range(array)
    return Pixels(values[..., 0] if channels < 3 else values, alpha, warnings)


def _gray(image: Image.Image) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Read gray of any depth in full precision, with warnings."""
    numbers = np.array(image)
    if image.mode == "I" and numbers.min() >= 0 and numbers.max() < 1 << 16:
        numbers = numbers.astype(np.uint16)  # 16 bits in a wider type, as Pillow reads some files
    values, warnings = _unit_range(numbers)
    if image.mode.startswith("I;16") and getattr(image, "tag_v2", {}).get(PHOTOMETRIC_INTERPRETATION) == 0:
        values = 1 - values
    curve, ignored = _gray_curve(image)
    if curve is not None and values.dtype == np.uint8:
        values = np.interp(np.linspace(0, 1, 256), *curve).astype(np.float32)[values]
    elif curve is not None:
        values = np.interp(values, *curve).astype(np.float32)
    return values, warnings + ignored


def _unit_range(numbers: np.ndarray) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Convert numbers to float32 in 0..1, but leave 8 bits as they are; warn where the range is a guess."""
    if numbers.dtype == np.uint8:
        return numbers, ()
    if numbers.dtype == np.bool_:
        return numbers.astype(np.uint8) * 255, ()
    if numbers.dtype.kind == "u":
        return numbers.astype(np.float32) / np.iinfo(numbers.dtype).max, ()
    finite = np.isfinite(numbers)
    low = float(numbers.min(initial=0, where=finite))
    high = float(numbers.max(initial=1, where=finite))
    values = (np.where(finite, numbers, low).astype(np.float32) - low) / (high - low)
    warnings = []
    if (low, high) != (0, 1):
        scaled = "Its values, between {low} and {high}, were scaled to 0..1."
        warnings.append(Message(scaled, low=f"{low:g}", high=f"{high:g}"))
    if not finite.all():
        share = f"{1 - finite.mean():.0%}"
        warnings.append(Message("{share} of its values are not numbers; they were replaced by black.", share=share))
    return values, tuple(warnings)


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    return values if values.dtype == np.uint8 else np.round(values * 255).astype(np.uint8)


# Colour profiles


def _colour_to_srgb(image: Image.Image) -> tuple[Image.Image, tuple[Message, ...]]:
    """Convert an opaque 8-bit picture of any colour mode to sRGB through its profile.

    Without a profile RGB counts as sRGB, and CMYK is converted by the simple formula.

    Returns:
        The picture in mode RGB, and a warning if its profile could not be used.
    """
    if image.mode == "LAB":
        return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))), ()
    if image.mode not in ("RGB", "CMYK"):
        image = image.convert("RGB")
    profile, warnings = _embedded_profile(image)
    if profile is not None:
        try:
            return _transform(image, profile), ()
        except ImageCms.PyCMSError:
            warnings = (IGNORED,)
    return image.convert("RGB"), warnings


def _gray_curve(image: Image.Image) -> tuple[GrayCurve | None, tuple[Message, ...]]:
    """Read a gray picture's profile as a curve to sRGB gray, which fits any depth.

    Returns:
        The curve, or None without a profile; and a warning if the profile could not be used.
    """
    profile, warnings = _embedded_profile(image)
    if profile is None:
        return None, warnings
    steps = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if profile.profile.xcolor_space.strip() == "RGB":  # some programs embed it in gray pictures
        steps = steps.convert("RGB")
    try:
        mapped = np.asarray(_transform(steps, profile).convert("L"))[0]
    except ImageCms.PyCMSError:
        return None, (IGNORED,)
    # Steps that 8 bits map to the same value become one point in their middle, so that no depth is lost.
    values, groups = np.unique(mapped, return_inverse=True)
    centres = np.bincount(groups, weights=np.linspace(0, 1, 256)) / np.bincount(groups)
    return (centres, values / 255), ()


def _embedded_profile(image: Image.Image) -> tuple[ImageCms.ImageCmsProfile | None, tuple[Message, ...]]:
    """Return the picture's own profile, unless it is sRGB, and a warning if it cannot be read."""
    block = image.info.get("icc_profile")
    if not block:
        return None, ()
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(block))
        return (None if "sRGB" in ImageCms.getProfileDescription(profile) else profile), ()
    except (ImageCms.PyCMSError, OSError):
        return None, (IGNORED,)


def _transform(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert to sRGB in fine steps: the default ones are too wide for dark gray."""
    fine = ImageCms.Flags.HIGHRESPRECALC
    converted = ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB", flags=fine)
    assert converted is not None  # it is None only when asked to work in place
    return converted
