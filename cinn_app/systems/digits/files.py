"""Written digits as files that say how they came about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from cinn_app import __version__
from cinn_app.imaging import MADE_WHOLE, PictureMetadata, digit_sheet, save_picture

__all__ = ["save_digits"]


def save_digits(
    path: Path, images: Tensor, settings: Mapping[str, Any] | None = None, source: Path | None = None
) -> None:
    """Write one digit, pixel for pixel, or a sheet of several, whole or not at all.

    Args:
        path: where to; the suffix says the format.
        images: uint8, ``(28, 28)``, or ``(rows, columns, 28, 28)`` for a sheet.
        settings: what made them, for the file's mark (`imaging.read_mark` reads it back); without it there is none.
        source: the picture whose handwriting it is and that the sheet shows, too; it is never overwritten.

    Raises:
        ImageError: if the file cannot be written, or is the source.
    """
    pixels = images.numpy() if images.ndim == 2 else digit_sheet(images)
    if settings is None:
        save_picture(path, pixels, source=source)
        return
    mark = {"program": f"cinn_app {__version__}", **settings}
    if source is None:
        save_picture(path, pixels, PictureMetadata(xmp=MADE_WHOLE), mark=mark)
    else:
        save_picture(path, pixels, source=source, mark={**mark, "source": source.name})
