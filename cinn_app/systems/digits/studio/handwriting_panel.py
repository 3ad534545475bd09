"""A visitor's own handwriting: a drawn digit is recognised, all ten are written like it, and similar ones around it."""

import html
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from cinn_app.errors import CinnError, ImageError
from cinn_app.studio.files import naming
from cinn_app.studio.handlers import COMPUTING, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator, Restyled
from cinn_app.systems.digits.images import read_digit
from cinn_app.systems.digits.studio.controls import read_pad
from cinn_app.systems.digits.studio.markup import lay_out_pad, notice, picture, png, row

__all__ = ["KEPT", "STEPS", "HandwritingPanel", "recognition", "similar_handwritings"]

LEAD = later("Draw one digit: the model recognises it, and writes all ten in your handwriting.")
INVITATION = later("Draw one digit, large and in the middle: mouse, pen or finger. Or open a picture of one.")
WRITTEN = later("<h3>All ten in your handwriting</h3>")
SIMILAR = later("<h3>Similar handwritings <small>yours, changed step by step</small></h3>")
JUST_KEPT = later("This handwriting is kept. Clear the pad and draw another digit: the rows will lead to its own.")
RECOGNISED = later("<b>Recognised as {digit}</b>, {sure} sure; the next best is {second}, {next}.")
CORRECTED = later(
    "<b>Taken as {digit}</b>, as you say. The model recognises {first}, {sure} sure; the next best is {second}, {next}."
)
DOUBTFUL = later("<b>Taken as {digit}</b>, but it hardly looks like it. Draw one digit alone, clearly.")
SEEN = later("On the left: the drawing as the model sees it. {share} of the model's own digits are less typical.")
BAYES = later("Probability of each digit, by Bayes' rule from its likelihood.")
ONLY_DIGITS = later("The probabilities only compare ten digits. They cannot tell that a drawing is no digit.")
RECOGNISE = "recognise"
#: Steps along an axis, in standard deviations.
STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)
#: Stands for the way from a kept handwriting, where axes have their numbers from 1.
KEPT = 0
YOURS = later("yours")
AXIS_ROWS = ("\N{MINUS SIGN}2", "\N{MINUS SIGN}1", YOURS, "+1", "+2")
KEPT_ROWS = (
    later("kept"),
    "\N{VULGAR FRACTION ONE QUARTER}",
    later("half"),
    "\N{VULGAR FRACTION THREE QUARTERS}",
    YOURS,
)
#: No probability is shown as certain or impossible.
ALMOST_CERTAIN, ALMOST_IMPOSSIBLE = 0.999, 0.001


