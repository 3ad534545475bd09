"""Any kind of picture as plain arrays: gray or sRGB values, and alpha."""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from cinn_app.errors import ImageError

__all__ = ["SRGB_PROFILE", "GrayCurve", "Pixels", "colour_to_srgb", "gray_curve", "pixels_of_array", "pixels_of_image"]

GRAY_MODES = ("1", "L", "LA", "La")
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
# In TIFF a photometric interpretation of 0 says that white is 0; Pillow sees to it except at 16 bits.
PHOTOMETRIC_INTERPRETATION = 262


@dataclass(frozen=True, eq=False)
class Pixels:
    """A decoded picture.

    Attributes:
        values: gray `(height, width)` or sRGB `(height, width, 3)`; uint8, or float32 in 0..1 where there
            are more than 8 bits.
        alpha: uint8 `(height, width)`, 255 opaque; None for an opaque picture.
        warnings: sentences about what was lost or assumed.
    """

    values: np.ndarray
    alpha: np.ndarray | None = None
    warnings: tuple[str, ...] = ()


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
    srgb, warning = colour_to_srgb(image)
    return Pixels(np.array(srgb), alpha, _given(warning))


def pixels_of_array(array: np.ndarray) -> Pixels:
    """Read a numpy picture: gray `(height, width)`, or gray, gray and alpha, RGB or RGBA in a last axis.

    Unsigned integers count from 0 to the largest of their type, floats from 0 to 1.

    Raises:
        ImageError: any other shape or kind of number, or no pixels.
    """
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or array.size == 0:
        raise ImageError(
            f"An array of shape {array.shape} is not a picture: "
            "pass (height, width) or (height, width, channels) with 1 to 4 channels."
        )
    if array.dtype.kind not in "buf":
        raise ImageError(f"An array of {array.dtype} is not a picture: pass unsigned integers, or floats in 0..1.")
    array = array.reshape(*array.shape[:2], channels)
    alpha = None
    if channels in (2, 4):
        alpha = _to_8_bits(_unit_range(array[..., -1])[0])
        array = array[..., :-1]
    values, warning = _unit_range(array)
    return Pixels(values[..., 0] if channels < 3 else values, alpha, _given(warning))


def _gray(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read gray of any depth without losing any, and the warnings that go with it."""
    numbers = np.array(image)
    if image.mode == "I" and numbers.min() >= 0 and numbers.max() < 1 << 16:
        numbers = numbers.astype(np.uint16)  # 16 bits in a wider type, as Pillow has it for some files
    values, scaled = _unit_range(numbers)
    if image.mode.startswith("I;16") and _white_is_zero(image):
        values = 1 - values
    curve, ignored = gray_curve(image)
    if curve is not None and values.dtype == np.uint8:
        values = np.interp(np.linspace(0, 1, 256), *curve).astype(np.float32)[values]
    elif curve is not None:
        values = np.interp(values, *curve).astype(np.float32)
    return values, _given(scaled, ignored)


def _unit_range(numbers: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Bring numbers to float32 in 0..1, but leave 8 bits as they are; warn where the range is a guess."""
    if numbers.dtype == np.uint8:
        return numbers, None
    if numbers.dtype == np.bool_:
        return numbers.astype(np.uint8) * 255, None
    if numbers.dtype.kind == "u":
        return numbers.astype(np.float32) / np.iinfo(numbers.dtype).max, None
    finite = np.isfinite(numbers)
    low = float(numbers.min(initial=0, where=finite))
    high = float(numbers.max(initial=1, where=finite))
    values = (np.where(finite, numbers, low).astype(np.float32) - low) / (high - low)
    told = []
    if (low, high) != (0, 1):
        told.append(f"Its values, between {low:g} and {high:g}, were scaled to 0..1.")
    if not finite.all():
        told.append(f"{1 - finite.mean():.0%} of its values are no numbers, and were taken for black.")
    return values, " ".join(told) or None


def _given(*warnings: str | None) -> tuple[str, ...]:
    return tuple(warning for warning in warnings if warning)


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    return values if values.dtype == np.uint8 else np.round(values * 255).astype(np.uint8)


def _white_is_zero(image: Image.Image) -> bool:
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC_INTERPRETATION) == 0


# Where the picture's gray, in 0..1, is mapped, and what to: two arrays of the same length, both increasing.
GrayCurve = tuple[np.ndarray, np.ndarray]

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_BLOCK = _SRGB.tobytes()
# Bytes 24 to 36 say when it was made: always the same moment, so that the same picture is the same file.
SRGB_PROFILE = _BLOCK[:24] + struct.pack(">6H", 2026, 7, 1, 0, 0, 0) + _BLOCK[36:]

IGNORED = "Its colour profile is damaged or made for another kind of picture, and was ignored."


def colour_to_srgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Convert an opaque picture of any colour mode of 8 bits to sRGB through the profile it carries.

    Without a profile RGB is taken for sRGB, and CMYK is converted by the simple formula.

    Returns:
        The picture in mode RGB, and a warning if its profile could not be used.
    """
    if image.mode == "LAB":
        return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))), None
    if image.mode not in ("RGB", "CMYK"):
        image = image.convert("RGB")
    profile, warning = _embedded(image)
    if profile is not None:
        try:
            return _transform(image, profile), None
        except ImageCms.PyCMSError:
            warning = IGNORED
    return image.convert("RGB"), warning


def gray_curve(image: Image.Image) -> tuple[GrayCurve | None, str | None]:
    """Read the profile that a gray picture carries as a curve to sRGB gray, which serves any depth.

    Returns:
        The curve, or None without a profile; and a warning if the profile could not be used.
    """
    profile, warning = _embedded(image)
    if profile is None:
        return None, warning
    steps = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if profile.profile.xcolor_space.strip() == "RGB":  # as some programs embed it in gray pictures
        steps = steps.convert("RGB")
    try:
        mapped = np.asarray(_transform(steps, profile).convert("L"))[0]
    except ImageCms.PyCMSError:
        return None, IGNORED
    # Steps that 8 bits map to the same value become one point in their middle, so that no depth is lost.
    values, groups = np.unique(mapped, return_inverse=True)
    centres = np.bincount(groups, weights=np.linspace(0, 1, 256)) / np.bincount(groups)
    return (centres, values / 255), None


def _embedded(image: Image.Image) -> tuple[ImageCms.ImageCmsProfile | None, str | None]:
    """Give the profile that a picture carries, unless it is sRGB, and a warning if it cannot be read."""
    block = image.info.get("icc_profile")
    if not block:
        return None, None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(block))
        return (None if "sRGB" in ImageCms.getProfileDescription(profile) else profile), None
    except (ImageCms.PyCMSError, OSError):
        return None, IGNORED


def _transform(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Convert to sRGB; in fine steps, since the usual ones are too wide for dark gray."""
    fine = ImageCms.Flags.HIGHRESPRECALC
    converted = ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB", flags=fine)
    assert converted is not None  # it is None only when asked to work in place
    return converted
