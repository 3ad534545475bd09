"""A visitor's own hand: one digit drawn or opened, what the model reads, all ten in that hand, and its neighbours."""

import html
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from cinn_app.errors import CinnError, ImageError
from cinn_app.studio.files import naming
from cinn_app.studio.handlers import warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator, Restyled
from cinn_app.systems.digits.images import read_digit
from cinn_app.systems.digits.studio.markup import png, row
from cinn_app.systems.digits.studio.pad import lay_out_pad
from cinn_app.systems.digits.studio.pictures import read_pad
from cinn_app.systems.digits.studio.reading import notice, reading
from cinn_app.systems.digits.studio.styles import KEPT, neighbours, style_grid

__all__ = ["OwnHand"]

LEAD = later("Draw one digit, see what the model takes it for, and get all ten in your own hand.")
INVITATION = later("Draw one digit, large and in the middle: mouse, pen or finger. Or open a picture of one.")
WRITTEN = later("<h3>All ten in your hand</h3>")
BESIDE = later("<h3>Neighbours in style <small>your hand, changed step by step</small></h3>")
ALONG, TOWARDS = later("What changes"), later("from the kept hand")
KEEP = later("Keep this hand")
JUST_KEPT = later("This hand is kept. Clear the pad and draw another digit: the rows will lead to its hand.")
GUESS = "guess"


class OwnHand:
    """Lays the panel out in the page that is being built, and answers what visitors draw.

    Attributes:
        own: the state that holds what has been drawn, a `Restyled`, or None.

    Args:
        generator: shared by all visitors, and never changed.
        queued: how its events are queued.
    """

    def __init__(self, generator: DigitGenerator, queued: dict[str, Any]) -> None:
        self.generator = generator
        self.own, self.kept = gr.State(None), gr.State(None)
        gr.HTML(f'<p id="own-hand-heading">{tr(LEAD)}</p>', elem_classes="panel-lead")
        with gr.Row(elem_id="own-hand", equal_height=False):
            self.pad, self.upload = lay_out_pad()
            with gr.Column(min_width=300):
                self.label = gr.Radio(
                    [(tr("guess it"), GUESS), *((str(digit), digit) for digit in range(10))],
                    value=GUESS,
                    label=tr("The digit you have drawn"),
                    elem_id="drawn-label",
                    elem_classes="chips",
                )
                self.written = gr.HTML(notice(tr(INVITATION)), elem_id="written")
        with gr.Column(visible=False, elem_id="styles") as self.beside:
            self._lay_out_styles()
        self._connect(queued)

    def _lay_out_styles(self) -> None:
        gr.HTML(tr(BESIDE))
        with gr.Row(equal_height=False, elem_id="styles-row"):
            with gr.Column(scale=0, min_width=282, elem_id="styles-side"):
                self.along = gr.Radio(
                    self._axes(), value=1, label=tr(ALONG), elem_id="along-style", elem_classes="chips"
                )
                self.keep = gr.Button(tr(KEEP), elem_id="keep-hand")
            self.grid = gr.HTML("", min_width=300, elem_id="style-grid")

    def _connect(self, queued: dict[str, Any]) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", **queued}
        beside: dict[str, Any] = {
            "fn": self._show_beside,
            "inputs": [self.own, self.kept, self.along],
            "outputs": [self.beside, self.grid],
            **quiet,
        }
        for event in (self.pad.input, self.label.input):
            event(self._write, [self.pad, self.label], [self.written, self.own], **quiet).then(**beside)
        opening = {**quiet, "preprocess": True}  # which makes sure that the file is one that was uploaded
        outputs = [self.upload, self.pad, self.written, self.own]
        self.upload.upload(self._open, [self.upload, self.label], outputs, **opening).then(**beside)
        self.along.input(**beside)
        self.keep.click(self._keep, self.own, [self.kept, self.along], **quiet).then(**beside)

    def _write(self, drawing: str | None, label: int | str) -> tuple[str, Restyled | None]:
        try:
            return self._judge(read_pad(drawing), label)
        except CinnError as error:
            return notice(html.escape(tr(error))), None

    def _open(self, file: str | None, label: int | str) -> list[Any]:
        """Read a picture and bring it to the pad; of one that cannot be read say why, and leave all else as it was."""
        if file is None:
            return [gr.skip()] * 4
        path = Path(file)
        try:
            with naming(path):
                image = read_digit(path)
            return [None, png(image), *self._judge(image, label)]
        except ImageError as error:
            warn(error)
            return [None, gr.skip(), gr.skip(), gr.skip()]
        finally:
            path.unlink(missing_ok=True)

    def _judge(self, image: Tensor, label: int | str) -> tuple[str, Restyled]:
        restyled = self.generator.restyle(image, None if label == GUESS else int(label))
        captions = [f"<b>{digit}</b>" if digit == restyled.label else str(digit) for digit in range(10)]
        usual = float(self.generator.typicality(restyled.latent))
        return reading(image, restyled, usual) + tr(WRITTEN) + row(restyled.images, captions), restyled

    def _show_beside(self, own: Restyled | None, kept: Restyled | None, along: Any) -> dict[Any, Any]:
        if own is None:
            return {self.beside: gr.Column(visible=False)}
        if along == KEPT and kept is not None and torch.equal(kept.latent, own.latent):
            return {self.beside: gr.Column(visible=True), self.grid: notice(tr(JUST_KEPT))}
        try:
            grid = style_grid(neighbours(self.generator, own, int(along), kept))
        except CinnError as error:
            warn(error)
            return {self.beside: gr.skip()}
        return {self.beside: gr.Column(visible=True), self.grid: grid}

    def _keep(self, own: Restyled | None) -> list[Any]:
        """Keep the handwriting, so that the next one is shown with the way from this."""
        return [own, gr.Radio([*self._axes(), (tr(TOWARDS), KEPT)], value=KEPT)]

    def _axes(self) -> list[tuple[str, int]]:
        return [(tr(axis.name), number) for number, axis in enumerate(self.generator.axes(), start=1)]
