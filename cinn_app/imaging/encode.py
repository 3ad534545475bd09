"""Writing pictures, films and contact sheets; a file is written completely or not at all."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cinn_app.arguments import whole_number
from cinn_app.errors import ImageError
from cinn_app.files import writing
from cinn_app.imaging.metadata import PictureMetadata, options_to_save
from cinn_app.imaging.profiles import SRGB_PROFILE
from cinn_app.imaging.provenance import GENERATED_XMP, with_provenance
from cinn_app.imaging.unfinished import END_OF_TIFF
from cinn_app.messages import Message

__all__ = [
    "FILM_FORMATS",
    "OUTPUT_FORMATS",
    "contact_sheet",
    "encode_film",
    "encode_picture",
    "format_like",
    "save_picture",
]

OUTPUT_FORMATS = ("png", "jpg", "webp", "tiff")
FILM_FORMATS = ("gif", "webp")
SPELLINGS = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tif": "tiff"}
# Pillow's name of each format, and options: good quality, and in JPEG colour at full resolution. TIFF is not compressed
# because libtiff, which would do it, loses EXIF directories.
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"compress_level": 4}),
    "jpg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "webp": ("WEBP", {"quality": 95}),
    "tiff": ("TIFF", {}),
}
FILM_QUALITY = 90
LONGEST_SIDE = {"png": 2**31 - 1, "jpg": 65_535, "webp": 16_383, "tiff": 2**31 - 1}
# Of contact sheets, in pixels.
MARGIN, CAPTION_HEIGHT, FONT_SIZE = 12, 26, 16
PAPER, INK = "white", "black"


def save_picture(
    path: str | os.PathLike[str],
    rgb8: np.ndarray,
    metadata: PictureMetadata | None = None,
    alpha: np.ndarray | None = None,
    format: str | None = None,
    source: str | os.PathLike[str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    quality: int | None = None,
    durable: bool = True,
) -> Path:
    """Save a picture; if that fails, nothing is left behind and an existing file is unchanged.

    JPEG has no alpha: transparent parts become white. The file contains an sRGB profile.

    Args:
        path: of the file; an existing one is replaced, unless it is the source.
        rgb8: uint8 `(height, width, 3)` sRGB, or `(height, width)` gray.
        metadata: what to copy from the input file; nothing by default.
        alpha: uint8 `(height, width)`, 255 opaque.
        format: one of `OUTPUT_FORMATS`; by default from the path's suffix.
        source: the file that the picture was read from, which is never overwritten.
        provenance: a record of how the picture was made; `read_provenance` reads it back.
        quality: of JPEG and WebP, 1 to 100; 95 by default.
        durable: as in :func:`cinn_app.files.atomic_write`; not needed for temporary files.

    Returns:
        The path.

    Raises:
        ImageError: if the format is unknown or cannot hold the picture, the path is the source's, or the file cannot
            be written; one sentence that names the file and says what to do.
    """
    path = Path(path)
    chosen = _format(path, format)
    if _is_source(path, source):
        raise ImageError(
            "{name} is the input picture and is not overwritten: choose another name or folder.", name=str(path)
        )
    encoded = encode_picture(rgb8, chosen, metadata, alpha, provenance, quality, str(path))
    with writing(path, ImageError, durable) as file:
        file.write(encoded)
    return path


def encode_picture(
    rgb8: np.ndarray,
    format: str,
    metadata: PictureMetadata | None = None,
    alpha: np.ndarray | None = None,
    provenance: Mapping[str, Any] | None = None,
    quality: int | None = None,
    name: str = Message("The picture"),
) -> bytes:
    """Encode a picture as the bytes of a file; arguments as in `save_picture`, `name` for the errors.

    Raises:
        ImageError: if the format cannot hold the picture.
    """
    picture = Image.fromarray(np.asarray(rgb8))
    if max(picture.size) > LONGEST_SIDE[format]:
        raise ImageError(
            "{name} cannot be saved as {format}, whose sides have at most {limit} pixels: choose png or tiff.",
            name=name,
            format=format,
            limit=LONGEST_SIDE[format],
        )
    if alpha is not None:
        picture.putalpha(Image.fromarray(alpha))
    if alpha is not None and format == "jpg":
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        picture = white
    encoder, options = ENCODERS[format]
    if quality is not None and "quality" in options:
        options = {**options, "quality": whole_number(quality, Message("quality"), 1, 100)}
    if np.ndim(rgb8) == 3:
        options = {**options, "icc_profile": SRGB_PROFILE}
    # In memory, because Pillow's encoders lose the error code of a file that cannot be written. And metadata that the
    # encoder rejects are left out rather than losing the picture.
    for kept in (metadata or PictureMetadata(), PictureMetadata()):
        buffer = io.BytesIO()
        try:
            picture.save(buffer, encoder, **options, **options_to_save(kept, encoder, provenance))
            break
        except MemoryError:
            raise
        except Exception:
            if kept == PictureMetadata():
                raise
    return buffer.getvalue() + (END_OF_TIFF if format == "tiff" else b"")


def format_like(metadata: PictureMetadata) -> str:
    """Return the one of `OUTPUT_FORMATS` that a picture came in, or png, which is lossless."""
    known = {encoder: name for name, (encoder, _) in ENCODERS.items()} | {"MPO": "jpg"}
    return known.get(metadata.format or "", "png")


def encode_film(
    frames: np.ndarray,
    seconds: Sequence[float],
    format: str,
    scale: int = 1,
    provenance: Mapping[str, Any] | None = None,
) -> bytes:
    """Encode gray frames that a model generated as a film that loops forever.

    Args:
        frames: uint8 gray, `(count, height, width)`.
        seconds: how long each is shown; GIF rounds to hundredths.
        format: one of `FILM_FORMATS`.
        scale: pixels of the film per pixel of the frames, interpolated.
        provenance: a record of how the film was made; `read_provenance` reads it back. Pillow writes no XMP into a GIF,
            so there the record is the comment.

    Returns:
        The bytes of a file.

    Raises:
        ImageError: if the format is unknown.
    """
    height, width = frames.shape[1:]
    size = (scale * width, scale * height)
    first, *others = (Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames)
    match format:
        case "gif":
            options: dict[str, Any] = {"comment": json.dumps(provenance) if provenance else None}
        case "webp":
            xmp = with_provenance(GENERATED_XMP, provenance) if provenance else b""
            options = {"quality": FILM_QUALITY, "xmp": xmp}
        case _:
            raise ImageError(
                "{format!r} is not a format of films: choose one of {formats}.",
                format=format,
                formats=", ".join(FILM_FORMATS),
            )
    buffer = io.BytesIO()
    durations = [round(1000 * each) for each in seconds]
    first.save(buffer, format, save_all=True, append_images=others, duration=durations, loop=0, **options)
    return buffer.getvalue()


def contact_sheet(pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int | None = None) -> np.ndarray:
    """Arrange pictures of one size on a sheet, row by row, each with a caption below.

    Args:
        pictures: uint8 `(height, width, 3)` each.
        captions: one per picture; cut at the width of the picture.
        columns: by default the number that makes the sheet about square.

    Returns:
        uint8 `(sheet_height, sheet_width, 3)`.
    """
    height, width = pictures[0].shape[:2]
    across, down = width + MARGIN, height + CAPTION_HEIGHT + MARGIN
    if columns is None:
        columns = max(1, round((len(pictures) * down / across) ** 0.5))
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (MARGIN + columns * across, MARGIN + rows * down), PAPER)
    font = ImageFont.load_default(FONT_SIZE)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = MARGIN + number % columns * across, MARGIN + number // columns * down
        sheet.paste(Image.fromarray(picture), (left, top))
        line = Image.new("RGB", (width, CAPTION_HEIGHT), PAPER)
        ImageDraw.Draw(line).text((0, 4), caption, INK, font)
        sheet.paste(line, (left, top + height))
    return np.asarray(sheet)


def _format(path: Path, asked: str | None) -> str:
    name = (asked or path.suffix).lower().removeprefix(".")
    name = SPELLINGS.get(name, name)
    if name not in OUTPUT_FORMATS:
        raise ImageError(
            "{name} cannot be saved, since {format!r} is not a known format: choose one of {formats}.",
            name=str(path),
            format=name,
            formats=", ".join(OUTPUT_FORMATS),
        )
    return name


def _is_source(path: Path, source: str | os.PathLike[str] | None) -> bool:
    try:
        return source is not None and path.samefile(source)
    except OSError:  # one of them does not exist
        return False
