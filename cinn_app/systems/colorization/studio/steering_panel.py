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
from cinn_app.systems.colorization.studio.album import Album
from cinn_app.systems.colorization.studio.session import STEPS, Controls, Reference, Session
from cinn_app.systems.colorization.studio.stage import Stage, drawn_on, to_payload

__all__ = ["SteeringPanel"]

#: Labels of the sliders, by the names of the axes: those beside the picture, and those among the details.
TOOLS = {"warmer": later("Warm"), "greener": later("Green")}
FURTHER = {"more vivid": later("Vivid, of what is plausible"), "more varied": later("Varied")}
OTHER_COLOURS = later("Another picture's colours")
FOR_NEXT, FROM = later("As in this colouring"), later("As in {name}")
NO_PHOTOGRAPH = later("There is no photograph yet: upload one first.")
NO_HINTS = later("There are no hints to save yet: click on the picture and choose a colour first.")
NO_STROKES = later("No region is painted yet: paint over what is right first.")
#: A script: the picture that lends its colours, with a button to take it off and a box to use it for all photographs.
CHIP = """
const send = (value) => {
    props.value = value;
    trigger("input");
};
element.addEventListener("click", (event) => {
    if (event.target.closest(".take-off")) send("off");
});
element.addEventListener("change", (event) => send(event.target.checked ? "all" : "one"));
"""


