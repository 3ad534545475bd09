"""The libtiff inside Pillow: decompress with it, without its messages on standard error."""

import contextlib
import ctypes
import io
import struct
import threading
from collections.abc import Iterator

from PIL import Image, _imaging
from PIL.TiffImagePlugin import TiffImageFile

__all__ = ["by_libtiff", "quiet_libtiff"]

_found = threading.local()
GROUP_4 = 4
GROUP_4 = 4


@ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
def _note_error(module: bytes, template: bytes, values: int) -> None:
    _found.error = True


@contextlib.contextmanager
def quiet_libtiff() -> Iterator[None]:
    """Let the library note its errors instead of printing them; Pillow offers no way to do so.

    Where it is linked so that its functions cannot be found, nothing happens.
    """
    try:
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):
        yield
        return
    set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    former = set_handler(ctypes.cast(_note_error, ctypes.c_void_p))
    try:
        yield
    finally:
        set_handler(former)


def by_libtiff(
    data: bytes, compression: int, width: int, height: int, bits: int, options: dict[int, int]
) -> tuple[bytes, bool]:
    """Decompress by the libtiff inside Pillow, as a gray TIFF with one strip.

    Args:
        data: compressed.
        compression: TIFF's number of it.
        width: in pixels, or in bytes of a row for 8 bits.
        height: in pixels.
        bits: 1, 4 or 8 per pixel.
        options: further tags.

    Returns:
        The bytes, and whether the library found errors among them; most errors raise instead.
    """
    tags = {256: width, 257: height, 258: bits, 259: compression, 262: 1, 277: 1, 278: height, 279: len(data)}
    tags |= options
    tags[273] = 8 + 2 + 12 * (len(tags) + 1) + 4  # where the strip begins: after header and directory
    directory = b"".join(struct.pack("<HHLL", code, 4, 1, value) for code, value in sorted(tags.items()))
    file = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + directory + bytes(4) + data
    with Image.open(io.BytesIO(file), formats=("TIFF",)) as image:
        _found.error = False
        decompressed = image.tobytes()
        return decompressed, _found.error or (compression == GROUP_4 and _ended_early(image, len(data)))


def _ended_early(image: Image.Image, length: int) -> bool:
    """Return whether a group 4 fax has been decoded from much less, or much more, than was there.

    Pillow silences the library's warnings about damaged lines, and such a fax has no other check. But every picture has
    only one such encoding, so what was read must be as long when it is compressed again.
    """
    again = io.BytesIO()
    image.save(again, "TIFF", compression="group4", strip_size=image.width * image.height)
    again.seek(0)
    (expected,) = TiffImageFile(again).tag_v2[279]
    return bool(abs(expected - length) > 8 + length // 400)
