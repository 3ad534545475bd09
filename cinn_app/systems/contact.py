"""A contact sheet: a photograph and its colourings side by side, each labelled with what made it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cinn_app.imaging import contact_sheet, save_picture, shrink_photograph
from cinn_app.systems.colouring import Colouring

__all__ = ["save_sheet", "sheet_of"]

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
    made = {**colourings[0].mark(strength, source), "samples": len(colourings)} if mark else None
    save_picture(path, sheet_of(colourings, strength), source=source, mark=made)