class SteeringPanel:
    """Lays the panel out in the page that is being built, and handles its events."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.unfade = gr.Checkbox(label=tr("Remove fading"), visible=False, elem_id="unfade")
        with gr.Row(elem_id="tool-axes"):
            self._sliders = {name: STEPS.slider(step=0.1, label=tr(label), buttons=[]) for name, label in TOOLS.items()}
        self.chip = gr.HTML(
            None, html_template="${words}", js_on_load=CHIP, visible=False, elem_id="reference", words=""
        )
        with gr.Row(elem_id="borrowing"):
            self.picture = gr.UploadButton(
                tr(OTHER_COLOURS), size="sm", min_width=100, file_types=["image"], elem_id="reference-picture"
            )
            self.take = gr.Button(tr("Use these for all"), size="sm", min_width=100, elem_id="take-reference")

    def lay_out_details(self) -> None:
        """Lay out what few visitors need."""
        with gr.Row(equal_height=False, elem_id="further-axes"):
            self._sliders |= {name: STEPS.slider(step=0.1, label=tr(label)) for name, label in FURTHER.items()}
        with gr.Row(elem_id="hint-files"):
            self.reset = gr.Button(tr("Reset the sliders"), size="sm", min_width=120, elem_id="reset-axes")
            self.save = gr.Button(tr("Save the hints"), size="sm", min_width=120, elem_id="save-hints")
            self.load = gr.UploadButton(
                tr("Load hints"), size="sm", min_width=120, file_types=[".json"], elem_id="load-hints"
            )
        self.file = gr.File(visible="hidden", label=tr("Hints"), elem_id="hint-file")

    @property
    def sliders(self) -> list[gr.Slider]:
        """The sliders, in the order of the axes."""
        return [self._sliders[axis.name] for axis in AXES]

    @property
    def inputs(self) -> list[Any]:
        """The components that are read into ``Controls.drawn``, ``restore_levels`` and ``steps``."""
        return [self.stage.board, self.unfade, *self.sliders]

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`show` sets."""
        return [self.unfade, *self.sliders, self.chip]

    def show(self, session: Session, album: Album, controls: Controls) -> dict[Any, Any]:
        """Show the constraints of a session, but for the stage. Only what has faded can be unfaded."""
        unfade = gr.Checkbox(controls.restore_levels, visible=session.large.levels.fading > 0)
        steps = controls.steps or [STEPS.default] * len(self.sliders)
        sliders = dict(zip(self.sliders, steps, strict=True))
        return {self.unfade: unfade, **sliders, self.chip: _chip(session, album)}

    def connect(
        self, session: gr.State, album: gr.State, timer: gr.Timer, seed: gr.Number, drawing: dict[str, Any]
    ) -> None:
        """Let every constraint draw again.

        Args:
            session, album: the visitor's.
            timer: of the work on the photographs that are not in view.
            seed: of the draw.
            drawing: the event that draws.
        """
        quiet: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        board, state = self.stage.board, [session, album]
        described = [*state, self.chip, timer]
        gr.on([board.input, self.unfade.input, *(slider.release for slider in self.sliders)], **drawing)
        self.reset.click(lambda: [STEPS.default] * len(self.sliders), None, self.sliders, **quiet).then(**drawing)
        uploaded = self.picture.upload(self._refer, [self.picture, *state], [self.picture, *described], **quiet)
        uploaded.then(**drawing)
        self.take.click(self._take, state, described, **quiet)
        self.chip.input(self._refer_to, [self.chip, *state], described, **quiet).then(**drawing)
        board.redraw(self._keep, [session, board], [session, seed], **quiet).then(**drawing)
        self.save.click(self._save, [session, board], self.file, **quiet).then(None, self.file, js=SAVE_FILE)
        self.load.upload(self._load, [self.load, session, board], board, **quiet)  # the page sends it back as a change

    def constraints(self, session: Session, controls: Controls) -> Steering:
        """Read the constraints on a photograph from the settings of its controls.

        Raises:
            CinnError: if what was drawn on it does not fit.
        """
        steps: dict[str | int, float] = {
            axis.name: step for axis, step in zip(AXES, controls.steps, strict=True) if step
        }
        drawn = self.stage.read(controls.drawn, session.size)
        region = session.region if drawn.strokes else None
        return Steering(steps, drawn.hints, session.wanted_colours, region, restore_levels=controls.restore_levels)

    def _refer(self, payload: Any, session: Session | None, album: Album | None) -> list[Any]:
        """Take the colours of a picture; if it has none or cannot be read, say so and leave the rest."""
        if not payload or session is None or album is None:
            return [None, *[gr.skip()] * 4]
        path = Path((payload[0] if isinstance(payload, list) else payload)["path"])
        try:
            with naming(path):
                colours = ColourReference.of(path)
        except CinnError as error:
            warn(error)
            return [None, *[gr.skip()] * 4]
        session = dataclasses.replace(session, reference=Reference(colours, path.name))
        album = album.with_reference(None)
        return [None, *_described(session, album)]

    def _take(self, session: Session | None, album: Album | None) -> list[Any]:
        """Let all other photographs take on the colours of the chosen colouring."""
        if session is None or album is None or not session.colourings:
            return [gr.skip()] * 4
        colours = ColourReference.of(session.colourings[session.chosen])
        reference = Reference(colours, session.upload.name, session.folder)
        session = dataclasses.replace(session, reference=reference)
        album = album.with_reference(reference)
        return _described(session, album)

    def _refer_to(self, wanted: Any, session: Session | None, album: Album | None) -> list[Any]:
        """Let this photograph alone, all photographs or none take on the colours that are lent."""
        if session is None or album is None:
            return [gr.skip()] * 4
        if wanted == "off":
            session = dataclasses.replace(session, reference=None)
        album = album.with_reference(session.reference if wanted == "all" else None)
        return _described(session, album)

    def again(self, session: Session | None, drawn: Any) -> list[Any]:
        """Choose another seed; what is painted over stays as it is in the chosen colouring."""
        painted = session is not None and (drawn_on(session, drawn) or {}).get("keep")
        return self._keep(session, drawn) if painted else [gr.skip(), random_seed()]

    def _keep(self, session: Session | None, drawn: Any) -> list[Any]:
        """Keep the painted region of the chosen colouring, and choose another seed for the rest."""
        try:
            if session is None or not session.colourings:
                raise CinnError(NO_PHOTOGRAPH)
            strokes = self.stage.read(drawn_on(session, drawn), session.size).strokes
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
            hints = self.stage.read(drawn_on(session, drawn), session.size).hints
            if hints is None:
                raise CinnError(NO_HINTS)
            path = session.folder / f"{session.upload.stem}-hints.json"
            hints.save(path)
        except CinnError as error:
            warn(error)
            return None
        return str(path)

    def _load(self, payload: Any, session: Session | None, drawn: Any) -> Any:
        if not payload or session is None:
            return gr.skip()
        path = Path(payload["path"])
        try:
            with naming(path):
                hints = to_payload(Hints.load(path).on(session.size), drawn_on(session, drawn))
                return {**hints, "loaded": session.folder.name}
        except CinnError as error:
            warn(error)
            return gr.skip()


def _described(session: Session, album: Album) -> list[Any]:
    """Return the state, the picture that lends its colours, and whether photographs wait for them."""
    return [session, album, _chip(session, album), gr.Timer(active=bool(album.waiting))]


def _chip(session: Session, album: Album) -> gr.HTML:
    words = _describe(session, album.reference)
    return gr.HTML(words=words, visible=session.reference is not None)


def _describe(session: Session, of_all: Reference | None) -> str:
    reference = session.reference
    if reference is None:
        return ""
    colours = "".join(f'<i style="background: {colour}"></i>' for colour in reference.colours.swatches())
    text = tr(FOR_NEXT if reference.origin == session.folder else FROM, name=html.escape(reference.name))
    checked = "checked" if of_all else ""
    return (
        f'<div class="swatches" aria-hidden="true">{colours}</div><span title="{text}">{text}</span>'
        f'<label><input type="checkbox" {checked}>{tr("for all")}</label>'
        f'<button type="button" class="take-off" aria-label="{tr("Take these colours off")}">&times;</button>'
    )
