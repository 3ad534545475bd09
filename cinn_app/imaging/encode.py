"""From pixels to a picture file, whole or not at all."""

import errno
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cinn_app.errors import DiskFullError, ImageError
from cinn_app.files import atomic_write
from cinn_app.imaging.metadata import PictureMetadata, options_to_save
from cinn_app.imaging.pixels import SRGB_PROFILE
from cinn_app.imaging.provenance import GENERATED_XMP, with_provenance

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
# The last is a limit on the size of files, which a quota may set.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SPELLINGS = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tif": "tiff"}
# Pillow's name of each format, and options: good quality, and in JPEG colour at full resolution. TIFF is not
# compressed, since libtiff, which would do it, loses EXIF directories.
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"compress_level": 4}),
    "jpg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "webp": ("WEBP", {"quality": 95}),
    "tiff": ("TIFF", {}),
}
LONGEST_SIDE = {"png": 2**31 - 1, "jpg": 65_535, "webp": 16_383, "tiff": 2**31 - 1}


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
    """Save a picture; on any failure nothing is left behind and a file that was there before still is.

    JPEG has no alpha: the picture is laid on white. The file says that its colours are sRGB.

    Args:
        path: where to; an existing file is replaced, unless it is the source.
        rgb8: uint8 `(height, width, 3)` sRGB, or `(height, width)` gray.
        metadata: what to carry over from the input file; nothing by default.
        alpha: uint8 `(height, width)`, 255 opaque.
        format: one of `OUTPUT_FORMATS`; by default the path's suffix says it.
        source: the file the picture was read from, which is never overwritten.
        provenance: what the file says of how its colours came about; `read_provenance` reads it back.
        quality: of JPEG and WebP, 1 to 100; 95 by default.
        durable: as in :func:`cinn_app.files.atomic_write`; not needed for pictures of the moment.

    Returns:
        The path.

    Raises:
        ImageError: the format is unknown or cannot hold the picture, the path is the source's, or the disk
            refuses; the message is one sentence that names the file and says what to do.
    """
    path = Path(path)
    chosen = _format(path, format)
    if _is_source(path, source):
        raise ImageError(f"{path} is the input picture and is not overwritten: choose another name or folder.")
    encoded = encode_picture(rgb8, chosen, metadata, alpha, provenance, quality, str(path))
    try:
        with atomic_write(path, durable) as file:
            file.write(encoded)
    except OSError as error:
        kind = DiskFullError if error.errno in NO_ROOM else ImageError
        raise kind(_refusal(path, error)) from error
    return path


def encode_picture(
    rgb8: np.ndarray,
    format: str,
    metadata: PictureMetadata | None = None,
    alpha: np.ndarray | None = None,
    provenance: Mapping[str, Any] | None = None,
    quality: int | None = None,
    name: str = "The picture",
) -> bytes:
    """Encode a picture as the bytes of a file; arguments as in `save_picture`, `name` for the errors.

    Raises:
        ImageError: the format cannot hold the picture.
    """
    picture = Image.fromarray(np.asarray(rgb8))
    if max(picture.size) > LONGEST_SIDE[format]:
        raise ImageError(
            f"{name} cannot be saved as {format}, whose sides end at {LONGEST_SIDE[format]} pixels: choose png or tiff."
        )
    if alpha is not None:
        picture.putalpha(Image.fromarray(alpha))
    if alpha is not None and format == "jpg":
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        picture = white
    encoder, options = ENCODERS[format]
    if quality is not None and "quality" in options:
        options = {**options, "quality": quality}
    if np.ndim(rgb8) == 3:
        options = {**options, "icc_profile": SRGB_PROFILE}
    # In memory: Pillow's encoders, given a file, forget why the disk refused. And metadata that the encoder chokes
    # on are not worth the picture.
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
    return buffer.getvalue()


