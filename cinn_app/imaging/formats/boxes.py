"""What the boxes of JPEG 2000 and AVIF files say of their pixels, and Pillow does not read."""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import AvifImagePlugin, Image, Jpeg2KImagePlugin

from cinn_app.errors import ImageError

__all__ = ["JP2_SIGNATURE", "open_avif", "open_jp2"]

JP2_SIGNATURE = b"\0\0\0\x0cjP  "
# The colour spaces of JPEG 2000 that Pillow converts: CMYK, sRGB, gray, sYCC.
READ_SPACES = (12, 16, 17, 18)
COLOUR, OPACITY = 0, (1, 2)


def open_jp2(stream: BinaryIO, name: str) -> Image.Image:
    """Open a JPEG 2000 file whose channels may be in any order.

    Raises:
        ImageError: if its colours are of a kind that cannot be read.
    """
    content = stream.read()
    header = dict(_boxes(dict(_boxes(content)).get(b"jp2h", b"")))
    method, space = header.get(b"colr", b"\2")[0], header.get(b"colr", b"")[3:7]
    if method == 1 and int.from_bytes(space, "big") not in READ_SPACES:
        raise ImageError(
            "{name} is a JPEG 2000 whose colours are of the kind {kind}, which cannot be read: save it as RGB.",
            name=name,
            kind=int.from_bytes(space, "big"),
        )
    stream.seek(0)
    return _Jp2(stream, _order(header))


class _Jp2(Jpeg2KImagePlugin.Jpeg2KImageFile):
    """A JPEG 2000 whose channels are put in order when it is loaded."""

    def __init__(self, stream: BinaryIO, order: list[int]) -> None:
        self._order = order
        super().__init__(stream)

    def load(self) -> Any:
        """Decode the picture."""
        pixels = super().load()
        order, self._order = self._order, []
        if order != sorted(order) and len(order) == len(self.getbands()):
            bands = self.split()
            self.im = Image.merge(self.mode, [bands[channel] for channel in order]).im
        return pixels


def _order(header: dict[bytes, bytes]) -> list[int]:
    """Return the numbers of the channels for red, green, blue and alpha, as far as there are some."""
    definitions = header.get(b"cdef", b"\0\0")[2:]
    channels = list(struct.iter_unpack(">HHH", definitions[: len(definitions) // 6 * 6]))
    colours = sorted((place, channel) for channel, kind, place in channels if kind == COLOUR)
    return [channel for _, channel in colours] + [channel for channel, kind, _ in channels if kind in OPACITY]


def open_avif(stream: BinaryIO) -> Image.Image:
    """Open an AVIF file of which only the clean aperture is shown."""
    content = stream.read()
    stream.seek(0)
    return _Avif(stream, _clean_aperture(content))


class _Avif(AvifImagePlugin.AvifImageFile):
    """An AVIF that is cropped when it is loaded."""

    def __init__(self, stream: BinaryIO, aperture: tuple[float, float, float, float] | None) -> None:
        self._aperture = aperture
        super().__init__(stream)

    def load(self) -> Any:
        """Decode the picture."""
        pixels = super().load()
        if self._aperture is not None:
            width, height, right, down = self._aperture
            left, top = round((self.width - width) / 2 + right), round((self.height - height) / 2 + down)
            self._aperture = None
            self.im = self.im.crop((left, top, left + round(width), top + round(height)))
            self._size = self.im.size
        return pixels


def _clean_aperture(content: bytes) -> tuple[float, float, float, float] | None:
    """Return width and height of the aperture, and how far its centre is off, to the right and down."""
    meta = dict(_boxes(dict(_boxes(content)).get(b"meta", b"")[4:]))
    properties = list(_boxes(meta.get(b"iprp", b"")))
    listed = [box for kind, body in properties if kind == b"ipco" for box in _boxes(body)]
    primary = meta.get(b"pitm", b"")
    item = int.from_bytes(primary[4 : 6 if primary[:1] == b"\0" else 8], "big")
    for kind, body in properties:
        for number in _associated(body, item) if kind == b"ipma" else ():
            if 0 < number <= len(listed) and listed[number - 1][0] == b"clap":
                values = struct.unpack(">LLLLlLlL", listed[number - 1][1][:32])
                width, height, right, down = np.divide(values[::2], values[1::2]).tolist()
                return width, height, right, down
    return None


def _associated(body: bytes, item: int) -> list[int]:
    """Return the numbers of the properties of an item, from 1."""
    version, wide = body[0], body[3] & 1
    at = 8
    for _ in range(int.from_bytes(body[4:8], "big")):
        size = 4 if version else 2
        found, count = int.from_bytes(body[at : at + size], "big"), body[at + size]
        at += size + 1
        octets = 2 if wide else 1
        numbers = [int.from_bytes(body[at + octets * i :][:octets], "big") for i in range(count)]
        if found == item:
            return [number & (0x7FFF if wide else 0x7F) for number in numbers]
        at += octets * count
    return []


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and body of the boxes in a row."""
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">L4s", content, at)
        head = 8
        if size == 1:
            size, head = int.from_bytes(content[at + 8 : at + 16], "big"), 16
        size = size or len(content) - at
        if size < head:
            return
        yield kind, content[at + head : at + size]
        at += size
