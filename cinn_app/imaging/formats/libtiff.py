"""The libtiff inside Pillow: decompress with it, without its messages on standard error."""

import contextlib
import ctypes
import io
import struct
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, _imaging

__all__ = ["by_libtiff", "quiet_libtiff"]

#: Numbers of the compressions of faxes, in which a warning means damaged lines. Elsewhere it means an unusual file.
FAX = (2, 3, 4, 32771)
_found = threading.local()

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_Transfer = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t)
_Seek = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int)
_Close = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_Size = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)


@_Handler
def _note_error(module: bytes, template: bytes, values: int) -> None:
    _found.error = True


@_Handler
def _note_warning(module: bytes, template: bytes, values: int) -> None:
    _found.warning = True


def _library() -> Any:
    """The functions of the library; None where it is linked so that they cannot be found, as on Windows."""
    text, pointer, size = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_ssize_t
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(_imaging.__file__)
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "TIFFSetErrorHandler": (pointer, [pointer]),
            "TIFFSetWarningHandler": (pointer, [pointer]),
            "TIFFClientOpen": (
                pointer,
                [text, text, pointer, _Transfer, _Transfer, _Seek, _Close, _Size, pointer, pointer],
            ),
            "TIFFReadEncodedStrip": (size, [pointer, ctypes.c_uint32, pointer, size]),
            "TIFFClose": (None, [pointer]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        return library
    return None


_LIBRARY = _library()


@contextlib.contextmanager
def quiet_libtiff() -> Iterator[None]:
    """Let the library note its errors instead of printing them; Pillow offers no way to do so.

    Where it is linked so that its functions cannot be found, nothing happens.
    """
    if _LIBRARY is None:
        yield
        return
    former = _LIBRARY.TIFFSetErrorHandler(ctypes.cast(_note_error, ctypes.c_void_p))
    try:
        yield
    finally:
        _LIBRARY.TIFFSetErrorHandler(former)


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
        The bytes, and whether the library found errors among them, or left some out; most errors raise instead.

    Raises:
        OSError: if it cannot be decompressed.
    """
    tags = {256: width, 257: height, 258: bits, 259: compression, 262: 1, 277: 1, 278: height, 279: len(data)}
    tags |= options
    tags[273] = 8 + 2 + 12 * (len(tags) + 1) + 4  # where the strip begins: after header and directory
    directory = b"".join(struct.pack("<HHLL", code, 4, 1, value) for code, value in sorted(tags.items()))
    file = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + directory + bytes(4) + data
    if _LIBRARY is None:
        with Image.open(io.BytesIO(file), formats=("TIFF",)) as image:
            return _packed(np.array(image), bits), False
    size = height * -(-width * bits // 8)
    # Where a strip ends early, the library leaves the rest of the memory as it was, without a word. So it is told by
    # memory that was filled in two ways.
    first, damaged = _read_strip(file, compression, b"\0" * size)
    second, _ = _read_strip(file, compression, b"\xff" * size)
    return first, damaged or first != second


def _packed(values: np.ndarray, bits: int) -> bytes:
    """Pack what Pillow unpacks: rows begin with a byte."""
    if bits == 8:
        return values.tobytes()
    planes = [np.uint8(values if bits == 1 else values // 17) >> bit & 1 for bit in reversed(range(bits))]
    return np.packbits(np.stack(planes, -1).reshape(len(values), -1), axis=1).tobytes()


def _read_strip(file: bytes, compression: int, filling: bytes) -> tuple[bytes, bool]:
    """Decompress the only strip of a file into memory that is filled already."""
    stream, memory = io.BytesIO(file), ctypes.create_string_buffer(filling, len(filling))

    def read(handle: int, target: int, size: int) -> int:
        content = stream.read(size)
        ctypes.memmove(target, content, len(content))
        return len(content)

    functions = (
        _Transfer(read),
        _Transfer(lambda handle, source, size: 0),
        _Seek(lambda handle, offset, whence: stream.seek(offset, whence)),
        _Close(lambda handle: 0),
        _Size(lambda handle: len(file)),
    )
    former = _LIBRARY.TIFFSetWarningHandler(ctypes.cast(_note_warning, ctypes.c_void_p))
    opened = _LIBRARY.TIFFClientOpen(b"strip", b"rm", None, *functions, None, None)
    try:
        if not opened:
            raise OSError
        _found.error = _found.warning = False
        if _LIBRARY.TIFFReadEncodedStrip(opened, 0, memory, len(filling)) < 0:
            raise OSError
        return memory.raw, _found.error or (_found.warning and compression in FAX)
    finally:
        if opened:
            _LIBRARY.TIFFClose(opened)
        _LIBRARY.TIFFSetWarningHandler(former)
