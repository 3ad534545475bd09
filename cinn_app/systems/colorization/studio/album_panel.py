"""The two strips of pictures in the tab: the visitor's photographs, and earlier draws."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import warn
from cinn_app.studio.language import later, listed, tr
from cinn_app.studio.strip import Entry, Strip
from cinn_app.systems.colorization.studio.album import Album, Snapshot
from cinn_app.systems.colorization.studio.archive import Archive
from cinn_app.systems.colorization.studio.session import Session
from cinn_app.systems.colorization.studio.texts import constraints, failed

__all__ = ["AlbumPanel"]

PHOTOGRAPHS, TRIED = later("Your photographs"), later("Tried before")
ALL, CLEAR = later("Download all"), later("Clear")
COUNTED = later("{count} photographs <small>{coloured} coloured</small>")
PAINTING = later("Painting {number} of {count} …")


class AlbumPanel:
    """Lays the strips out in the page that is being built; each is hidden while it has one picture only."""

    def lay_out_photographs(self) -> None:
        """Lay out the strip of photographs."""
        with gr.Column(visible=False, elem_id="shelf") as self.shelf:
            self.count = gr.HTML()
            self.photographs = Strip(tr(PHOTOGRAPHS), "photographs")
            with gr.Row(elem_id="shelf-buttons"):
                self.all = gr.Button(tr(ALL), size="sm", min_width=150, elem_id="download-all")
                self.clear = gr.Button(tr(CLEAR), size="sm", min_width=70, scale=0, elem_id="clear-photographs")
            self.file = gr.File(visible="hidden", label=tr(ALL), elem_id="all-file")

    def lay_out_history(self) -> None:
        """Lay out the strip of earlier draws."""
        with gr.Column(visible=False, elem_id="tried") as self.tried:
            gr.HTML(f"<h3>{tr(TRIED)}</h3>")
            self.history = Strip(tr(TRIED), "tries")

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`show` sets."""
        return [self.shelf, self.count, self.photographs.box, self.tried, self.history.box]

    def show(self, album: Album, session: Session | None, present: Snapshot | None = None) -> dict[Any, Any]:
        """Show an album, with the present photograph and draw marked."""
        upload = session.upload if session else None
        photographs = [
            Entry(number, one.snapshot.picture if one.snapshot else one.picture, one.upload.name, one.upload == upload)
            for number, one in enumerate(album.photographs)
        ]
        coloured = sum(one.snapshot is not None for one in album.photographs)
        draw = present and present.draw
        history = [
            Entry(number, one.picture, _title(one), one.draw == draw) for number, one in enumerate(album.snapshots)
        ]
        return {
            self.shelf: gr.Column(visible=len(photographs) > 1),
            self.count: f"<h3>{tr(COUNTED, count=len(photographs), coloured=coloured)}</h3>",
            self.photographs.box: self.photographs.show(photographs),
            self.tried: gr.Column(visible=len(history) > 1),
            self.history.box: self.history.show(history[::-1]),
        }

    def write(self, archive: Archive) -> Iterator[tuple[Any, Any, Any]]:
        """Write all photographs into one file; yield the button, the file, and a notice of problems."""
        count = len(archive.album.photographs)
        yield _busy(1, count), None, gr.skip()
        file, problems = None, tuple[CinnError, ...]()
        try:
            for progress in archive.write():
                file, problems = progress.path, progress.problems
                yield _busy(min(progress.done + 1, count), count), None, gr.skip()
        except CinnError as error:
            warn(error)
        yield gr.Button(tr(ALL), interactive=True), file and str(file), failed(problems) if problems else gr.skip()


def _busy(number: int, count: int) -> gr.Button:
    return gr.Button(tr(PAINTING, number=number, count=count), interactive=False)


def _title(snapshot: Snapshot) -> str:
    session, controls = snapshot.session, snapshot.controls
    name = tr(
        "{name}, No. {number}, seed {seed}, variety {variety:g}",
        name=session.upload.name,
        number=session.chosen + 1,
        seed=controls.seed,
        variety=controls.variety,
    )
    return listed([name, *constraints(session)])
