"""Pictures of digits inside the page's HTML, where they need no files, and the pad to draw one on.

gradio updates HTML by changing what differs: a picture remains the same element with another address, so it does not
flicker.
"""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from cinn_app.studio.language import later, tr

__all__ = ["grid", "lay_out_pad", "notice", "picture", "png", "row", "strip"]

KEYS = later("Digits: arrow keys go from one to another, Enter chooses")
PAD = later("A pad to draw a digit on, or to drop a picture of one")


def png(gray: Tensor) -> str:
    """Encode a picture, uint8 ``(height, width)``, as an address, ``data:image/png;...``."""
    buffer = io.BytesIO()
    Image.fromarray(gray.numpy()).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(gray: Tensor, alt: str = "") -> str:
    """Show a picture, uint8 ``(height, width)``; `alt` describes it, unless the text beside it does."""
    return f'<img src="{png(gray)}" alt="{alt}" decoding="sync" draggable="false">'


def grid(images: Tensor, labels: Sequence[int], chosen: tuple[int, int]) -> str:
    """Show digits as buttons; the two chosen ones are marked A and B, and Tab stops at B alone.

    Args:
        images: uint8, ``(rows, columns, 28, 28)``.
        labels: row by row.
        chosen: the cells A and B, counted row by row from 0.
    """
    rows, columns = images.shape[:2]
    cells = []
    for cell, (image, label) in enumerate(zip(images.flatten(0, 1), labels, strict=True)):
        letters = " ".join(letter for letter, place in zip("AB", chosen, strict=True) if place == cell)
        mark = f' data-mark="{letters}"' if letters else ""
        row, column = divmod(cell, columns)
        name = tr("{digit}, row {row}, column {column}", digit=label, row=row + 1, column=column + 1)
        stop = 0 if cell == chosen[1] else -1
        cells.append(
            f'<button data-cell="{cell}" tabindex="{stop}" aria-label="{name}"{mark}>{picture(image)}</button>'
        )
    return (
        f'<div class="ink cells" role="group" aria-label="{tr(KEYS)}" '
        f'style="--rows: {rows}; --columns: {columns}">{"".join(cells)}</div>'
    )


def row(images: Tensor, captions: Sequence[str] = ()) -> str:
    """Show digits side by side, uint8 ``(count, 28, 28)``, each with its caption if there are any."""
    below = [f"<figcaption>{caption}</figcaption>" for caption in captions] or [""] * len(images)
    figures = (f"<figure>{picture(image)}{caption}</figure>" for image, caption in zip(images, below, strict=True))
    return f'<div class="ink row-of-digits" style="--columns: {len(images)}">{"".join(figures)}</div>'


def strip(images: Tensor, alt: str) -> str:
    """Show digits side by side in one picture, uint8 ``(count, 28, 28)``; `alt` as for :func:`picture`."""
    return picture(torch.cat([*images], dim=1), alt)


def notice(sentence: str) -> str:
    """Show a sentence, as HTML, in place of what cannot be shown."""
    return f'<p class="notice">{sentence}</p>'


def lay_out_pad() -> tuple[gr.HTML, gr.UploadButton]:
    """Lay out the pad, and the button that opens a picture instead.

    Returns:
        The pad, with the drawing as its value, `data:image/png;base64,...` or None; and the button.
    """
    with gr.Column(scale=0, min_width=282, elem_id="pad-side"):
        canvas = f"""
<canvas width="280" height="280" role="img" aria-label="{tr(PAD)}"></canvas>
<button class="clear" type="button">{tr("Clear")}</button>
"""
        script = Path(__file__).with_name("pad.js").read_text("utf-8")
        pad = gr.HTML(None, html_template=canvas, js_on_load=script, elem_id="pad", padding=False)
        return pad, gr.UploadButton(
            tr("Open a picture of a digit"), file_types=["image"], size="sm", elem_id="pad-open"
        )
