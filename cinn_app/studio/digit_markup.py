"""How pictures of digits stand in the page: inside its HTML, so that they need no files and change without a flicker.

Gradio brings new HTML into the page by changing what differs: a picture stays the same element with another address.
"""

import base64
import io
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

__all__ = ["grid", "png", "row"]


def png(gray: Tensor) -> str:
    """Write a picture into an address, ``data:image/png;...``.

    Args:
        gray: uint8, ``(height, width)``.
    """
    buffer = io.BytesIO()
    Image.fromarray(gray.numpy()).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def grid(images: Tensor, labels: Sequence[int], chosen: tuple[int, int]) -> str:
    """Lay digits out as buttons; the two chosen ones are marked.

    Args:
        images: uint8, ``(rows, columns, 28, 28)``.
        labels: of each, row by row.
        chosen: numbers of the first and the second one, row by row from 0.
    """
    rows, columns = images.shape[:2]
    cells = []
    for number, (image, label) in enumerate(zip(images.flatten(0, 1), labels, strict=True)):
        mark = " ".join(letter for letter, place in zip("AB", chosen, strict=True) if place == number)
        marked = f' data-mark="{mark}"' if mark else ""
        hint = f"{label}, row {number // columns + 1}, column {number % columns + 1}"
        cells.append(f'<button data-number="{number}" aria-label="{hint}"{marked}>{_tile(image)}</button>')
    return f'<div class="ink cells" style="--rows: {rows}; --columns: {columns}">{"".join(cells)}</div>'


def row(images: Tensor, captions: Sequence[str] = ()) -> str:
    """Lay digits out side by side.

    Args:
        images: uint8, ``(count, 28, 28)``.
        captions: of each, if any.
    """
    told = [f"<figcaption>{caption}</figcaption>" for caption in captions] or [""] * len(images)
    figures = (f"<figure>{_tile(image)}{text}</figure>" for image, text in zip(images, told, strict=True))
    return f'<div class="ink row-of-digits" style="--columns: {len(images)}">{"".join(figures)}</div>'


def _tile(image: Tensor) -> str:
    return f'<img src="{png(image)}" alt="" decoding="sync" draggable="false">'
