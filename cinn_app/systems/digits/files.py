"""Digits and films as files with a provenance record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cinn_app import __version__
from cinn_app.imaging import GENERATED_XMP, PictureMetadata, encode_film, save_picture
from cinn_app.systems.digits.images import digit_sheet

__all__ = ["digit_film", "save_digits"]

#: Seconds for which a film shows each digit between its ends, and each end.
BETWEEN, AT_THE_ENDS = 0.08, 0.8
#: Pixels of a film per pixel of a digit.
FILM_SCALE = 8


def save_digits(
    path: Path, images: Tensor, settings: Mapping[str, Any] | None = None, source: Path | None = None
) -> None:
    """Write one digit, pixel for pixel, or a sheet of several, completely or not at all.

    Args:
        path: of the file; the suffix gives the format.
        images: uint8, ``(28, 28)``, or ``(rows, columns, 28, 28)`` for a sheet.
        settings: for the provenance record, which `imaging.read_provenance` reads; without them there is none.
        source: the picture that the handwriting was taken from, and that the sheet shows, too; it is never overwritten.

    Raises:
        ImageError: if the file cannot be written, or is the source.
    """
    pixels = images.numpy() if images.ndim == 2 else digit_sheet(images)
    if settings is None:
        save_picture(path, pixels, source=source)
        return
    record = _provenance(settings)
    if source is None:
        save_picture(path, pixels, PictureMetadata(xmp=GENERATED_XMP), provenance=record)
    else:
        save_picture(path, pixels, source=source, provenance={**record, "source": source.name})


def digit_film(images: Tensor, format: str = "gif", settings: Mapping[str, Any] | None = None) -> bytes:
    """Make a film from one digit to another and back, such as of :meth:`DigitGenerator.interpolate`.

    Args:
        images: uint8, ``(count, 28, 28)``; the film has dark ink on white paper, is 224 pixels wide, and loops.
        format: one of `cinn_app.imaging.FILM_FORMATS`.
        settings: as for :func:`save_digits`.

    Returns:
        The bytes of a file.

    Raises:
        ImageError: if the format is unknown.
    """
    there_and_back = torch.cat([images, images[1:-1].flip(0)])
    seconds = [BETWEEN] * len(there_and_back)
    seconds[0] = seconds[len(images) - 1] = AT_THE_ENDS
    record = None if settings is None else _provenance(settings)
    return encode_film((255 - there_and_back).numpy(), seconds, format, FILM_SCALE, record)


def _provenance(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"program": f"cinn_app {__version__}", **settings}
