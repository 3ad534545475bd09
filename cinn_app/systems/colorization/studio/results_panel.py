"""The pictures in the tab: four colourings side by side, and the chosen one large and to download."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, warn
from cinn_app.studio.language import tr
from cinn_app.systems.colorization.studio.hint_pad import HintPad
from cinn_app.systems.colorization.studio.pictures import export, gray, paint, uncertainty_map
from cinn_app.systems.colorization.studio.session import SAMPLES, Controls, Session
from cinn_app.systems.colorization.studio.texts import UNFOLD, caption, details

__all__ = ["PICKED", "ResultsPanel"]

#: A script that sends the index of the picked colouring as the first input. Of several events in a row, gradio handles
#: the last one with the data of the first one, but with its own inputs.
PICKED = """async (_, ...rest) => {
    await new Promise((shown) => setTimeout(shown));
    const four = [...document.querySelectorAll("#colourings .thumbnail-item")];
    return [four.findIndex((one) => one.matches(".selected")), ...rest];
}"""


class ResultsPanel:
    """Lays the four pictures out in the page that is being built, and the large one with :meth:`lay_out_chosen`."""

    def __init__(self) -> None:
        gr.HTML(tr("<h2>Four colourings <small>the best first; choose the one you like</small></h2>"))
        self.gallery = gr.Gallery(
            label=tr("Four colourings"),
            show_label=False,
            columns=SAMPLES,
            height="auto",
            object_fit="contain",
            allow_preview=False,
            buttons=[],
            interactive=False,
            elem_id="colourings",
        )
        self.picked = gr.Number(visible=False)

    def lay_out_chosen(self, pad: HintPad) -> None:
        """Lay out the large picture, which the pad shows, too."""
        self.pad = pad
        with gr.Row(elem_id="chosen"):
            self.heading = gr.HTML(elem_id="heading")
            self.download = gr.Button(tr("Download"), variant="primary", min_width=240, scale=0, elem_id="download")
        self.compare = gr.ImageSlider(
            label=tr("Before and after"),
            show_label=False,
            interactive=False,
            buttons=["fullscreen"],
            max_height=640,
            elem_id="compare",
        )
        self.more = gr.HTML(js_on_load=UNFOLD, elem_id="more")
        self.file = gr.File(visible="hidden", label=tr("Download"), elem_id="file")

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`large` and :meth:`before` set."""
        return [self.heading, self.download, self.compare, self.more, self.pad.board]

    def connect(self, as_set: Callable[..., tuple[Session, Controls]], state: Sequence[Any]) -> None:
        """Let the button download.

        Args:
            as_set: from the state, draws what the controls say if that is still to be done.
            state: the session, the album and the controls.
        """
        self.as_set = as_set
        outputs = [self.download, self.file]
        exported = self.download.click(self._export, state, outputs, show_progress="hidden", **COMPUTING)
        exported.then(None, self.file, js=SAVE_FILE)

    def before(self, session: Session, drawn: dict[str, Any] | None) -> dict[Any, Any]:
        """Show a photograph that has no colours yet, with what is already drawn on it."""
        picture = gray(session)
        return {
            self.gallery: None,
            self.heading: f"<h2>{tr('Before and after')}</h2>",
            self.download: gr.Button(tr("Download"), interactive=False),
            self.compare: (str(picture), str(picture)),
            self.more: "",
            self.pad.board: self.pad.show(session, picture, value=drawn),
        }

    def four(self, session: Session, strength: float) -> dict[Any, Any]:
        """Show the four colourings, small."""
        pictures = [(paint(session, index, strength), caption(session, index)) for index in range(SAMPLES)]
        return {self.gallery: gr.Gallery(pictures, selected_index=session.chosen)}

    def preview(self, session: Session, strength: float) -> dict[Any, Any]:
        """Show the chosen colouring in place of the large picture, painted small to be quick."""
        picture = paint(session, session.chosen, strength)
        return {self.compare: (str(gray(session)), str(picture)), self.pad.board: self.pad.show(session, picture)}

    def large(self, session: Session, strength: float, **value: Any) -> dict[Any, Any]:
        """Show the chosen colouring large and on the pad; `value` is as for :meth:`HintPad.show`."""
        picture, number = paint(session, session.chosen, strength, large=True), session.chosen + 1
        return {
            self.heading: tr("<h2>No. {number} <small>before and after</small></h2>", number=number),
            self.download: _button(session),
            self.compare: (str(gray(session)), str(picture)),
            self.more: details(session),
            self.pad.board: self.pad.show(session, picture, uncertainty_map(session), **value),
        }

    def _export(self, session: Session | None, *state: Any) -> Iterator[dict[Any, Any]]:
        """Paint at full resolution, which takes a while for a large photograph."""
        if session is None or not session.colourings:
            yield {self.file: None}
            return
        yield {self.download: gr.Button(tr("Painting at full size …"), interactive=False), self.file: None}
        file = None
        try:
            session, controls = self.as_set(session, *state)
            file = str(export(session, controls.vividness))
        except CinnError as error:
            warn(error)
        yield {self.download: _button(session), self.file: file}


def _button(session: Session) -> gr.Button:
    return gr.Button(tr("Download No. {number} at full size", number=session.chosen + 1), interactive=True)
