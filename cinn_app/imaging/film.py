"""Pictures one after the other: films of gray frames that loop."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.imaging.provenance import MADE_WHOLE, with_mark

__all__ = ["FILM_FORMATS", "encode_film"]

FILM_FORMATS = ("gif", "webp")
WEBP_QUALITY = 90


def encode_film(
    frames: np.ndarray, seconds: Sequence[float], format: str, scale: int = 1, mark: Mapping[str, Any] | None = None
) -> bytes:
    """Encode a film that a model made from nothing, and that loops for ever, as the bytes of a file.

    Args:
        frames: uint8 gray, `(count, height, width)`.
        seconds: that each is shown; a GIF has hundredths.
        format: one of `FILM_FORMATS`.
        scale: pixels of the film per pixel, smooth.
        mark: what the file says of how it came about; `read_mark` reads it back. In a GIF, which has no place for
            XMP that Pillow knows, it is the comment.

    Raises:
        ImageError: if the format is unknown.
    """
    height, width = frames.shape[1:]
    size = (scale * width, scale * height)
    first, *others = (Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames)
    match format:
        case "gif":
            options: dict[str, Any] = {"comment": json.dumps(mark) if mark else None}
        case "webp":
            options = {"quality": WEBP_QUALITY, "xmp": with_mark(MADE_WHOLE, mark) if mark else b""}
        case _:
            raise ImageError(f"Films cannot be {format!r}: choose one of {', '.join(FILM_FORMATS)}.")
    buffer = io.BytesIO()
    durations = [round(1000 * each) for each in seconds]
    first.save(buffer, format, save_all=True, append_images=others, duration=durations, loop=0, **options)
    return buffer.getvalue()
