"""Written digits as files that say how they came about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cinn_app import __version__
from cinn_app.imaging import GENERATED_XMP, PictureMetadata, encode_film, save_picture
from cinn_app.systems.digits.images import digit_sheet

__all__ = ["digit_film", "save_digits"]

#: Seconds that a film shows a digit on the way, and those at both ends.
ON_THE_WAY, AT_THE_ENDS = 0.08, 0.8
#: Pixels of a film per pixel of a digit.
FILM_SCALE = 8


def save_digits(
    path: Path, images: Tensor, settings: Mapping[str, Any] | None = None, source: Path | None = None
) -> None:
    """Write one digit, pixel for pixel, or a sheet of several, whole or not at all.

    Args:
        path: where to; the suffix says the format.
        images: uint8, ``(28, 28)``, or ``(rows, columns, 28, 28)`` for a sheet.
        settings: what made them, for the file's mark (`imaging.read_provenance` reads it); without it there is none.
        source: the picture whose handwriting it is and that the sheet shows, too; it is never overwritten.

    Raises:
        ImageError: if the file cannot be written, or is the source.
    """
    pixels = images.numpy() if images.ndim == 2 else digit_sheet(images)
    if settings is None:
        save_picture(path, pixels, source=source)
        return
    mark = _mark(settings)
    if source is None:
        save_picture(path, pixels, PictureMetadata(xmp=GENERATED_XMP), provenance=mark)
    else:
        save_picture(path, pixels, source=source, provenance={**mark, "source": source.name})


def digit_film(images: Tensor, format: str = "gif", settings: Mapping[str, Any] | None = None) -> bytes:
    """Make a film of a way from one digit to another, such as :meth:`DigitGenerator.interpolate` gives, and back again.

    Args:
        images: uint8, ``(count, 28, 28)``; the film has dark ink on white paper, 224 pixels wide, and loops.
        format: one of `cinn_app.imaging.FILM_FORMATS`.
        settings: as for :func:`save_digits`.

    Returns:
        The bytes of a file.

    Raises:
        ImageError: if the format is unknown.
    """
    there_and_back = torch.cat([images, images[1:-1].flip(0)])
    seconds = [ON_THE_WAY] * len(there_and_back)
    seconds[0] = seconds[len(images) - 1] = AT_THE_ENDS
    mark = None if settings is None else _mark(settings)
    return encode_film((255 - there_and_back).numpy(), seconds, format, FILM_SCALE, mark)


def _mark(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"program": f"cinn_app {__version__}", **settings}
