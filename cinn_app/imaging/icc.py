"""Colour profiles: to sRGB on the way in, sRGB said on the way out."""

import io
import struct

import numpy as np
from PIL import Image, ImageCms

__all__ = ["SRGB_PROFILE", "GrayCurve", "colour_to_srgb", "gray_curve"]

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
