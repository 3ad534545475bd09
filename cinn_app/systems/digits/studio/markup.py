"""How pictures of digits stand in the page: inside its HTML, so that they need no files and change without a flicker.

Gradio brings new HTML into the page by changing what differs: a picture stays the same element with another address.
"""

import base64
import io
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from cinn_app.studio.language import later, tr

__all__ = ["grid", "picture", "png", "row", "strip"]

AMONG = later("Digits: arrow keys go from one to another, Enter chooses")


def png(gray: Tensor) -> str:
    """Write a picture into an address, ``data:image/png;...``.

    Args:
        gray: uint8, ``(height, width)``.
    """
    buffer = io.BytesIO()
    Image.fromarray(gray.numpy()).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def grid(images: Tensor, labels: Sequence[int], chosen: tuple[int, int]) -> str:
    """Lay digits out as buttons; the two chosen ones are marked, and Tab stops at the second of them alone.

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
        row, column = divmod(number, columns)
        hint = tr("{digit}, row {row}, column {column}", digit=label, row=row + 1, column=column + 1)
        stop = 0 if number == chosen[1] else -1
        cells.append(
            f'<button data-number="{number}" tabindex="{stop}" aria-label="{hint}"{marked}>{picture(image)}</button>'
        )
    return (
        f'<div class="ink cells" role="group" aria-label="{tr(AMONG)}" '
        f'style="--rows: {rows}; --columns: {columns}">{"".join(cells)}</div>'
    )


def row(images: Tensor, captions: Sequence[str] = ()) -> str:
    """Lay digits out side by side.

    Args:
        images: uint8, ``(count, 28, 28)``.
        captions: of each, if any.
    """
    told = [f"<figcaption>{caption}</figcaption>" for caption in captions] or [""] * len(images)
    figures = (f"<figure>{picture(image)}{text}</figure>" for image, text in zip(images, told, strict=True))
    return f'<div class="ink row-of-digits" style="--columns: {len(images)}">{"".join(figures)}</div>'


def strip(images: Tensor, alt: str) -> str:
    """Lay digits out side by side in one picture.

    Args:
        images: uint8, ``(count, 28, 28)``.
        alt: as for :func:`picture`.
    """
    return picture(torch.cat([*images], dim=1), alt)


def picture(gray: Tensor, alt: str = "") -> str:
    """Show one picture.

    Args:
        gray: uint8, ``(height, width)``.
        alt: what it shows, for those who cannot see it; nothing where the text beside it tells.
    """
    return f'<img src="{png(gray)}" alt="{alt}" decoding="sync" draggable="false">'