def format_like(metadata: PictureMetadata) -> str:
    """Choose of `OUTPUT_FORMATS` the one that a picture came in, or else png, which loses nothing."""
    known = {encoder: name for name, (encoder, _) in ENCODERS.items()} | {"MPO": "jpg"}
    return known.get(metadata.format or "", "png")


def _format(path: Path, asked: str | None) -> str:
    name = (asked or path.suffix).lower().removeprefix(".")
    name = SPELLINGS.get(name, name)
    if name not in OUTPUT_FORMATS:
        raise ImageError(
            f"{path} cannot be saved, since {name or 'no suffix'!r} is none of the formats known: "
            f"choose one of {', '.join(OUTPUT_FORMATS)}."
        )
    return name


def _is_source(path: Path, source: str | os.PathLike[str] | None) -> bool:
    try:
        return source is not None and path.samefile(source)
    except OSError:  # one of them does not exist
        return False


def _refusal(path: Path, error: OSError) -> str:
    """Say why the disk refused, and what to do."""
    match error.errno:
        case number if number in NO_ROOM:
            return f"{path} cannot be saved, since the disk is full: free some space or choose another folder."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{path} cannot be saved for lack of permission: choose another folder."
        case errno.ENOENT | errno.ENOTDIR:
            return f"{path} cannot be saved, since its folder does not exist: create {path.parent} first."
        case errno.EISDIR:
            return f"{path} is a folder: name a file inside it."
        case _:
            return f"{path} cannot be saved ({error.strerror or error}): choose another name or folder."


FILM_FORMATS = ("gif", "webp")
WEBP_QUALITY = 90


def encode_film(
    frames: np.ndarray,
    seconds: Sequence[float],
    format: str,
    scale: int = 1,
    provenance: Mapping[str, Any] | None = None,
) -> bytes:
    """Encode a film that a model made from nothing, and that loops for ever, as the bytes of a file.

    Args:
        frames: uint8 gray, `(count, height, width)`.
        seconds: that each is shown; a GIF has hundredths.
        format: one of `FILM_FORMATS`.
        scale: pixels of the film per pixel, smooth.
        provenance: a record of how the film was made; `read_provenance` reads it back. Pillow writes no XMP into a GIF,
            so there the record is the comment.

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
            options = {
                "quality": WEBP_QUALITY,
                "xmp": with_provenance(GENERATED_XMP, provenance) if provenance else b"",
            }
        case _:
            raise ImageError(f"Films cannot be {format!r}: choose one of {', '.join(FILM_FORMATS)}.")
    buffer = io.BytesIO()
    durations = [round(1000 * each) for each in seconds]
    first.save(buffer, format, save_all=True, append_images=others, duration=durations, loop=0, **options)
    return buffer.getvalue()


MARGIN, LINE, TEXT = 12, 26, 16  # pixels: around the pictures, for the line below, and the height of its letters
PAPER, INK = "white", "black"


def contact_sheet(pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int | None = None) -> np.ndarray:
    """Lay pictures of one size on a sheet, row by row.

    Args:
        pictures: uint8 `(height, width, 3)` each.
        captions: one per picture; what is wider than its picture is cut.
        columns: by default as many as make the sheet about square.

    Returns:
        uint8 `(sheet_height, sheet_width, 3)`.
    """
    height, width = pictures[0].shape[:2]
    across, down = width + MARGIN, height + LINE + MARGIN
    if columns is None:
        columns = max(1, round((len(pictures) * down / across) ** 0.5))
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (MARGIN + columns * across, MARGIN + rows * down), PAPER)
    font = ImageFont.load_default(TEXT)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = MARGIN + number % columns * across, MARGIN + number // columns * down
        sheet.paste(Image.fromarray(picture), (left, top))
        line = Image.new("RGB", (width, LINE), PAPER)
        ImageDraw.Draw(line).text((0, 4), caption, INK, font)
        sheet.paste(line, (left, top + height))
    return np.asarray(sheet)