class HandwritingPanel:
    """Lays out the panel in the page that is being built, and answers what visitors draw.

    Args:
        generator: shared by all visitors.

    Attributes:
        own: state of the visitor's drawing, a :class:`Restyled` or None.
    """

    def __init__(self, generator: DigitGenerator) -> None:
        self.generator = generator
        self.own, self.kept = gr.State(None), gr.State(None)
        gr.HTML(f'<p id="own-handwriting-lead">{tr(LEAD)}</p>', elem_classes="panel-lead")
        with gr.Row(elem_id="own-handwriting", equal_height=False):
            self.pad, self.upload = lay_out_pad()
            with gr.Column(min_width=300):
                self.label = gr.Radio(
                    [(tr("recognise it"), RECOGNISE), *((str(digit), digit) for digit in range(10))],
                    value=RECOGNISE,
                    label=tr("The digit you have drawn"),
                    elem_id="drawn-label",
                    elem_classes="chips",
                )
                self.written = gr.HTML(notice(tr(INVITATION)), elem_id="written")
        with gr.Column(visible=False, elem_id="similar") as self.similar:
            gr.HTML(tr(SIMILAR))
            with gr.Row(equal_height=False, elem_id="similar-row"):
                with gr.Column(scale=0, min_width=282, elem_id="similar-side"):
                    self.along = gr.Radio(
                        self._axes(), value=1, label=tr("What changes"), elem_id="similar-along", elem_classes="chips"
                    )
                    self.keep = gr.Button(tr("Keep this handwriting"), elem_id="keep-handwriting")
                self.grid = gr.HTML("", min_width=300, elem_id="similar-grid")
        self._connect()

    def _connect(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        showing: dict[str, Any] = {
            "fn": self._show_similar,
            "inputs": [self.own, self.kept, self.along],
            "outputs": [self.similar, self.grid],
            **quiet,
        }
        for event in (self.pad.input, self.label.input):
            event(self._write, [self.pad, self.label], [self.written, self.own], **quiet).then(**showing)
        opening = {**quiet, "preprocess": True}  # which makes sure that the file is an upload
        outputs = [self.upload, self.pad, self.written, self.own]
        self.upload.upload(self._open, [self.upload, self.label], outputs, **opening).then(**showing)
        self.along.input(**showing)
        self.keep.click(self._keep, self.own, [self.kept, self.along], **quiet).then(**showing)

    def _write(self, drawing: str | None, label: int | str) -> tuple[str, Restyled | None]:
        try:
            return self._restyle(read_pad(drawing), label)
        except CinnError as error:
            return notice(html.escape(tr(error))), None

    def _open(self, file: str | None, label: int | str) -> list[Any]:
        """Show a picture on the pad; if it cannot be read, say why, and leave everything else as it is."""
        if file is None:
            return [gr.skip()] * 4
        path = Path(file)
        try:
            with naming(path):
                image = read_digit(path)
            return [None, png(image), *self._restyle(image, label)]
        except ImageError as error:
            warn(error)
            return [None, gr.skip(), gr.skip(), gr.skip()]
        finally:
            path.unlink(missing_ok=True)

    def _restyle(self, image: Tensor, label: int | str) -> tuple[str, Restyled]:
        own = self.generator.restyle(image, None if label == RECOGNISE else int(label))
        captions = [f"<b>{digit}</b>" if digit == own.label else str(digit) for digit in range(10)]
        typicality = float(self.generator.typicality(own.latent))
        return recognition(image, own, typicality) + tr(WRITTEN) + row(own.images, captions), own

    def _show_similar(self, own: Restyled | None, kept: Restyled | None, along: Any) -> dict[Any, Any]:
        if own is None:
            return {self.similar: gr.Column(visible=False)}
        if along == KEPT and kept is not None and torch.equal(kept.latent, own.latent):
            return {self.similar: gr.Column(visible=True), self.grid: notice(tr(JUST_KEPT))}
        try:
            images, names = similar_handwritings(self.generator, own, int(along), kept)
        except CinnError as error:
            warn(error)
            return {self.similar: gr.skip()}
        rows = (
            f'<div class="handwriting{" own" if name == YOURS else ""}"><span>{tr(name)}</span>{row(digits)}</div>'
            for name, digits in zip(names, images, strict=True)
        )
        return {
            self.similar: gr.Column(visible=True),
            self.grid: f'<div class="handwritings">{"".join(rows)}</div>',
        }

    def _keep(self, own: Restyled | None) -> list[Any]:
        """Keep the handwriting: the next one is shown with the way from this one."""
        return [own, gr.Radio([*self._axes(), (tr("from the kept handwriting"), KEPT)], value=KEPT)]

    def _axes(self) -> list[tuple[str, int]]:
        return [(tr(axis.name), number) for number, axis in enumerate(self.generator.axes(), start=1)]


def similar_handwritings(
    generator: DigitGenerator, own: Restyled, along: int, kept: Restyled | None = None
) -> tuple[Tensor, tuple[str, ...]]:
    """Write all ten digits in handwritings around a visitor's own.

    Args:
        generator: of digits.
        own: the visitor's drawing.
        along: number of an axis, or `KEPT`.
        kept: an earlier drawing, for `KEPT`; without one all rows are the own handwriting.

    Returns:
        uint8, ``(handwritings, 10, 28, 28)``, and the names of the handwritings.

    Raises:
        CinnError: if the axis is unknown.
    """
    if along == KEPT:
        latents = generator.interpolate_latents((kept or own).latent, own.latent, len(KEPT_ROWS))
        return generator.all_ten(latents), KEPT_ROWS
    return generator.all_ten(generator.lattice(own.latent, [along], STEPS)), AXIS_ROWS


def recognition(image: Tensor, own: Restyled, typicality: float) -> str:
    """Show the drawing as the model sees it, the recognised digit, and the probabilities of all ten as bars.

    Args:
        image: uint8, ``(28, 28)``.
        own: its digit and handwriting.
        typicality: of its handwriting, from :meth:`DigitGenerator.typicality`.
    """
    drawing = f'<div class="ink drawing">{picture(image, tr("The drawing as the model sees it"))}</div>'
    seen = tr(SEEN, share=_percent(typicality))
    result = f'<div class="recognised">{drawing}<p>{_result(own)}<br><small>{seen}</small></p></div>'
    return f'<h3>{tr("What is this digit?")}</h3><div class="recognition">{result}{_probabilities(own)}</div>'


def _result(own: Restyled) -> str:
    (first, second), (most, next_most) = (values.tolist() for values in reversed(own.probabilities.topk(2)))
    if own.doubtful:  # the model knows nothing but digits, so its probabilities say nothing
        return tr(DOUBTFUL, digit=own.label)
    text = RECOGNISED if first == own.label else CORRECTED
    return tr(text, digit=own.label, first=first, sure=_percent(most), second=second, next=_percent(next_most))


def _probabilities(own: Restyled) -> str:
    bars = "".join(
        f'<li class="{"taken" if digit == own.label else "other"}"><b>{digit}</b><span class="bar">'
        f'<span style="width: {100 * share:.2f}%"></span></span><span>{_percent(share)}</span></li>'
        for digit, share in enumerate(own.probabilities.tolist())
    )
    return (
        f'<div class="probabilities{" doubtful" if own.doubtful else ""}">'
        f'<ol aria-label="{tr("Probability of each digit")}">{bars}</ol>'
        f"<small>{tr(ONLY_DIGITS if own.doubtful else BAYES)}</small></div>"
    )


def _percent(share: float) -> str:
    """Round to tenths of a percent."""
    if share > ALMOST_CERTAIN:
        return tr("over 99.9\N{NO-BREAK SPACE}%")
    if share < ALMOST_IMPOSSIBLE:
        return tr("under 0.1\N{NO-BREAK SPACE}%")
    return tr("{percent:.1f}\N{NO-BREAK SPACE}%", percent=100 * share)
