"""Colour profiles: to sRGB on the way in, sRGB said on the way out."""

import io

import numpy as np
from PIL import Image, ImageCms

__all__ = ["SRGB_PROFILE", "gray_curve", "to_srgb"]

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
SRGB_PROFILE: bytes = _SRGB.tobytes()

IGNORED = "Its colour profile is damaged or made for another kind of picture, and was ignored."


def to_srgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Convert an opaque picture of any 8-bit mode to sRGB.

    Without a profile RGB is taken for sRGB, gray for its gray, and CMYK is converted by the simple formula.

    Returns:
        The picture in mode L or RGB, and a warning if its profile could not be used.
    """
    if image.mode == "LAB":
        return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))), None
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    unprofiled = image.convert("RGB") if image.mode == "CMYK" else image
    embedded = image.info.get("icc_profile")
    if not embedded:
        return unprofiled, None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return unprofiled, None
        if image.mode == "L" and profile.profile.xcolor_space.strip() == "RGB":
            image = image.convert("RGB")
        return _transform(image, profile).convert(unprofiled.mode), None  # gray stays gray
    except (ImageCms.PyCMSError, OSError, ValueError):
        return unprofiled, IGNORED


def gray_curve(embedded: bytes | None) -> tuple[np.ndarray | None, str | None]:
    """Read a gray profile as a curve, which serves gray of more than 8 bits too.

    Returns:
        sRGB gray, float32 `(256,)` in 0..1, for even steps of the picture's gray, or None without a profile;
        and a warning if the profile could not be used.
    """
    if not embedded:
        return None, None
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    ramp.info["icc_profile"] = embedded
    converted, warning = to_srgb(ramp)
    return np.asarray(converted, dtype=np.float32)[0] / 255, warning


def _transform(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(image, profile, _SRGB, outputMode="RGB")
    assert converted is not None  # it is None only when asked to work in place
    return converted
