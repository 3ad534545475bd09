"""What visitors ask of the colours: along axes, at places, after another picture, and with a part kept."""

import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.files import naming
from cinn_app.studio.handlers import SAVE_FILE, random_seed, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.hints import Hints, painted_region
from cinn_app.systems.colorization.reference import Palette
from cinn_app.systems.colorization.steering import Region, Steering
from cinn_app.systems.colorization.studio.controls import STEPS
from cinn_app.systems.colorization.studio.hint_pad import HintPad, marks
from cinn_app.systems.colorization.studio.visits import Reference, Visit

__all__ = ["SteeringPanel"]

#: What sliders are called, by the names of the axes.
LABELS = {
    "warmer": later("Cooler to warmer"),
    "greener": later("Pinker to greener"),
    "more vivid": later("Paler to more vivid"),
}
REFERENCE = later("<h3>The colours of another picture</h3>")
NO_REFERENCE = later("Your photographs take on the mood of a picture that you give, or of a colouring that you chose.")
NO_PHOTOGRAPH = later("There is no photograph yet: give one first.")
NO_HINTS = later("There are no hints to save yet: choose a colour and click on the picture first.")
NO_STROKES = later("Nothing is marked to be kept yet: paint over what is right first.")


class SteeringPanel:
    """Lays the panel out in the page that is being built, and answers what visitors do there.

    Args:
        colorizer: shared by all visitors, and never changed.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self.axes = [axis.name for axis in colorizer.axes]
        with gr.Accordion(tr("Steer the colours"), open=False, elem_id="steering"):
            with gr.Row(visible=bool(self.axes), equal_height=False, elem_id="axes-of-colour"):
                self._lay_out_axes()
            self.pad = HintPad()
            with gr.Row(equal_height=False, elem_id="borrowed"):
                with gr.Column(scale=3, min_width=300):
                    self._lay_out_reference()
                with gr.Column(scale=1, min_width=180):
                    self._lay_out_files()

    def _lay_out_axes(self) -> None:
        self.sliders = [STEPS.slider(step=0.1, label=tr(LABELS.get(name, name.capitalize()))) for name in self.axes]
        self.reset = gr.Button(tr("Reset"), size="sm", scale=0, min_width=90, elem_id="reset-axes")

    def _lay_out_reference(self) -> None:
        self.reference = gr.HTML(_told(None), elem_id="reference")
        with gr.Row(equal_height=False):
            self.picture = gr.Image(
                label=tr("A picture in colour"),
                show_label=False,
                sources=["upload"],
                type="filepath",
                image_mode=None,
                height=84,
                min_width=200,
                buttons=[],
                placeholder=tr("Drop a picture in colour"),
                elem_id="reference-picture",
            )
            with gr.Column(min_width=200):
                self.take = gr.Button(tr("Take those of the chosen colouring"), size="sm", elem_id="take-reference")
                self.leave = gr.Button(tr("Colour without them"), size="sm", visible=False, elem_id="leave-reference")

    def _lay_out_files(self) -> None:
        gr.HTML(tr("<h3>Hints in a file</h3>"))
        with gr.Row(elem_id="hint-files"):
            self.save = gr.Button(tr("Save"), size="sm", min_width=80, elem_id="save-hints")
            self.load = gr.UploadButton(tr("Load"), size="sm", min_width=80, file_types=[".json"], elem_id="load-hints")
        self.file = gr.File(visible="hidden", label=tr("Hints"), elem_id="hint-file")

    @property
    def inputs(self) -> list[Any]:
        """What :meth:`wish` reads, after the visit."""
        return [self.pad.board, *self.sliders]

    @property
    def outputs(self) -> list[Any]:
        """What :meth:`show` sets, beside the pad."""
        return [*self.sliders, self.reference, self.leave]

    def show(self, visit: Visit, steps: Sequence[float]) -> dict[Any, Any]:
        """Show what is asked of the colours of a visit."""
        steps = steps or [STEPS.default] * len(self.sliders)
        told = {self.reference: _told(visit.reference), self.leave: gr.Button(visible=visit.reference is not None)}
        return {**dict(zip(self.sliders, steps, strict=True)), **told}

    def connect(self, visit: gr.State, seed: gr.Number, drawing: dict[str, Any], queued: dict[str, Any]) -> None:
        """Let everything here draw anew.

        Args:
            visit: the visitor's.
            seed: of the draw.
            drawing: the event that draws.
            queued: how events are queued.
        """
        quiet: dict[str, Any] = {"show_progress": "hidden", **queued}
        told = [visit, self.reference, self.leave]
        gr.on([self.pad.board.input, *(slider.release for slider in self.sliders)], **drawing)
        self.reset.click(lambda: [STEPS.default] * len(self.sliders), None, self.sliders, **quiet).then(**drawing)
        self.picture.upload(self._refer, [self.picture, visit], [self.picture, *told], **queued).then(**drawing)
        self.take.click(self._take, visit, told, **quiet).then(**drawing)
        self.leave.click(self._leave, visit, told, **quiet).then(**drawing)
        self.pad.board.redraw(self._keep, [visit, self.pad.board], [visit, seed], **quiet).then(**drawing)
        self.save.click(self._save, [visit, self.pad.board], self.file, **quiet).then(None, self.file, js=SAVE_FILE)
        self.load.upload(self._load, [self.load, visit, self.pad.board], self.pad.board, **quiet).then(**drawing)

    def wish(self, visit: Visit, drawn: Any, *steps: Any) -> Steering:
        """Read what is wished for a photograph.

        Raises:
            CinnError: if what was drawn on it does not fit.
        """
        along: dict[str | int, float] = {
            name: step for name, step in zip(self.axes, map(STEPS.read, steps), strict=True) if step
        }
        on_it = self.pad.read(drawn, visit.size)
        return Steering(along, on_it.hints, visit.palette, visit.region if on_it.strokes else None)

    def _refer(self, payload: dict[str, Any] | None, visit: Visit | None) -> list[Any]:
        """Take the colours of a picture; of one that has none or cannot be read say so, and leave all else."""
        if not payload or not payload.get("path") or visit is None:
            return [None, gr.skip(), gr.skip(), gr.skip()]
        path = Path(payload["path"])
        try:
            with naming(path):
                palette = Palette.of(path)
            return [None, *_refer(visit, Reference(palette, path.name))]
        except CinnError as error:
            sentence = html.escape(tr(error))
            return [
                None,
                gr.skip(),
                f'{tr(REFERENCE)}<p class="error">{sentence}</p>',
                gr.skip(),
            ]

    def _take(self, visit: Visit | None) -> list[Any]:
        if visit is None or not visit.colourings:
            return [gr.skip()] * 3
        name = tr("No. {number} of {name}", number=visit.number(visit.chosen), name=visit.upload.name)
        return _refer(visit, Reference(Palette.of(visit.colourings[visit.chosen]), name, visit.folder))

    def _leave(self, visit: Visit | None) -> list[Any]:
        return _refer(visit, None) if visit else [gr.skip()] * 3

    def _keep(self, visit: Visit | None, drawn: Any) -> list[Any]:
        """Keep what is painted over of the chosen colouring, and choose a seed for the rest."""
        try:
            if visit is None or not visit.colourings:
                raise CinnError(tr(NO_PHOTOGRAPH))
            strokes = self.pad.read(drawn, visit.size).strokes
            if not strokes:
                raise CinnError(tr(NO_STROKES))
            colouring = visit.colourings[visit.chosen]
            region = Region(colouring.ab, painted_region(strokes, visit.size, visit.large.size))
            region.check(visit.large.size, colouring.ab.shape[1:])
        except CinnError as error:
            warn(error)
            return [gr.skip(), gr.skip()]
        return [dataclasses.replace(visit, region=region), random_seed()]

    def _save(self, visit: Visit | None, drawn: Any) -> str | None:
        try:
            if visit is None:
                raise CinnError(tr(NO_PHOTOGRAPH))
            hints = self.pad.read(drawn, visit.size).hints
            if hints is None:
                raise CinnError(tr(NO_HINTS))
            path = visit.folder / f"{visit.upload.stem}-hints.json"
            hints.save(path)
        except CinnError as error:
            warn(error)
            return None
        return str(path)

    def _load(self, payload: dict[str, Any] | None, visit: Visit | None, drawn: Any) -> Any:
        if not payload or visit is None:
            return gr.skip()
        path = Path(payload["path"])
        try:
            with naming(path):
                return marks(Hints.load(path).on(visit.size), drawn)
        except CinnError as error:
            warn(error)
            return gr.skip()


def _refer(visit: Visit, reference: Reference | None) -> list[Any]:
    """Give the visit with a reference, what is told of it, and the button that takes it away."""
    return [dataclasses.replace(visit, reference=reference), _told(reference), gr.Button(visible=reference is not None)]


def _told(reference: Reference | None) -> str:
    if reference is None:
        return f"{tr(REFERENCE)}<p>{tr(NO_REFERENCE)}</p>"
    colours = "".join(f'<i style="background: {colour}"></i>' for colour in reference.palette.swatches())
    told = later("For the next photographs: <b>{name}</b>") if reference.home else later("From <b>{name}</b>")
    said = tr(told, name=html.escape(reference.name))
    return f'{tr(REFERENCE)}<div class="swatches" aria-hidden="true">{colours}</div><p>{said}</p>'
