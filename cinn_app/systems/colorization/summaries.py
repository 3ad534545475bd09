"""What is shown of several colourings of one photograph: side by side on a sheet, and a map of where they differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cinn_app.imaging import contact_sheet, save_picture, shrink_photograph
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.selection import uncertainty

__all__ = ["save_sheet", "save_uncertainty", "sheet_of"]

#: What is white in a map, in Lab units; always the same, so that maps compare. Samples at the defaults
#: differ by 5 to 15.
WHITE = 16.0
#: Longer side of each picture on the sheet, in pixels.
SIDE = 480


def sheet_of(colourings: Sequence[Colouring], strength: float = 1.0) -> np.ndarray:
    """Show what was coloured and all that came of it, uint8 ``(height, width, 3)``.

    The pictures on the sheet are small ones, so that a sheet costs little beside the colourings themselves.
    """
    small = shrink_photograph(colourings[0].photograph, SIDE)
    pictures, captions = [colourings[0].on(small).render(strength=0)], ["original"]
    for colouring in colourings:
        pictures.append(colouring.on(small).render(strength))
        captions.append(
            f"no. {colouring.settings['sample'] + 1}, seed {colouring.seed}, {colouring.bits_per_dim:.2f} bits"
        )
    return contact_sheet(pictures, captions)


def save_sheet(
    path: Path, colourings: Sequence[Colouring], strength: float = 1.0, source: Path | None = None, mark: bool = True
) -> None:
    """Write the sheet of some colourings, whole or not at all; its mark is that of the first one, and their number.

    Raises:
        ImageError: if the file cannot be written.
    """
    made = _mark(colourings, source) | {"strength": strength} if mark else None
    save_picture(path, sheet_of(colourings, strength), source=source, provenance=made)


def save_uncertainty(
    path: Path,
    colourings: Sequence[Colouring],
    source: Path | None = None,
    mark: bool = True,
    white: float | None = WHITE,
) -> None:
    """Write a gray picture of where colourings differ: black where not at all, white from `white` Lab units on.

    With ``None`` it goes from where these colourings differ least to where most: that shows places best, but maps no
    longer compare.

    Raises:
        CinnError: if there are fewer than two colourings, or the file cannot be written.
    """
    deviation = uncertainty(colourings)
    least, most = (0.0, white) if white is not None else (float(deviation.min()), float(deviation.max()))
    gray = ((deviation - least) * (255 / max(most - least, 1e-6))).round().clamp(0, 255).byte().numpy()
    save_picture(path, gray, source=source, provenance=_mark(colourings, source) if mark else None)


def _mark(colourings: Sequence[Colouring], source: Path | None) -> dict[str, Any]:
    """Say how all of them came about: the mark of a draw's first sample, and how many there are."""
    mark = {**colourings[0].mark(source=source), "sample": 0, "samples": len(colourings)}
    return {key: value for key, value in mark.items() if key not in ("strength", "quality")}
