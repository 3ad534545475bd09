"""BMP in run-length codes and with bit fields, which Pillow misreads or does not know."""

import io
import struct
from typing import BinaryIO

import numpy as np
from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.imaging.formats.own import LEAST_SHARE, Decoded, OwnPicture, damage, fill_up
from cinn_app.imaging.formats.partial import missing_pixels
from cinn_app.imaging.ranges import to_8_bits

__all__ = ["open_bmp"]

RLE8, RLE4, BIT_FIELDS, JPEG, PNG, ALPHA_BIT_FIELDS = 1, 2, 3, 4, 5, 6
OS2_HEADER = 64  # there 3 and 4 are other compressions
MASKS_AT = 54
END_OF_LINE, END_OF_PICTURE, MOVE = 0, 1, 2


def open_bmp(stream: BinaryIO, name: str) -> Image.Image:
    """Open a BMP file.

    Raises:
        ImageError: if it is compressed in a way that cannot be read.
    """
    head = stream.read(MASKS_AT)
    size = int.from_bytes(head[14:18], "little")
    compression = int.from_bytes(head[30:34], "little") if size >= 40 else 0
    if size == OS2_HEADER and compression not in (0, RLE8, RLE4):
        raise ImageError("{name} is compressed as OS/2 does, which cannot be read: save it as PNG.", name=name)
    if compression in (RLE8, RLE4, BIT_FIELDS, ALPHA_BIT_FIELDS):
        stream.seek(0)
        content = stream.read()
        width, height = struct.unpack_from("<ll", head, 18)
        decode = _decode_runs if compression in (RLE8, RLE4) else _decode_bit_fields
        return OwnPicture("BMP", (width, abs(height)), lambda: decode(content, name))
    if compression in (JPEG, PNG):
        stream.seek(int.from_bytes(head[10:14], "little"))
        return Image.open(io.BytesIO(stream.read()), formats=("JPEG", "PNG"))
    stream.seek(0)
    return Image.open(stream, formats=("BMP",))


def _decode_runs(content: bytes, name: str) -> Decoded:
    """Decode indices of a palette, in runs of bytes (RLE8) or of nibbles (RLE4)."""
    start, size, width, height, _, bits, compression = struct.unpack_from("<10xLLllHHL", content)
    used = struct.unpack_from("<L", content, 46)[0] or 1 << bits
    used = min(used, 256, (start - 14 - size) // 4)
    palette = np.frombuffer(content, np.uint8, 4 * used, 14 + size).reshape(-1, 4)[:, 2::-1]
    flipped, height = height > 0, abs(height)
    indices = np.zeros((height, width), np.uint8)
    nibbles = compression == RLE4
    at, x, y = start, 0, 0
    while y < height and at + 1 < len(content):
        count, value = content[at], content[at + 1]
        at += 2
        if count:
            pair = (value >> 4, value & 15) if nibbles else (value, value)
            run = indices[y, x : x + count]
            run[::2], run[1::2] = pair
            x += count
        elif value == END_OF_LINE:
            x, y = 0, y + 1
        elif value == END_OF_PICTURE:
            y = height
        elif value == MOVE:
            x, y, at = x + content[at], y + content[at + 1], at + 2
        else:  # so many indices as they are, filled up to an even number of bytes
            octets = (value + 1) // 2 if nibbles else value
            data = np.frombuffer(content[at : at + octets], np.uint8)
            data = np.stack([data >> 4, data & 15], 1).reshape(-1)[:value] if nibbles else data
            run = indices[y, x : x + value]
            run[: len(data)] = data[: len(run)]
            x, at = x + value, at + octets + octets % 2
    missing = 1 - (y * width + min(x, width)) / indices.size if y < height else 0
    if missing > 1 - LEAST_SHARE:
        raise damage(name)
    # The last line may lack its end.
    warnings = () if missing * height < 1 and x >= width else (missing_pixels(missing),)
    values = palette[np.minimum(indices, len(palette) - 1)]
    return Decoded(values[::-1] if flipped else values, warnings=warnings if y < height else ())


def _decode_bit_fields(content: bytes, name: str) -> Decoded:
    """Decode pixels of 16 to 32 bits, in which a mask says where each channel is."""
    start, size, width, height, _, bits, compression = struct.unpack_from("<10xLLllHHL", content)
    flipped, height = height > 0, abs(height)
    octets = bits // 8
    stride = (width * bits + 31) // 32 * 4
    data, missing = fill_up(content[start : start + stride * height], stride * height, name)
    lines = np.frombuffer(data, np.uint8).reshape(height, stride)
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., :octets] = lines[:, : width * octets].reshape(height, width, octets)
    numbers = pixels.view("<u4")[..., 0]
    with_alpha = size >= 56 or compression == ALPHA_BIT_FIELDS
    masks = struct.unpack_from("<4L" if with_alpha else "<3L", content, MASKS_AT)
    channels = [_field(numbers, mask) for mask in masks]
    deep = any(channel.dtype != np.uint8 for channel in channels[:3])
    values = np.stack(
        [channel / np.float32(255) if deep and channel.dtype == np.uint8 else channel for channel in channels[:3]], -1
    )
    alpha = to_8_bits(channels[3]) if with_alpha and masks[3] and channels[3].any() else None
    if flipped:
        values, alpha = values[::-1], None if alpha is None else alpha[::-1]
    return Decoded(values, alpha, (missing_pixels(missing),) if missing else ())


def _field(numbers: np.ndarray, mask: int) -> np.ndarray:
    """Return a channel: uint8, or float32 in 0..1 if its mask has more than 8 bits."""
    if mask == 0:
        return np.zeros(numbers.shape, np.uint8)
    lowest = (mask & -mask).bit_length() - 1
    unit = ((numbers & np.uint32(mask)) >> lowest) / np.float32(mask >> lowest)
    return unit.astype(np.float32) if (mask >> lowest) > 255 else to_8_bits(unit)
