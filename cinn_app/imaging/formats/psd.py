"""The flattened picture of Photoshop's files (PSD and PSB): all depths, colours and transparency."""

import struct
from typing import Any, BinaryIO

import numpy as np

from cinn_app.errors import ImageError
from cinn_app.imaging.formats.libtiff import by_libtiff
from cinn_app.imaging.formats.own import Decoded, OwnPicture, fill_up
from cinn_app.imaging.formats.partial import missing_pixels
from cinn_app.imaging.formats.tiff_colours import lab_to_rgb8
from cinn_app.imaging.ranges import to_8_bits, to_unit_range
from cinn_app.messages import Message

__all__ = ["PSD_SIGNATURE", "open_psd"]

PSD_SIGNATURE = b"8BPS"
LARGE = 2  # version of PSB
BITMAP, GRAY, INDEXED, RGB, CMYK, DUOTONE, LAB = 0, 1, 2, 3, 4, 8, 9
CHANNELS = {BITMAP: 1, GRAY: 1, INDEXED: 1, RGB: 3, CMYK: 4, DUOTONE: 1, LAB: 3}
UNCOMPRESSED, PACKED = 0, 1
PACKBITS = 32773  # TIFF's number of the compression
RESOLUTION, IPTC, ICC_PROFILE, VERSION, XMP = 1005, 1028, 1039, 1057, 1060


def open_psd(stream: BinaryIO, name: str) -> OwnPicture:
    """Open a file of Photoshop.

    Raises:
        ImageError: if it has no flattened picture, or of a kind that cannot be read.
    """
    content = stream.read()
    height, width, depth, mode = struct.unpack_from(">LLHH", content, 14)
    if mode not in CHANNELS or depth not in (1, 8, 16, 32):
        raise ImageError(
            "{name} has channels that are no picture by themselves: convert it to RGB and save it again.", name=name
        )
    colours_at = 26
    resources_at = colours_at + 4 + _number(content, colours_at)
    layers_at = resources_at + 4 + _number(content, resources_at)
    blocks = _resources(content[resources_at + 4 : layers_at])
    if blocks.get(VERSION, b"\0\0\0\0\1")[4:5] == b"\0":
        raise ImageError(
            "{name} has layers without a flattened picture: save it again with maximum compatibility, or as TIFF.",
            name=name,
        )
    info: dict[Any, Any] = {"icc_profile": blocks.get(ICC_PROFILE), "xmp": blocks.get(XMP)}
    info["photoshop"] = {IPTC: blocks[IPTC]} if IPTC in blocks else None
    if len(blocks.get(RESOLUTION, b"")) >= 12:
        across, _, _, down = struct.unpack_from(">LHHL", blocks[RESOLUTION])
        info["dpi"] = (across / 65536, down / 65536)
    info = {key: value for key, value in info.items() if value}
    return OwnPicture("PSD", (width, height), lambda: _decode(content, layers_at, name), info)


def _decode(content: bytes, layers_at: int, name: str) -> Decoded:
    version, _, channels, height, width, depth, mode = struct.unpack_from(">H6sHLLHH", content, 4)
    wide = 8 if version == LARGE else 4
    pixels_at = layers_at + wide + _number(content, layers_at, wide)
    count = CHANNELS[mode]
    transparent = channels > count and _has_transparency(content[layers_at:pixels_at], wide)
    planes = [
        _plane(content, pixels_at, channels, number, (height, width, depth), version == LARGE, name)
        for number in range(min(channels, count + transparent))
    ]
    missing = float(np.mean([missing for _, missing in planes]))
    numbers = np.stack([plane for plane, _ in planes[:count]], -1)
    alpha = to_8_bits(to_unit_range(planes[count][0])[0]) if transparent else None
    warnings = (missing_pixels(missing),) if missing else ()
    values, assumed = _colours(content, numbers, mode)
    return Decoded(values, alpha, warnings + assumed)


def _colours(content: bytes, numbers: np.ndarray, mode: int) -> tuple[np.ndarray, tuple[Message, ...]]:
    if mode == BITMAP:
        return (1 - numbers[..., 0]) * np.uint8(255), ()
    if mode == INDEXED:
        return np.frombuffer(content, np.uint8, 768, 30).reshape(3, 256).T[numbers[..., 0]], ()
    values, warnings = to_unit_range(numbers)
    if mode == CMYK:
        values = ~to_8_bits(values)
    elif mode == LAB:
        unit = values / 255 if values.dtype == np.uint8 else values
        values = lab_to_rgb8(unit * (100, 255, 255) - (0, 128, 128))
    return values[..., 0] if values.shape[2] == 1 else values, warnings


def _plane(
    content: bytes, start: int, channels: int, number: int, shape: tuple[int, int, int], large: bool, name: str
) -> tuple[np.ndarray, float]:
    """Read a channel `(height, width)`, and the share of it that is missing."""
    height, width, depth = shape
    octets = -(-width * depth // 8)
    size = height * octets
    compression = _number(content, start, 2)
    if compression == UNCOMPRESSED:
        data = content[start + 2 + number * size :][:size]
    elif compression == PACKED:
        counts = np.frombuffer(content, ">u4" if large else ">u2", channels * height, start + 2).astype(np.int64)
        first = start + 2 + channels * height * (4 if large else 2) + counts[: number * height].sum()
        packed = content[first : first + counts[number * height :][:height].sum()]
        data, _ = by_libtiff(packed, PACKBITS, octets, height, 8, {})
    else:
        raise ImageError("{name} is compressed by ZIP, which cannot be read: save it again as TIFF.", name=name)
    data, missing = fill_up(data, size, name)
    lines = np.frombuffer(data, np.uint8).reshape(height, octets)
    if depth == 1:
        return np.unpackbits(lines, axis=1)[:, :width], missing
    kind = {8: ">u1", 16: ">u2", 32: ">f4"}[depth]
    plane = lines.view(kind)
    return plane.astype(plane.dtype.newbyteorder("="), copy=False), missing


def _number(content: bytes, at: int, octets: int = 4) -> int:
    return int.from_bytes(content[at : at + octets], "big")


def _has_transparency(layers: bytes, wide: int) -> bool:
    """Say whether the first further channel is the transparency of the flattened picture: a negative count says so."""
    count = layers[2 * wide : 2 * wide + 2]
    return len(count) == 2 and int.from_bytes(count, "big", signed=True) < 0


def _resources(content: bytes) -> dict[int, bytes]:
    """Read the blocks of metadata by number."""
    blocks, at = {}, 0
    while content[at : at + 4] == b"8BIM":
        number, length = _number(content, at + 4, 2), content[at + 6]
        at += 6 + (length + 2) // 2 * 2
        size = _number(content, at)
        blocks[number] = content[at + 4 : at + 4 + size]
        at += 4 + (size + 1) // 2 * 2
    return blocks
