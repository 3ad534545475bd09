"""The two strips of the colorize tab: the photographs that a visitor has given, and what has been tried."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import warn
from cinn_app.studio.language import listed, tr
from cinn_app.studio.strip import Entry, Strip
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.controls import Controls
from cinn_app.systems.colorization.studio.details import wishes
from cinn_app.systems.colorization.studio.history import Album, Moment
from cinn_app.systems.colorization.studio.notice import failed
from cinn_app.systems.colorization.studio.packing import pack
from cinn_app.systems.colorization.studio.steering_panel import SteeringPanel
from cinn_app.systems.colorization.studio.texts import ALL, COUNTED, PACKING, PHOTOGRAPHS, STARTED_OVER, TRIED
from cinn_app.systems.colorization.studio.visits import Visit

__all__ = ["AlbumPanel"]


class AlbumPanel:
    """Lays the strips out in the page that is being built; both are hidden while there is nothing to go back to."""

    def lay_out_photographs(self) -> None:
        """Lay out the strip of photographs."""
        with gr.Column(visible=False, elem_id="shelf") as self.shelf:
            self.count = gr.HTML()
            self.photographs = Strip(tr(PHOTOGRAPHS), "photographs")
            with gr.Row(elem_id="shelf-buttons"):
                self.all = gr.Button(tr(ALL), size="sm", min_width=150, elem_id="download-all")
                self.clear = gr.Button(tr(STARTED_OVER), size="sm", min_width=70, scale=0, elem_id="clear-photographs")
            self.file = gr.File(visible="hidden", label=tr(ALL), elem_id="all-file")

    def lay_out_tries(self) -> None:
        """Lay out the strip of what has been tried."""
        with gr.Column(visible=False, elem_id="tried") as self.tried:
            gr.HTML(f"<h3>{tr(TRIED)}</h3>")
            self.tries = Strip(tr(TRIED), "tries")

    @property
    def outputs(self) -> list[Any]:
        """What :meth:`show` sets."""
        return [self.shelf, self.count, self.photographs.box, self.tried, self.tries.box]

    def show(self, album: Album, visit: Visit | None, present: Moment | None = None) -> dict[Any, Any]:
        """Show an album, with the photograph and the draw that are being looked at marked."""
        upload = visit.upload if visit else None
        photographs = [
            Entry(
                number,
                sheet.moment.picture if sheet.moment else sheet.picture,
                sheet.upload.name,
                sheet.upload == upload,
            )
            for number, sheet in enumerate(album.sheets)
        ]
        coloured = sum(sheet.moment is not None for sheet in album.sheets)
        draw = present and present.draw
        tries = [
            Entry(number, moment.picture, _title(moment), moment.draw == draw)
            for number, moment in enumerate(album.tries)
        ]
        return {
            self.shelf: gr.Column(visible=len(photographs) > 1),
            self.count: f"<h3>{tr(COUNTED, count=len(photographs), coloured=coloured)}</h3>",
            self.photographs.box: self.photographs.show(photographs),
            self.tried: gr.Column(visible=len(tries) > 1),
            self.tries.box: self.tries.show(tries[::-1]),
        }

    def pack(
        self, album: Album, visit: Visit | None, controls: Controls, colorizer: Colorizer, steering: SteeringPanel
    ) -> Iterator[tuple[Any, Any, Any]]:
        """Paint all of them into one file; give the button, the file, and a notice of those that cannot be painted."""
        count = len(album.sheets)
        yield _busy(1, count), None, gr.skip()
        file, problems = None, tuple[str, ...]()
        try:
            for packing in pack(
                album,
                colorizer,
                controls,
                visit.reference if visit else None,
                lambda one, set_to: steering.wish(one, set_to.drawn, *set_to.steps),
            ):
                file, problems = packing.path, packing.problems
                yield _busy(min(packing.done + 1, count), count), None, gr.skip()
        except CinnError as error:
            warn(error)
        yield gr.Button(tr(ALL), interactive=True), file and str(file), failed(problems) if problems else gr.skip()


def _busy(number: int, count: int) -> gr.Button:
    return gr.Button(tr(PACKING, number=number, count=count), interactive=False)


def _title(moment: Moment) -> str:
    visit, controls = moment.visit, moment.controls
    name = tr(
        "{name}, No. {number}, seed {seed}, variety {variety:g}",
        name=visit.upload.name,
        number=visit.number(visit.chosen),
        seed=controls.seed,
        variety=controls.variety,
    )
    return listed([name, *wishes(visit)])
