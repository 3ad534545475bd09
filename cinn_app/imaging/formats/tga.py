"""TGA of every depth, with palettes of every depth, from any corner."""

import struct
from typing import BinaryIO

import numpy as np
from PIL import Image

from cinn_app.imaging.formats.own import Decoded, OwnPicture, fill_up
from cinn_app.imaging.formats.partial import missing_pixels

__all__ = ["is_tga", "open_tga"]

TGA_SUFFIXES = (".tga", ".vda", ".icb", ".vst")
FOOTER = b"TRUEVISION-XFILE.\0"
HEADER = "<BBBHHB2H2HBB"
PALETTE, RGB, GRAY, RUNS = 1, 2, 3, 8
FROM_RIGHT, FROM_TOP = 0x10, 0x20
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def is_tga(stream: BinaryIO, name: str) -> bool:
    """Say whether a file is TGA: most of them have nothing but their name to tell it by."""
    stream.seek(0)
    head = stream.read(18)
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(max(0, size - len(FOOTER)))
    signed = stream.read() == FOOTER
    stream.seek(0)
    if len(head) < 18 or not (signed or name.lower().endswith(TGA_SUFFIXES)):
        return False
    return head[1] <= 1 and head[2] & ~RUNS in (PALETTE, RGB, GRAY) and head[16] in (8, 15, 16, 24, 32)


def open_tga(stream: BinaryIO, name: str) -> OwnPicture:
    """Open a TGA file."""
    content = stream.read()
    width, height = struct.unpack_from("<HH", content, 12)
    return OwnPicture("TGA", (width, height), lambda: _decode(content, name))


def _decode(content: bytes, name: str) -> Decoded:
    length, _, kind, first, entries, entry_bits, _, _, width, height, bits, flags = struct.unpack_from(HEADER, content)
    palette_at = 18 + length
    start = palette_at + entries * (-(-entry_bits // 8))
    octets = -(-bits // 8)
    if kind & RUNS:
        mode = MODES[octets]
        data = Image.frombytes(mode, (width, height), content[start:], "tga_rle", mode, 1, 8 * octets).tobytes()
    else:
        data = content[start : start + width * height * octets]
    data, missing = fill_up(data, width * height * octets, name)
    pixels = np.frombuffer(data, np.uint8).reshape(height, width, octets)
    has_alpha = flags & 15 > 0
    if kind & ~RUNS == PALETTE:
        table = np.frombuffer(content, np.uint8, start - palette_at, palette_at).reshape(entries, -1)
        colours, opacity = _colours(table[None], entry_bits, has_alpha)
        index = pixels[..., 0].astype(np.int64) + (pixels[..., 1].astype(np.int64) << 8 if octets == 2 else 0)
        index = (index - first).clip(0, entries - 1)
        values, alpha = colours[0][index], None if opacity is None else opacity[0][index]
    elif kind & ~RUNS == GRAY:
        values, alpha = pixels[..., 0], pixels[..., 1] if octets == 2 and has_alpha else None
        if octets == 2 and not has_alpha:
            values = np.ascontiguousarray(pixels).view("<u2")[..., 0] / np.float32(65535)
    else:
        values, alpha = _colours(pixels, bits, has_alpha)
    rows = slice(None, None, 1 if flags & FROM_TOP else -1)
    columns = slice(None, None, -1 if flags & FROM_RIGHT else 1)
    if alpha is not None:  # where all is transparent, the channel was left empty
        alpha = alpha[rows, columns] if alpha.any() else None
    return Decoded(values[rows, columns], alpha, (missing_pixels(missing),) if missing else ())


def _colours(pixels: np.ndarray, bits: int, has_alpha: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Read RGB and alpha from pixels `(rows, columns, bytes)` of 15 to 32 bits."""
    if bits in (15, 16):  # a bit of alpha, then five of each channel
        numbers = np.ascontiguousarray(pixels).view("<u2")[..., 0]
        five = np.stack([numbers >> shift & 31 for shift in (10, 5, 0)], -1)
        rgb = np.round(five * (255 / 31)).astype(np.uint8)
        return rgb, (numbers >> 15).astype(np.uint8) * 255 if bits == 16 and has_alpha else None
    return pixels[..., 2::-1], pixels[..., 3] if bits == 32 and has_alpha else None
