"""The samples of a TIFF page as an array: strips, tiles, compressions, predictors, and depths from 1 to 64 bits."""

import dataclasses
import io
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.imaging.colour import row_tiles
from cinn_app.imaging.formats.libtiff import by_libtiff
from cinn_app.imaging.formats.own import LEAST_SHARE, damage, fill_up

if TYPE_CHECKING:
    from tifffile import TiffPage

__all__ = ["Samples", "read_samples", "tag_fractions", "tag_number"]

# Numbers of tags and of their values, as in the specification TIFF 6.0 and its supplements.
BITS_PER_SAMPLE, COMPRESSION, FILL_ORDER, SAMPLES, PLANAR, PREDICTOR = 258, 259, 266, 277, 284, 317
ROWS_PER_STRIP, TILE_WIDTH, TILE_LENGTH = 278, 322, 323
FAX_OPTIONS = (292, 293)  # of groups 3 and 4
SUBSAMPLING, JPEG_STREAM, YCBCR = 530, 513, 6
HORIZONTAL, FLOATING_POINT = 2, 3
UNCOMPRESSED, OLD_JPEG, JPEG, THUNDERSCAN = 1, 6, 7, 32809
DEFLATE = (8, 32946, 50013)
FAX = (2, 3, 4, 32771)
# What libtiff inside Pillow decompresses: also LZW, PackBits, LZMA and Zstandard.
LIBTIFF = (*FAX, 5, 32773, THUNDERSCAN, 34925, 50000)
# Compressions that are a picture file per segment, and the format of that file for Pillow.
PICTURES = {
    OLD_JPEG: "JPEG",
    JPEG: "JPEG",
    33005: "JPEG2000",
    34712: "JPEG2000",
    34927: "WEBP",
    34933: "PNG",
    50001: "WEBP",
}
# This segment says that the components of a JPEG are as they are (0), or YCbCr (1), whatever libjpeg would guess.
ADOBE_SEGMENT = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Samples of a page.

    Attributes:
        values: unsigned integers `(height, width, channels)`, as their bits are in the file.
        bits: per sample.
        rgb: whether the samples were YCbCr and the decompression has converted them.
        missing: share of the pixels that could not be read, in 0..1; their samples are 0.
        damaged: whether some of what was read may be wrong.
    """

    values: np.ndarray
    bits: int
    rgb: bool = False
    missing: float = 0.0
    damaged: bool = False

    def channels(self, wanted: slice) -> "Samples":
        """Return some channels."""
        return dataclasses.replace(self, values=np.ascontiguousarray(self.values[..., wanted]))

    def rows(self, wanted: slice) -> "Samples":
        """Return some rows."""
        return dataclasses.replace(self, values=self.values[wanted])


def read_samples(page: "TiffPage", channels: Sequence[int], name: str) -> Samples:
    """Read some channels of a page.

    Args:
        page: opened by tifffile; its file must be open still.
        channels: numbers of the channels, from 0, in the order that is wanted.
        name: of the file, for errors.

    Raises:
        ImageError: if the compression cannot be read, or nothing of the picture is there.
    """
    reader = _SegmentReader(page, name)
    height, width = page.imagelength, page.imagewidth
    values: np.ndarray | None = None
    bits = read = 0
    for segment in reader.segments():
        wanted = [channel - segment.channel for channel in channels] if segment.chunky else [0]
        if not segment.chunky and segment.channel not in channels:
            continue
        decoded = reader.decode(segment)
        if decoded is None or decoded.values.shape[2] <= max(wanted):
            continue
        if values is None:
            values, bits = np.zeros((height, width, len(channels)), decoded.values.dtype), decoded.bits
        block = decoded.values[: height - segment.top, : width - segment.left, wanted]
        bottom, right = segment.top + block.shape[0], segment.left + block.shape[1]
        where = slice(None) if segment.chunky else [channels.index(segment.channel)]
        values[segment.top : bottom, segment.left : right, where] = block
        read += round(block.size * (1 - decoded.missing))
    if values is None or read < LEAST_SHARE * values.size:
        raise damage(name)
    return Samples(values, bits, reader.converts_to_rgb, 1 - read / values.size, reader.damaged)


def tag_number(page: "TiffPage", code: int, default: int) -> int:
    """Return the first number of a tag, of any integer type."""
    value: Any = page.tags.valueof(code)
    if isinstance(value, bytes | tuple | list | np.ndarray) and len(value):
        value = value[0]
    return int(value) if isinstance(value, int | np.integer) else default


def tag_fractions(page: "TiffPage", code: int, default: list[float]) -> list[float]:
    """Return the values of a tag of fractions or other numbers; the default if it is missing or of another length."""
    value = page.tags.valueof(code)
    numbers = [] if value is None else [float(each) for each in np.ravel(value)]
    if len(numbers) == 2 * len(default):  # pairs of numerators and denominators
        numbers = [top / bottom if bottom else 0.0 for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)]
    return numbers if len(numbers) == len(default) else default


class _CodecError(ImageError):
    """No segment can be read, whatever its data."""


@dataclasses.dataclass(frozen=True)
class _Segment:
    """A strip or tile, its place in the picture, and which channels it has: all from `channel` if chunky, else one."""

    offset: int
    count: int
    top: int
    left: int
    rows: int
    columns: int
    channel: int
    chunky: bool


class _SegmentReader:
    """Decodes the strips or tiles of a page."""

    def __init__(self, page: "TiffPage", name: str) -> None:
        self.page, self.name = page, name
        self.compression = tag_number(page, COMPRESSION, int(page.compression))
        self.samples = page.samplesperpixel
        self.chunky = self.samples == 1 or tag_number(page, PLANAR, 1) != 2
        widths = page.bitspersample
        self.bits = tuple(map(int, widths)) if isinstance(widths, tuple) else (int(widths),) * self.samples
        self.predictor = tag_number(page, PREDICTOR, 1)
        ycbcr = int(page.photometric or 0) == YCBCR
        self.converts_to_rgb = ycbcr and self.chunky and self.compression in (OLD_JPEG, JPEG)
        self.damaged = False
        self.subsampling = (1, 1)
        if ycbcr and self.compression not in PICTURES:
            across, down = page.tags.valueof(SUBSAMPLING) or (2, 2)
            self.subsampling = (max(1, int(across)), max(1, int(down)))

    def segments(self) -> list[_Segment]:
        """List the segments in the order of the file's tables."""
        page = self.page
        height, width = page.imagelength, page.imagewidth
        if self.compression == OLD_JPEG and JPEG_STREAM in page.tags:
            start = tag_number(page, JPEG_STREAM, 0)
            return [_Segment(start, page.parent.filehandle.size - start, 0, 0, height, width, 0, True)]
        tiled = TILE_WIDTH in page.tags
        rows = tag_number(page, TILE_LENGTH if tiled else ROWS_PER_STRIP, height) or height
        columns = tag_number(page, TILE_WIDTH, width) if tiled else width
        rows = rows if tiled else min(rows, height)
        places = [(top, left) for top in range(0, height, rows) for left in range(0, width, columns)]
        result = []
        for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False)):
            channel, place = divmod(number, len(places))
            if channel >= (1 if self.chunky else self.samples):
                break
            top, left = places[place]
            length = rows if tiled else min(rows, height - top)
            result.append(_Segment(int(offset), int(count), top, left, length, columns, channel, self.chunky))
        return result

    def decode(self, segment: _Segment) -> Samples | None:
        """Decode a segment: unsigned integers `(rows, columns, samples)`, or None if nothing of it can be read."""
        file = self.page.parent.filehandle
        if segment.offset <= 0 or segment.count <= 0 or segment.offset >= file.size:
            return None
        file.seek(segment.offset)
        data = file.read(min(segment.count, file.size - segment.offset))
        try:
            if self.compression in PICTURES and not (self.compression == JPEG and max(self.bits) > 8):
                return self._decode_picture(data)
            return self._decode_packed(data, segment)
        except (_CodecError, MemoryError):
            raise
        except Exception:  # on damaged data codecs may raise anything
            return None

    def _decode_picture(self, data: bytes) -> Samples:
        kind = PICTURES[self.compression]
        if kind == "JPEG":
            tables = self.page.jpegtables or b"\xff\xd8\xff\xd9"
            adobe = ADOBE_SEGMENT + bytes([self.converts_to_rgb]) if self.compression == JPEG else b""
            data = data[:2] + adobe + tables[2:-2] + data[2:]
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            values = np.array(image)
            if kind == "JPEG" and image.mode == "CMYK":
                values = ~values  # Pillow takes all for inverted, as Photoshop writes JPEG files
        values = values.reshape(*values.shape[:2], -1)
        return Samples(values, 8 * values.dtype.itemsize)

    def _decode_packed(self, data: bytes, segment: _Segment) -> Samples:
        """Decode compressed bytes in which samples are packed bit by bit."""
        rows, columns, widths = segment.rows, segment.columns, self.bits
        if not segment.chunky:
            widths = (self.bits[segment.channel],)
        across, down = self.subsampling
        if self.subsampling != (1, 1) and segment.chunky:  # units of across x down samples of Y, then Cb and Cr
            rows, columns, widths = -(-rows // down), -(-columns // across), (self.bits[0],) * (across * down + 2)
        elif segment.channel > 0:
            rows, columns = -(-rows // down), -(-columns // across)
        size = rows * -(-columns * sum(widths) // 8)
        if tag_number(self.page, FILL_ORDER, 1) == 2:
            data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")).tobytes()
        data = self._decompress(data, size, rows, columns)[:size]
        data, missing = fill_up(data, size, self.name)
        lines = np.frombuffer(data, np.uint8).reshape(rows, -1)
        tiles = row_tiles(rows, columns * len(widths))
        values = np.concatenate([self._numbers(lines[tile], columns, widths) for tile in tiles])
        if self.subsampling != (1, 1):
            values = self._repeat_chroma(values, segment)
        return Samples(values, max(widths), missing=missing)

    def _numbers(self, lines: np.ndarray, columns: int, widths: Sequence[int]) -> np.ndarray:
        """Unpack rows and undo their prediction."""
        bits = max(widths)
        if self.predictor == FLOATING_POINT:
            return _undo_float_prediction(lines, columns, len(widths), bits // 8)
        values = _unpack(lines, columns, widths, self.page.parent.byteorder)
        if self.predictor == HORIZONTAL:
            return np.cumsum(values, axis=1, dtype=values.dtype) & values.dtype.type(2**bits - 1)
        return values

    def _decompress(self, data: bytes, size: int, rows: int, columns: int) -> bytes:
        if self.compression == UNCOMPRESSED:
            return data
        if self.compression in DEFLATE:
            return zlib.decompressobj().decompress(data, size)
        if self.compression in LIBTIFF:
            bits = {THUNDERSCAN: 4}.get(self.compression, 1 if self.compression in FAX else 8)
            options = {code: tag_number(self.page, code, 0) for code in FAX_OPTIONS if code in self.page.tags}
            width = columns if bits < 8 else size // rows
            decompressed, damaged = by_libtiff(data, self.compression, width, rows, bits, options)
            self.damaged |= damaged
            return decompressed
        import tifffile

        try:
            decompressed = tifffile.TIFF.DECOMPRESSORS[self.compression](data)
        except (KeyError, ImportError, NotImplementedError, AttributeError) as error:
            raise self._unreadable() from error
        return decompressed if isinstance(decompressed, bytes) else np.ascontiguousarray(decompressed).tobytes()

    def _unreadable(self) -> ImageError:
        import tifffile

        try:
            compression = tifffile.COMPRESSION(self.compression).name
        except ValueError:
            compression = str(self.compression)
        return _CodecError(
            "{name} is a TIFF compressed with {compression}, which cannot be read without the extra codecs: "
            "save the picture with another compression first.",
            name=self.name,
            compression=compression,
        )

    def _repeat_chroma(self, values: np.ndarray, segment: _Segment) -> np.ndarray:
        """Bring subsampled chroma to the size of the segment."""
        across, down = self.subsampling
        if not segment.chunky:
            full = values.repeat(down, 0).repeat(across, 1) if segment.channel else values
            return full[: segment.rows, : segment.columns]
        rows, columns = values.shape[:2]
        luma = values[..., :-2].reshape(rows, columns, down, across).swapaxes(1, 2).reshape(rows * down, -1, 1)
        chroma = values[..., -2:].repeat(down, 0).repeat(across, 1)
        return np.concatenate([luma, chroma], axis=2)[: segment.rows, : segment.columns]


def _unpack(lines: np.ndarray, columns: int, widths: Sequence[int], byteorder: str) -> np.ndarray:
    """Read unsigned integers `(rows, columns, samples)` from bytes `(rows, bytes)`.

    Samples of different widths are scaled to the widest.
    """
    rows, samples, bits = len(lines), len(widths), max(widths)
    if len(set(widths)) == 1 and bits % 8 == 0:  # whole bytes are in the byte order of the file
        octets, dtype = lines[:, : columns * samples * bits // 8], _integer_type(bits)
        if 8 * dtype.itemsize == bits:
            values = (
                np.ascontiguousarray(octets)
                .view(dtype.newbyteorder("<" if byteorder == "<" else ">"))
                .astype(dtype, copy=False)
            )
            return values.reshape(rows, columns, samples)
        octets = octets.reshape(rows, columns, samples, bits // 8)
        return _integers(octets if byteorder == ">" else octets[..., ::-1])
    stream = np.unpackbits(lines, axis=1)[:, : columns * sum(widths)].reshape(rows, columns, sum(widths))
    channels = []
    for width, end in zip(widths, np.cumsum(widths), strict=True):
        padded = np.zeros((rows, columns, 8 * -(-width // 8)), np.uint8)
        padded[..., -width:] = stream[..., end - width : end]
        values = _integers(np.packbits(padded, axis=-1))
        if width < bits:
            values = np.round(values * ((2**bits - 1) / (2**width - 1))).astype(_integer_type(bits))
        channels.append(values)
    return np.stack(channels, axis=-1)


def _integers(octets: np.ndarray) -> np.ndarray:
    """Read big-endian unsigned integers from bytes in the last axis."""
    dtype = _integer_type(8 * octets.shape[-1])
    if dtype == np.uint8:
        return octets[..., 0]
    padded = np.zeros((*octets.shape[:-1], dtype.itemsize), np.uint8)
    padded[..., -octets.shape[-1] :] = octets
    return padded.view(dtype.newbyteorder(">"))[..., 0].astype(dtype)


def _integer_type(bits: int) -> np.dtype[Any]:
    """Return the smallest unsigned type with so many bits."""
    return np.min_scalar_type(2**bits - 1)


def _undo_float_prediction(lines: np.ndarray, columns: int, samples: int, octets: int) -> np.ndarray:
    """Undo the predictor of floats: differences of bytes, all first bytes of a row before all second ones."""
    rows = len(lines)
    lines = lines[:, : columns * samples * octets].reshape(rows, -1, samples)
    planes = np.cumsum(lines, axis=1, dtype=np.uint8).reshape(rows, octets, columns, samples)
    return _integers(np.moveaxis(planes, 1, -1))
