"""What the samples of a TIFF page mean: gray, RGB, palettes, inks, YCbCr or Lab in any format of samples, and alpha."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from cinn_app.errors import ImageError
from cinn_app.imaging.colour import lightness_and_ab_to_rgb8, row_tiles
from cinn_app.imaging.formats.own import Decoded
from cinn_app.imaging.formats.partial import missing_pixels
from cinn_app.imaging.formats.tiff_samples import Samples, read_samples, tag_fractions, tag_number
from cinn_app.imaging.ranges import to_8_bits, to_unit_range
from cinn_app.messages import Damage, Message

if TYPE_CHECKING:
    from tifffile import TiffPage

__all__ = ["decode_page", "lab_to_rgb8"]

# Numbers of tags and of their values, as in the specification TIFF 6.0 and its supplements.
PHOTOMETRIC, COLOUR_MAP, INK_SET, EXTRA_SAMPLES, DECODE = 262, 320, 332, 338, 433
YCBCR_COEFFICIENTS, REFERENCE_BLACK_WHITE = 529, 532
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INKS, YCBCR, CIELAB, ICCLAB, ITULAB = 0, 1, 2, 3, 4, 5, 6, 8, 9, 10
# Channels of colour, without alpha. A Lab picture with fewer is gray.
CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, MASK: 1, PALETTE: 1, RGB: 3, INKS: 4, YCBCR: 3}
CHANNELS |= {CIELAB: 3, ICCLAB: 3, ITULAB: 3}
GRAYS, LABS = (WHITE_IS_ZERO, BLACK_IS_ZERO, MASK), (CIELAB, ICCLAB, ITULAB)
SENSOR = (32803, 34892)
NO_CMYK = 2
SIGNED, FLOAT, COMPLEX = 2, 3, (5, 6)
PREMULTIPLIED, STRAIGHT = 1, 2


def decode_page(page: "TiffPage", name: str) -> Decoded:
    """Decode the colours and alpha of a page, as stored, not turned.

    Args:
        page: opened by tifffile; its file must be open still.
        name: of the file, for errors.

    Raises:
        ImageError: if its compression or kind of colours cannot be read, or nothing of the picture is there.
    """
    kind = _kind(page, name)
    count = min(CHANNELS[kind], 1 if kind in LABS and page.samplesperpixel < 3 else 4)
    extra = [int(each) for each in np.atleast_1d(page.extrasamples)]
    if EXTRA_SAMPLES not in page.tags and page.samplesperpixel == count + 1:
        extra = [STRAIGHT]
    opacity = next((number for number, each in enumerate(extra) if each in (PREMULTIPLIED, STRAIGHT)), None)
    warnings: tuple[Message, ...] = ()
    if kind in GRAYS and opacity is None and page.samplesperpixel > 1:
        channels = Message("channels")
        warnings += (Message("Only the first of {number} {kind} is used.", number=page.samplesperpixel, kind=channels),)
    samples = read_samples(page, [*range(count)] + ([] if opacity is None else [count + opacity]), name)
    if samples.missing > 0:
        warnings += (missing_pixels(samples.missing),)
    elif samples.damaged:
        warnings += (Damage("It is damaged: a part of its pixels may be wrong."),)
    values, assumed = _colours(page, samples.channels(slice(count)), kind)
    warnings += assumed
    if opacity is None:
        return Decoded(_layout(values, kind), None, warnings)
    alpha = _unit_range(page, samples.channels(slice(count, None)))[0]
    if extra[opacity] == PREMULTIPLIED:
        values = _divide(values, alpha, white_is_zero=kind == WHITE_IS_ZERO)
    return Decoded(_layout(values, kind), to_8_bits(alpha[..., 0]), warnings)


def _kind(page: "TiffPage", name: str) -> int:
    """Return the photometric interpretation, if it can be read."""
    kind = tag_number(page, PHOTOMETRIC, RGB if page.samplesperpixel in (3, 4) else BLACK_IS_ZERO)
    if page.compression == 6 and kind == RGB:
        kind = YCBCR  # as libtiff takes old-style JPEG
    if kind in SENSOR:
        raise ImageError(
            "{name} holds the raw values of a camera's sensor: develop it in a raw converter and save it as TIFF.",
            name=name,
        )
    sample_format = page.sampleformat
    if sample_format in COMPLEX:
        raise ImageError("{name} is a TIFF of complex numbers: save its magnitude as floats.", name=name)
    inks = kind == INKS and (tag_number(page, INK_SET, 1) == NO_CMYK or page.samplesperpixel < 4)
    if kind not in CHANNELS or inks:
        import tifffile

        known = {member.value: member.name for member in tifffile.PHOTOMETRIC}
        raise ImageError(
            "{name} is a TIFF whose colours are of the kind {kind}, which cannot be read: save it as RGB.",
            name=name,
            kind=f"{page.samplesperpixel} inks" if inks else known.get(kind, str(kind)),
        )
    return kind


def _colours(page: "TiffPage", samples: Samples, kind: int) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Convert samples of the colour channels to gray, RGB or CMYK, uint8 or float32 in 0..1."""
    if kind == PALETTE:
        return _look_up(page, samples.values[..., 0]), ()
    if kind in LABS:
        return _by_rows(lambda part: _lab_to_rgb8(page, part, kind), samples), ()
    if kind == YCBCR and not samples.rgb:
        return _by_rows(lambda part: _ycbcr_to_rgb8(page, part), samples), ()
    values, warnings = _unit_range(page, samples)
    if kind == WHITE_IS_ZERO:
        values = ~values if values.dtype == np.uint8 else 1 - values
    return values, warnings


