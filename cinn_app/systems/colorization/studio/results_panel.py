"""The pictures of the colorize tab: four colourings side by side, and the chosen one large and to keep."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import SAVE_FILE, warn
from cinn_app.studio.language import tr
from cinn_app.systems.colorization.studio.controls import Controls
from cinn_app.systems.colorization.studio.details import UNFOLDING, details
from cinn_app.systems.colorization.studio.hint_pad import HintPad
from cinn_app.systems.colorization.studio.pictures import describe, differences, export, gray, paint
from cinn_app.systems.colorization.studio.visits import SAMPLES, Visit

__all__ = ["PICKED", "ResultsPanel"]

#: Which of the four is picked, as the first input: of many events gradio answers the last with the first one's data.
PICKED = """async (_, ...rest) => {
    await new Promise((shown) => setTimeout(shown));
    const four = [...document.querySelectorAll("#colourings .thumbnail-item")];
    return [four.findIndex((one) => one.matches(".selected")), ...rest];
}"""


class ResultsPanel:
    """Lays the pictures out in the page that is being built; the four at once, the large one where it is asked to."""

    def __init__(self) -> None:
        gr.HTML(tr("<h2>Four colourings <small>choose the one you like</small></h2>"))
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
        """Lay out the large picture; the pad shows it, too."""
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
        self.more = gr.HTML(js_on_load=UNFOLDING, elem_id="more")
        self.file = gr.File(visible="hidden", label=tr("Download"), elem_id="file")

    @property
    def shown(self) -> list[Any]:
        """What :meth:`large` and :meth:`before` set."""
        return [self.heading, self.download, self.compare, self.more, self.pad.board]

    def connect(
        self, as_set: Callable[..., tuple[Visit, Controls]], here: Sequence[Any], queued: dict[str, Any]
    ) -> None:
        """Let the button download.

        Args:
            as_set: of what is here, draws what the controls say, should that not have been done yet.
            here: the visitor's state and controls.
            queued: how events are queued.
        """
        self.as_set = as_set
        self.download.click(self._export, here, [self.download, self.file], show_progress="hidden", **queued).then(
            None, self.file, js=SAVE_FILE
        )

    def before(self, visit: Visit, drawn: dict[str, Any] | None) -> dict[Any, Any]:
        """Show a photograph that has no colours yet, and what is drawn on it already."""
        picture = gray(visit)
        return {
            self.gallery: None,
            self.heading: f"<h2>{tr('Before and after')}</h2>",
            self.download: gr.Button(tr("Download"), interactive=False),
            self.compare: (str(picture), str(picture)),
            self.more: "",
            self.pad.board: self.pad.show(visit, picture, value=drawn),
        }

    def four(self, visit: Visit, strength: float) -> dict[Any, Any]:
        """Show the four, small."""
        pictures = [(paint(visit, index, strength), describe(visit, index)) for index in range(SAMPLES)]
        return {self.gallery: gr.Gallery(pictures, selected_index=visit.chosen)}

    def preview(self, visit: Visit, strength: float) -> dict[Any, Any]:
        """Show the chosen one where it stands large, but painted small, and so at once."""
        picture = paint(visit, visit.chosen, strength)
        return {self.compare: (str(gray(visit)), str(picture)), self.pad.board: self.pad.show(visit, picture)}

    def large(self, visit: Visit, strength: float, **value: Any) -> dict[Any, Any]:
        """Show the chosen one, large and on the pad; `value` is as for :meth:`HintPad.show`."""
        picture = paint(visit, visit.chosen, strength, large=True)
        return {
            self.heading: tr(
                "<h2>No. {number} <small>before and after</small></h2>", number=visit.number(visit.chosen)
            ),
            self.download: _button(visit),
            self.compare: (str(gray(visit)), str(picture)),
            self.more: details(visit),
            self.pad.board: self.pad.show(visit, picture, differences(visit), **value),
        }

    def _export(self, visit: Visit | None, *sent: Any) -> Iterator[dict[Any, Any]]:
        """Paint at full size only now, when it is wanted: of a large photograph that takes a while."""
        if visit is None or not visit.colourings:
            yield {self.file: None}
            return
        yield {self.download: gr.Button(tr("Painting at full size …"), interactive=False), self.file: None}
        file = None
        try:
            visit, controls = self.as_set(visit, *sent)
            file = str(export(visit, controls.vividness))
        except CinnError as error:
            warn(error)
        yield {self.download: _button(visit), self.file: file}


def _button(visit: Visit) -> gr.Button:
    return gr.Button(tr("Download No. {number} at full size", number=visit.number(visit.chosen)), interactive=True)
