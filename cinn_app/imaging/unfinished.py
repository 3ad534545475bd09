"""Outputs of which a crash or a full disk left only the beginning."""

import contextlib
import io
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.imaging.profiles import SRGB_PROFILE
from cinn_app.imaging.provenance import read_provenance

__all__ = ["is_unfinished"]

# Where pixels begin in JPEG, PNG and WebP.
PIXELS = (b"\xff\xda", b"IDAT", b"VP8 ", b"VP8L", b"ALPH")
PROFILES = (SRGB_PROFILE, zlib.compress(SRGB_PROFILE))
STRIP_OFFSETS, STRIP_BYTES = 273, 279
END_OF_PNG = b"\0\0\0\0IEND\xaeB`\x82"
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
        return size < 8 + int.from_bytes(head[4:8], "little")
    if head.startswith(b"II*\0\x08\0\0\0"):  # the directory is at the start, as Pillow writes it
        return _ends_before_its_strips(path, size)
    return size < 4


def _ends_before_its_strips(path: Path, size: int) -> bool:
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            tags: Any = image.tag_v2  # type: ignore[attr-defined]
            strips = zip(tags[STRIP_OFFSETS], tags[STRIP_BYTES], strict=False)
    except Exception:  # on damaged files Pillow may raise anything
        return True
    return any(start + length > size for start, length in strips)
