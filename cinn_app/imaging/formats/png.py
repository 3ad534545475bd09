"""What Pillow leaves out of PNG: the chunk cICP, low bytes of colours in 16 bits, pictures with damaged texts."""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps, PngImagePlugin

from cinn_app.messages import Damage

__all__ = ["PNG_SIGNATURE", "low_bytes", "open_png"]

#: The first bytes of a PNG.
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = (b"IDAT", b"fdAT")
# Of the kinds of PNG of which Pillow keeps the high bytes alone: the mode and the order in which it reads all bytes or
# the low ones instead, and the channels that then hold those of RGB.
LOW_BYTES = {
    "RGB;16B": ("RGB", "RGB;16L", [0, 1, 2]),
    "RGBA;16B": ("RGBA", "RGBA;16L", [0, 1, 2]),
    "LA;16B": ("RGBA", "RGBA", [1, 1, 1]),
}


class _Chunk(NamedTuple):
    name: bytes
    place: slice  # in the file
    content: bytes  # empty for pixels, which are passed over
    whole: bool  # its check sum is right

    @property
    def optional(self) -> bool:
        return self.name[:1].islower() and self.name not in PIXELS


def open_png(stream: BinaryIO) -> tuple[ImageFile.ImageFile, tuple[Damage, ...]]:
    """Open a PNG, with `info["cicp"]` as a tuple of four bytes, and leave out damaged chunks that hold no pixels.

    Returns:
        The picture, not yet decoded, and a warning if something was left out.

    Raises:
        Exception: whatever Pillow raises on a damaged file.
    """
    chunks = list(_chunks(stream))
    damaged = [chunk for chunk in chunks if chunk.optional and not chunk.whole]
    try:
        image = Image.open(_without(stream, damaged), formats=("PNG",))
    except Exception:  # on damaged chunks Pillow may raise anything
        damaged = [chunk for chunk in chunks if chunk.optional and chunk.name != b"tRNS"]
        image = Image.open(_without(stream, damaged), formats=("PNG",))
    for chunk in chunks:
        if chunk.name == b"cICP" and chunk not in damaged and len(chunk.content) == 4:
            image.info["cicp"] = tuple(chunk.content)
    if not damaged:
        return image, ()
    names = ", ".join(sorted({chunk.name.decode("latin-1") for chunk in damaged}))
    return image, (Damage("Damaged parts of its file that are not pixels were left out: {names}.", names=names),)


def low_bytes(image: Image.Image) -> np.ndarray | None:
    """Return the low bytes of the colours of a PNG in 16 bits, of which Pillow keeps the high ones.

    Args:
        image: open, and not yet decoded.

    Returns:
        uint8 `(height, width, 3)`, upright; None for any other picture, and a damaged one.
    """
    if not isinstance(image, PngImagePlugin.PngImageFile) or not image.tile or image.tile[0].args not in LOW_BYTES:
        return None
    stream, kind = image.fp, str(image.tile[0].args)
    assert stream is not None  # as long as it is not decoded
    mode, order, channels = LOW_BYTES[kind]
    place = stream.tell()
    stream.seek(0)
    low = Image.open(stream, formats=("PNG",))
    low._mode, low.tile = mode, [tile._replace(args=order) for tile in low.tile]
    try:
        ImageOps.exif_transpose(low, in_place=True)
        return np.asarray(low)[..., channels]
    except Exception:  # on a damaged file Pillow may raise anything
        return None
    finally:
        stream.seek(place)


def _chunks(stream: BinaryIO) -> Iterator[_Chunk]:
    """Walk through the chunks of a file, as far as they are whole."""
    end = stream.seek(0, io.SEEK_END)
    start = stream.seek(len(PNG_SIGNATURE))
    while len(head := stream.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        following = start + 12 + length
        if following > end:
            break
        if name in PIXELS:
            yield _Chunk(name, slice(start, following), b"", True)
        else:
            content, (check_sum,) = stream.read(length), struct.unpack(">I", stream.read(4))
            whole = zlib.crc32(content, zlib.crc32(name)) == check_sum
            yield _Chunk(name, slice(start, following), content, whole)
        start = stream.seek(following)


def _without(stream: BinaryIO, chunks: Sequence[_Chunk]) -> BinaryIO:
    """Return the file without some chunks."""
    stream.seek(0)
    if not chunks:
        return stream
    content = bytearray(stream.read())
    for chunk in reversed(chunks):
        del content[chunk.place]
    return io.BytesIO(content)
