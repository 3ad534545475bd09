"""TIFF files of every kind, written bit by bit: what no library at hand writes can be tested, too."""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

SHORT, LONG, RATIONAL, BYTES, LONG8 = 3, 4, 5, 7, 16


def tiff_file(
    values: np.ndarray,
    bits: int = 8,
    tags: Mapping[int, Any] | None = None,
    byteorder: str = "<",
    big: bool = False,
    planar: bool = False,
    tile: int | None = None,
    predictor: int = 1,
    deflate: bool = False,
    segments: Sequence[bytes] | None = None,
) -> bytes:
    """Write a page.

    Args:
        values: unsigned integers `(height, width)` or `(height, width, samples)`: the bits of the samples.
        bits: per sample.
        tags: numbers, lists of numbers, floats or bytes by the tag's number. By default gray or RGB is written.
        tile: side of tiles; strips of 7 rows without it.
        segments: strips or tiles that are compressed already.
    """
    values = values.reshape(*values.shape[:2], -1)
    height, width, samples = values.shape
    planes = [values[..., i : i + 1] for i in range(samples)] if planar else [values]
    blocks = [block for plane in planes for block in _blocks(plane, tile)]
    packed = segments or [_pack(_predict(block, bits, predictor), bits, byteorder, predictor) for block in blocks]
    packed = [zlib.compress(each) if deflate else each for each in packed]
    entries: dict[int, Any] = {256: width, 257: height, 258: [bits] * samples, 259: 8 if deflate else 1}
    entries |= {262: 2 if samples > 2 else 1, 277: samples, 284: 2 if planar else 1, 317: predictor}
    entries |= (
        {322: tile, 323: tile, 325: [len(each) for each in packed]}
        if tile
        else {278: height if segments else 7, 279: [len(each) for each in packed]}
    )
    entries |= tags or {}
    start = 16 if big else 8
    entries[324 if tile else 273] = list(start + np.cumsum([0, *map(len, packed[:-1])]))
    body = b"".join(packed)
    body += bytes(len(body) % 2)
    return _header(start + len(body), byteorder, big) + body + _directory(entries, start + len(body), byteorder, big)


def _header(offset: int, order: str, big: bool) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    return mark + (struct.pack(order + "HHHQ", 43, 8, 0, offset) if big else struct.pack(order + "HL", 42, offset))


def _directory(entries: Mapping[int, Any], offset: int, order: str, big: bool) -> bytes:
    room, count, size = (8, "Q", 20) if big else (4, "L", 12)
    extra_at = offset + (8 if big else 2) + size * len(entries) + room
    table, extra = b"", b""
    for tag, value in sorted(entries.items()):
        kind, number, data = _encode(value, order)
        if len(data) > room:
            extra += bytes(len(extra) % 2)
            data, extra = struct.pack(order + count, extra_at + len(extra)), extra + data
        table += struct.pack(order + "HH" + count, tag, kind, number) + data.ljust(room, b"\0")
    return struct.pack(order + ("Q" if big else "H"), len(entries)) + table + bytes(room) + extra


def _encode(value: Any, order: str) -> tuple[int, int, bytes]:
    """Return type, count and bytes of a tag's value."""
    if isinstance(value, bytes):
        return BYTES, len(value), value
    numbers = [value] if np.isscalar(value) else list(value)
    if any(isinstance(each, float) for each in numbers):
        return RATIONAL, len(numbers), b"".join(struct.pack(order + "LL", round(1e4 * x), 10_000) for x in numbers)
    if max(numbers) < 1 << 16:
        return SHORT, len(numbers), struct.pack(f"{order}{len(numbers)}H", *numbers)
    return LONG, len(numbers), struct.pack(f"{order}{len(numbers)}L", *numbers)


def _blocks(plane: np.ndarray, tile: int | None) -> Iterator[np.ndarray]:
    height, width = plane.shape[:2]
    if tile is None:
        yield from (plane[top : top + 7] for top in range(0, height, 7))
        return
    padded = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0)))
    for top in range(0, height, tile):
        yield from (padded[top : top + tile, left : left + tile] for left in range(0, width, tile))


def _predict(block: np.ndarray, bits: int, predictor: int) -> np.ndarray:
    if predictor != 2:
        return block
    differences = np.diff(block, axis=1, prepend=np.zeros_like(block[:, :1]))
    return differences & differences.dtype.type(2**bits - 1)


def _pack(block: np.ndarray, bits: int, order: str, predictor: int) -> bytes:
    rows = len(block)
    octets = np.ascontiguousarray(block.astype(">u8")).view(np.uint8).reshape(*block.shape, 8)
    if predictor == 3:
        planes = np.moveaxis(octets[..., 8 - bits // 8 :], -1, 1).reshape(rows, -1, block.shape[2])
        return np.diff(planes, axis=1, prepend=np.zeros_like(planes[:, :1])).tobytes()
    if bits % 8 == 0:
        octets = octets[..., 8 - bits // 8 :]
        return (octets if order == ">" else octets[..., ::-1]).tobytes()
    stream = np.unpackbits(octets, axis=-1)[..., 64 - bits :].reshape(rows, -1)
    return np.packbits(stream, axis=1).tobytes()
