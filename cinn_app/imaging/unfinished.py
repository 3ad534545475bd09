"""Outputs of which a crash or a full disk left only the beginning, perhaps filled up with zeros to its full size."""

import contextlib
import io
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.imaging.profiles import SRGB_PROFILE
from cinn_app.imaging.provenance import read_provenance

__all__ = ["END_OF_TIFF", "is_unfinished"]

#: Stands behind the pixels of a TIFF that is written, since they may end in zeros (black).
END_OF_TIFF = b"cinn end"

# Where pixels begin in JPEG, PNG and WebP.
PIXELS = (b"\xff\xda", b"IDAT", b"VP8 ", b"VP8L", b"ALPH")
PROFILES = (SRGB_PROFILE, zlib.compress(SRGB_PROFILE))
STRIP_OFFSETS, STRIP_BYTES = 273, 279
END_OF_PNG = b"\0\0\0\0IEND\xaeB`\x82"
# A flag in the header of a WebP: it ends with an XMP packet, and so not with zeros.
WEBP_HAS_XMP = 0x04
# Bytes in which profile and metadata are.
HEAD = 1 << 20


def is_unfinished(path: Path) -> bool:
    """Recognise an empty file, and the beginning of one that :func:`cinn_app.imaging.save_picture` writes.

    Other programs' pictures do not count, even if they are cut short. The pixels are not decoded.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - len(END_OF_PNG)))
            tail = file.read()
    except OSError:
        return False
    if not (head.strip(b"\0") or tail.strip(b"\0")):
        return True
    if not _is_cut_short(path, head, tail, size):
        return False
    if any(profile in head for profile in PROFILES) or not any(mark in head for mark in PIXELS):
        return True
    with contextlib.suppress(ImageError):
        return read_provenance(path) is not None
    return False


def _is_cut_short(path: Path, head: bytes, tail: bytes, size: int) -> bool:
    if head.startswith(b"\xff\xd8"):
        return not tail.endswith(b"\xff\xd9")
    if head.startswith(b"\x89PNG"):
        return tail != END_OF_PNG
    if head.startswith(b"RIFF"):
        has_xmp = head[12:16] == b"VP8X" and int.from_bytes(head[20:21], "little") & WEBP_HAS_XMP
        return size < 8 + int.from_bytes(head[4:8], "little") or bool(has_xmp and not tail.strip(b"\0"))
    if head.startswith(b"II*\0\x08\0\0\0"):  # the directory is at the start, as Pillow writes it
        return _is_cut_short_tiff(path, tail, size)
    return size < 4


def _is_cut_short_tiff(path: Path, tail: bytes, size: int) -> bool:
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            tags: Any = image.tag_v2  # type: ignore[attr-defined]
            end = max(map(sum, zip(tags[STRIP_OFFSETS], tags[STRIP_BYTES], strict=False)))
    except Exception:  # on damaged files Pillow may raise anything
        return True
    if end > size:
        return True
    # Other programs, and this one in earlier versions, write nothing there or anything else.
    behind = tail[-(size - end) :] if 0 < size - end <= len(END_OF_TIFF) else b""
    return behind not in (b"", END_OF_TIFF) and END_OF_TIFF.startswith(behind.rstrip(b"\0"))
