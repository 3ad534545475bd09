"""Constraints on the colours: steps along axes, hints, the colours of another picture, and a region to keep."""

import dataclasses
import html
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.files import naming
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, random_seed, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.reference import ColourReference
from cinn_app.systems.colorization.region import Region, painted_region
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.studio.hint_pad import HintPad, to_payload
from cinn_app.systems.colorization.studio.session import STEPS, Controls, Reference, Session

__all__ = ["SteeringPanel"]

#: Labels of the sliders, by the names of the axes.
LABELS = {
    "warmer": later("Cooler to warmer"),
    "greener": later("Pinker to greener"),
    "more vivid": later("Paler to more vivid"),
    "more varied": later("Plainer to more varied"),
}
REFERENCE = later("<h3>The colours of another picture</h3>")
NO_REFERENCE = later(
    "Things in your photographs take on the colours of like things in a picture that you upload, or in the chosen "
    "colouring."
)
FOR_NEXT, FROM = later("For the next photographs: <b>{name}</b>"), later("From <b>{name}</b>")
NO_PHOTOGRAPH = later("There is no photograph yet: upload one first.")
NO_HINTS = later("There are no hints to save yet: choose a colour and click on the picture first.")
NO_STROKES = later("No region is painted yet: paint over what is right first.")


class SteeringPanel:
    """Lays the panel out in the page that is being built, and handles its events."""

    def __init__(self) -> None:
        self.unfade = gr.Checkbox(
            label=tr("Remove fading"),
            info=tr("Light and shade at full contrast, colours at full strength"),
            visible=False,
            elem_id="unfade",
        )
        with gr.Accordion(tr("Steer the colours"), open=False, elem_id="steering"):
            with gr.Row(equal_height=False, elem_id="axes-of-colour"):
                self._lay_out_axes()
            self.pad = HintPad()
            with gr.Row(equal_height=False, elem_id="borrowed"):
                with gr.Column(scale=3, min_width=300):
                    self._lay_out_reference()
                with gr.Column(scale=1, min_width=180):
                    self._lay_out_files()

    def _lay_out_axes(self) -> None:
        self.sliders = [STEPS.slider(step=0.1, label=tr(LABELS[axis.name])) for axis in AXES]
        self.reset = gr.Button(tr("Reset"), size="sm", scale=0, min_width=90, elem_id="reset-axes")

    def _lay_out_reference(self) -> None:
        self.reference = gr.HTML(_describe(None), elem_id="reference")
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
                self.take = gr.Button(tr("Use the chosen colouring"), size="sm", elem_id="take-reference")
                self.leave = gr.Button(tr("Stop using them"), size="sm", visible=False, elem_id="leave-reference")

    def _lay_out_files(self) -> None:
        gr.HTML(tr("<h3>Hints in a file</h3>"))
        with gr.Row(elem_id="hint-files"):
            self.save = gr.Button(tr("Save"), size="sm", min_width=80, elem_id="save-hints")
            self.load = gr.UploadButton(tr("Load"), size="sm", min_width=80, file_types=[".json"], elem_id="load-hints")
        self.file = gr.File(visible="hidden", label=tr("Hints"), elem_id="hint-file")

    @property
    def inputs(self) -> list[Any]:
        """The components that are read into ``Controls.drawn``, ``restore_levels`` and ``steps``."""
        return [self.pad.board, self.unfade, *self.sliders]

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`show` sets."""
        return [self.unfade, *self.sliders, self.reference, self.leave]

    def show(self, session: Session, controls: Controls) -> dict[Any, Any]:
        """Show the constraints of a session, but for the pad. Only what has faded can be unfaded."""
        unfade = gr.Checkbox(controls.restore_levels, visible=session.large.levels.fading > 0)
        steps = controls.steps or [STEPS.default] * len(self.sliders)
        reference, leave = _describe(session.reference), gr.Button(visible=session.reference is not None)
        sliders = dict(zip(self.sliders, steps, strict=True))
        return {self.unfade: unfade, **sliders, self.reference: reference, self.leave: leave}

    def connect(self, session: gr.State, seed: gr.Number, drawing: dict[str, Any]) -> None:
        """Let every constraint draw again.

        Args:
            session: the visitor's.
            seed: of the draw.
            drawing: the event that draws.
        """
        quiet: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        board, described = self.pad.board, [session, self.reference, self.leave]
        gr.on([board.input, self.unfade.input, *(slider.release for slider in self.sliders)], **drawing)
        self.reset.click(lambda: [STEPS.default] * len(self.sliders), None, self.sliders, **quiet).then(**drawing)
        uploaded = self.picture.upload(self._refer, [self.picture, session], [self.picture, *described], **COMPUTING)
        uploaded.then(**drawing)
        self.take.click(self._take, session, described, **quiet).then(**drawing)
        self.leave.click(self._leave, session, described, **quiet).then(**drawing)
        board.redraw(self._keep, [session, board], [session, seed], **quiet).then(**drawing)
        self.save.click(self._save, [session, board], self.file, **quiet).then(None, self.file, js=SAVE_FILE)
        self.load.upload(self._load, [self.load, session, board], board, **quiet).then(**drawing)

    def constraints(self, session: Session, controls: Controls) -> Steering:
        """Read the constraints on a photograph from the settings of its controls.

        Raises:
            CinnError: if what was drawn on it does not fit.
        """
        steps: dict[str | int, float] = {
            axis.name: step for axis, step in zip(AXES, controls.steps, strict=True) if step
        }
        drawn = self.pad.read(controls.drawn, session.size)
        region = session.region if drawn.strokes else None
        return Steering(steps, drawn.hints, session.wanted_colours, region, restore_levels=controls.restore_levels)

    def _refer(self, payload: dict[str, Any] | None, session: Session | None) -> list[Any]:
        """Take the colours of a picture; if it has none or cannot be read, say so and leave the rest."""
        if not payload or not payload.get("path") or session is None:
            return [None, gr.skip(), gr.skip(), gr.skip()]
        path = Path(payload["path"])
        try:
            with naming(path):
                colours = ColourReference.of(path)
            return [None, *_with_reference(session, Reference(colours, path.name))]
        except CinnError as error:
            problem = f'{tr(REFERENCE)}<p class="error">{html.escape(tr(error))}</p>'
            return [None, gr.skip(), problem, gr.skip()]

    def _take(self, session: Session | None) -> list[Any]:
        if session is None or not session.colourings:
            return [gr.skip()] * 3
        name = tr("No. {number} of {name}", number=session.chosen + 1, name=session.upload.name)
        colours = ColourReference.of(session.colourings[session.chosen])
        return _with_reference(session, Reference(colours, name, session.folder))

    def _leave(self, session: Session | None) -> list[Any]:
        return _with_reference(session, None) if session else [gr.skip()] * 3

    def _keep(self, session: Session | None, drawn: Any) -> list[Any]:
        """Keep the painted region of the chosen colouring, and choose another seed for the rest."""
        try:
            if session is None or not session.colourings:
                raise CinnError(NO_PHOTOGRAPH)
            strokes = self.pad.read(drawn, session.size).strokes
            if not strokes:
                raise CinnError(NO_STROKES)
            colouring = session.colourings[session.chosen]
            region = Region(colouring.ab, painted_region(strokes, session.size, session.large.size))
            region.check(session.large.size, colouring.ab.shape[1:])
        except CinnError as error:
            warn(error)
            return [gr.skip(), gr.skip()]
        return [dataclasses.replace(session, region=region), random_seed()]

    def _save(self, session: Session | None, drawn: Any) -> str | None:
        try:
            if session is None:
                raise CinnError(NO_PHOTOGRAPH)
            hints = self.pad.read(drawn, session.size).hints
            if hints is None:
                raise CinnError(NO_HINTS)
            path = session.folder / f"{session.upload.stem}-hints.json"
            hints.save(path)
        except CinnError as error:
            warn(error)
            return None
        return str(path)

    def _load(self, payload: dict[str, Any] | None, session: Session | None, drawn: Any) -> Any:
        if not payload or session is None:
            return gr.skip()
        path = Path(payload["path"])
        try:
            with naming(path):
                return to_payload(Hints.load(path).on(session.size), drawn)
        except CinnError as error:
            warn(error)
            return gr.skip()


def _with_reference(session: Session, reference: Reference | None) -> list[Any]:
    """Return the session with a reference, the description of it, and the button that removes it."""
    button = gr.Button(visible=reference is not None)
    return [dataclasses.replace(session, reference=reference), _describe(reference), button]


def _describe(reference: Reference | None) -> str:
    if reference is None:
        return f"{tr(REFERENCE)}<p>{tr(NO_REFERENCE)}</p>"
    colours = "".join(f'<i style="background: {colour}"></i>' for colour in reference.colours.swatches())
    text = tr(FOR_NEXT if reference.origin else FROM, name=html.escape(reference.name))
    return f'{tr(REFERENCE)}<div class="swatches" aria-hidden="true">{colours}</div><p>{text}</p>'
