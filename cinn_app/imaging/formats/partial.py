"""Pictures of which a part is missing: decode what is there, and say how much is not."""

import contextlib
import io
import os
import re
from typing import IO

import numpy as np
from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin

from cinn_app.imaging.colour import row_tiles
from cinn_app.imaging.formats.own import LEAST_SHARE
from cinn_app.messages import Damage

__all__ = ["load", "missing_pixels"]

END_OF_JPEG = b"\xff\xd9"
# Where tables, scans and other parts of a JPEG begin; in its pixels 0xff is followed by 0 or the number of a restart.
JPEG_PART = re.compile(rb"\xff[\xc0-\xcf\xda-\xdf\xe0-\xef\xfe]")
BLOCK = 8
ANOTHER_JPEG = Damage("The beginning of its file is damaged: this is another picture in it, such as a preview.")
START_OF_JPEG, START_OF_SCAN = b"\xd8", b"\xda"
# No length follows these: escaped bytes, restarts, the end, and a marker without meaning.
ALONE = bytes([0x00, 0x01, *range(0xD0, 0xD8), 0xD9])
# What libjpeg decodes where nothing is left; inverted in CMYK of Photoshop.
EMPTY_JPEG = (127, 128)


def load(image: Image.Image) -> tuple[Image.Image, tuple[Damage, ...]]:
    """Decode an open picture as far as its file allows.

    Returns:
        The picture, decoded, and warnings if a part of it could not be read. That part is black, transparent, or in a
        JPEG gray.

    Raises:
        Exception: whatever Pillow raises, if nothing could be read.
    """
    stream = image.fp if isinstance(image, ImageFile.ImageFile) else None
    of_jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    another = (ANOTHER_JPEG,) if of_jpeg and stream is not None and _begins_again(stream) else ()
    try:
        image.load()
        return image, another
    except MemoryError:
        raise
    except Exception:
        if stream is None:
            raise
        found, missing = _completed_jpeg(stream) if of_jpeg else _as_far_as_it_goes(stream, image)
        if missing > 1 - LEAST_SHARE:
            raise
    found.info = {**found.info, **image.info}
    if "progressive" not in found.info:
        return found, (*another, missing_pixels(missing))
    blurred = Damage("It is damaged or cut short: fine detail may be missing.")
    return found, (*another, blurred, missing_pixels(missing)) if missing else (*another, blurred)


def missing_pixels(share: float) -> Damage:
    """Say which share of the pixels, 0..1, is missing."""
    if share == 0:
        return Damage("The end of its file is missing or damaged, but all of its pixels could be read.")
    percent = f"{share:.0%}" if share > 0.01 else "1%"
    return Damage("It is damaged or cut short: {share} of its pixels are missing.", share=percent)


def _begins_again(stream: IO[bytes]) -> bool:
    """Say whether a JPEG begins within a JPEG before its first scan, as where the first one's tables are lost."""
    position = stream.tell()
    stream.seek(2)
    try:
        while byte := stream.read(1):
            if byte != b"\xff":
                continue
            while (marker := stream.read(1)) == b"\xff":
                pass
            if marker in (START_OF_JPEG, START_OF_SCAN, b""):
                return marker == START_OF_JPEG
            if marker not in ALONE:
                stream.seek(int.from_bytes(stream.read(2)) - 2, os.SEEK_CUR)
        return False
    finally:
        stream.seek(position)


def _completed_jpeg(stream: IO[bytes]) -> tuple[Image.Image, float]:
    """Decode a JPEG with an end mark where the file ends, or where the part begins that is cut."""
    stream.seek(0)
    content = stream.read()
    parts = [match.start() for match in JPEG_PART.finditer(content)]
    for end in (len(content), *parts[-1:]):
        image = Image.open(io.BytesIO(content[:end] + END_OF_JPEG), formats=("JPEG",))
        try:
            image.load()
        except OSError:
            continue
        return image, _share_of_gray(image)
    return image, 1.0


def _share_of_gray(image: Image.Image) -> float:
    """Return the share of the pixels, from the end, that libjpeg made up: whole blocks of even gray."""
    width, height = image.size
    end = height
    for rows in reversed([*row_tiles(height, width)]):
        end = rows.stop - _run(np.all(_is_gray(image, rows), 1)[::-1])
        if end > rows.start:
            break
    last_blocks = slice((end - 1) // BLOCK * BLOCK, end)
    columns = _run(np.all(_is_gray(image, last_blocks), 0)[::-1]) if end else 0
    return ((height - end) * width + (end - last_blocks.start) * columns) / (height * width)


def _is_gray(image: Image.Image, rows: slice) -> np.ndarray:
    values = np.asarray(image.crop((0, rows.start, image.width, rows.stop))).reshape(
        -1, image.width, len(image.getbands())
    )
    return np.isin(values[..., 0], EMPTY_JPEG) & (values == values[..., :1]).all(2)


def _run(true: np.ndarray) -> int:
    """Return how many of the first values are true."""
    return len(true) if true.all() else int(np.argmin(true))


def _as_far_as_it_goes(stream: IO[bytes], image: Image.Image) -> tuple[Image.Image, float]:
    """Decode over black and over white, until the decoder fails: where the two differ, nothing was decoded."""
    formats = (str(image.format),)
    over_black, over_white = (_decoded_over(fill, _open_again(stream, formats)) for fill in (0, 255))
    missing = 0
    for rows in row_tiles(image.height, image.width):
        box = (0, rows.start, image.width, rows.stop)
        different = np.asarray(over_black.crop(box)) != np.asarray(over_white.crop(box))
        missing += int(np.count_nonzero(different.any(2) if different.ndim == 3 else different))
    return over_black, missing / (image.height * image.width)


def _decoded_over(fill: int, image: ImageFile.ImageFile) -> Image.Image:
    if isinstance(image, GifImagePlugin.GifImageFile):
        image._frame_transparency = None  # or it would fill the picture itself
    bands = len(image.getbands())
    image.im = Image.new(image.mode, image.size, fill if bands == 1 else (fill,) * bands).im
    with contextlib.suppress(Exception):  # on damaged files Pillow may raise anything
        image.load()
    image.tile = []
    with contextlib.suppress(Exception):
        image.load_end()
    return image


def _open_again(stream: IO[bytes], formats: tuple[str, ...]) -> ImageFile.ImageFile:
    stream.seek(0)
    return Image.open(stream, formats=formats)
