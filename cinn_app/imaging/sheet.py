"""Several pictures side by side on one sheet, each with a line below it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["contact_sheet"]

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