def _layout(values: np.ndarray, kind: int) -> np.ndarray:
    """Return gray in two axes, and inks in 8 bits."""
    if kind in GRAYS:
        return values[..., 0]
    return to_8_bits(values) if kind == INKS else values


def _by_rows(convert: Callable[[Samples], np.ndarray], samples: Samples) -> np.ndarray:
    """Convert in tiles, which bounds the memory."""
    height, width = samples.values.shape[:2]
    return np.concatenate([convert(samples.rows(rows)) for rows in row_tiles(height, width)])


def _unit_range(page: "TiffPage", samples: Samples) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Convert samples of any format to uint8, or float32 in 0..1; warn where the range is a guess."""
    if page.sampleformat == FLOAT:
        return to_unit_range(_floats(samples))
    values, bits = samples.values, samples.bits
    warnings: tuple[Message, ...] = ()
    highest = 2**bits - 1
    if page.sampleformat == SIGNED:
        sign = 2 ** (bits - 1)
        from_lowest = values ^ values.dtype.type(sign)
        if values.max() < sign:  # nothing is negative, so the range begins at 0
            highest = sign - 1
        elif _roughness(from_lowest) < _roughness(values):  # else unsigned numbers are called signed: ImageMagick does
            values = from_lowest
    if bits > 16 and 0 < (brightest := values.max()) < 2**16:
        highest = 2**16 - 1
        warnings = (Message("Its values reach {brightest} only, and were read as 16 bits.", brightest=int(brightest)),)
    return to_unit_range(values, highest)[0], warnings


def _roughness(values: np.ndarray) -> float:
    """Return the mean difference of neighbours."""
    return float(np.abs(np.diff(values.astype(np.float32), axis=1)).mean()) if values.shape[1] > 1 else 0.0


def _floats(samples: Samples) -> np.ndarray:
    """Read the bits of samples as floats of 16, 24, 32 or 64 bits."""
    if samples.bits == 24:  # sign, 7 bits of exponent, 16 bits of mantissa
        values = samples.values.astype(np.int64)
        exponent, mantissa = values >> 16 & 0x7F, values & 0xFFFF
        size = np.where(exponent == 0, mantissa / 2**16 * 2.0**-62, (1 + mantissa / 2**16) * 2.0 ** (exponent - 63))
        size[exponent == 0x7F] = np.where(mantissa[exponent == 0x7F] == 0, np.inf, np.nan)
        return np.where(values >> 23, -size, size)
    return samples.values.view(f"f{samples.bits // 8}")


def _look_up(page: "TiffPage", indices: np.ndarray) -> np.ndarray:
    palette = np.asarray(page.tags.valueof(COLOUR_MAP)).reshape(3, -1).T
    if palette.max() > 255:  # else it counts in 8 bits, as old scanners write
        palette = palette >> 8  # 255 may be 65535 or 65280
    return palette.astype(np.uint8)[np.minimum(indices, len(palette) - 1)]


def _lab_to_rgb8(page: "TiffPage", samples: Samples, kind: int) -> np.ndarray:
    """Convert Lab in one of its three encodings."""
    values, step = samples.values.astype(np.float32), 2.0 ** (samples.bits - 8)
    if page.sampleformat == FLOAT:
        lab = _floats(samples).astype(np.float32)
    elif kind == CIELAB:  # a and b have a sign
        lab = (np.where(values < 128 * step, values, values - 256 * step) / step).astype(np.float32)
        lab[..., 0] = values[..., 0] * (100 / (256 * step - 1))
    elif kind == ICCLAB:
        lab = values / step - 128
        lab[..., 0] = values[..., 0] * (100 / (255 * step))
    else:
        low, high = np.reshape(tag_fractions(page, DECODE, [0, 100, -85, 85, -75, 125]), (3, 2)).T
        lab = low[: values.shape[-1]] + values / (256 * step - 1) * (high - low)[: values.shape[-1]]
    return lab_to_rgb8(lab)


def lab_to_rgb8(lab: np.ndarray) -> np.ndarray:
    """Convert Lab, or L alone, in the last axis to 8-bit sRGB."""
    channels = torch.tensor(lab, dtype=torch.float32).movedim(-1, 0)
    chroma = channels[1:] if len(channels) == 3 else torch.zeros(2, *channels.shape[1:])
    return lightness_and_ab_to_rgb8(channels[:1].clamp(0, 100), chroma).numpy()


def _ycbcr_to_rgb8(page: "TiffPage", samples: Samples) -> np.ndarray:
    codes = samples.values.astype(np.float32) * (255 / (2**samples.bits - 1))
    black, white = np.reshape(tag_fractions(page, REFERENCE_BLACK_WHITE, [0, 255, 128, 255, 128, 255]), (3, 2)).T
    y, cb, cr = np.moveaxis((codes - black) / (white - black) * (255, 127, 127), -1, 0)
    red, green, blue = tag_fractions(page, YCBCR_COEFFICIENTS, [0.299, 0.587, 0.114])
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    rgb = np.stack([r, (y - blue * b - red * r) / green, b], axis=-1)
    return np.round(rgb.clip(0, 255)).astype(np.uint8)


def _divide(values: np.ndarray, alpha: np.ndarray, white_is_zero: bool) -> np.ndarray:
    """Undo the multiplication with alpha."""
    opacity = alpha.astype(np.float32) / (255 if alpha.dtype == np.uint8 else 1)
    full = 255 if values.dtype == np.uint8 else 1
    stored = full - values if white_is_zero else values
    divided = np.divide(stored, opacity, out=np.zeros(values.shape, np.float32), where=opacity > 0).clip(0, full)
    divided = full - divided if white_is_zero else divided
    return np.round(divided).astype(np.uint8) if full == 255 else divided
