"""The strip of the visitor's photographs."""

from typing import Any

import gradio as gr

from cinn_app.studio.language import later, tr
from cinn_app.studio.strip import Entry, Strip
from cinn_app.systems.colorization.studio.album import Album
from cinn_app.systems.colorization.studio.album_store import REMEMBER, AlbumStore
from cinn_app.systems.colorization.studio.session import Session

__all__ = ["ASK", "REALLY", "AlbumPanel"]

PHOTOGRAPHS, CLEAR = later("Your photographs"), later("Remove all")
COUNTED = later("{coloured} of {count} coloured")
SECONDS_LEFT, MINUTES_LEFT = later("less than a minute left"), later("about {minutes} min left")
#: Seconds of remaining work from which the time left is said, and what the latest photograph counts in their average.
LONG, LATEST = 15, 0.3
REALLY = later("Remove all photographs and their colours? The files on your computer stay.")
REMOVE_ONE = later("Remove this photograph and what you have chosen for it? The file on your computer stays.")
#: A script that asks first.
ASK = "(_, ...rest) => [window.confirm({question}), ...rest]"


class AlbumPanel:
    """Lays the strip out in the page that is being built.

    Attributes:
        album: the visitor's.
        store: of the albums of all visitors.
        pace: seconds that a photograph took in the background, on average.
    """

    pace = 0.0

    def __init__(self) -> None:
        self.album, self.store = gr.State(None), AlbumStore()
        self.key = gr.HTML(None, js_on_load=REMEMBER, visible="hidden", elem_id="album-key")
        self.photographs = Strip(tr(PHOTOGRAPHS), tr("Remove"), tr("decided"), tr(REMOVE_ONE), "photographs")
        with gr.Column(scale=0, min_width=130, visible=False, elem_id="shelf") as self.shelf:
            self.count = gr.HTML(elem_id="count")
            self.clear = gr.Button(tr(CLEAR), size="sm", min_width=70, elem_id="clear-photographs")
        self.sure = gr.Checkbox(visible=False)

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`show` sets."""
        return [self.album, self.key, self.shelf, self.count, self.photographs.box]

    def keep(self, album: Album, session: Session | None) -> dict[Any, Any]:
        """Keep an album, for this page and for one that is loaded in its place."""
        self.store.keep(album, session.upload if session else None)
        return {self.album: album, self.key: album.key}

    def show(self, album: Album, session: Session | None, answered: str | None = None) -> dict[Any, Any]:
        """Keep and show an album, with the present photograph marked; `answered` as for :meth:`Strip.show`."""
        upload = session.upload if session else None
        photographs = [
            Entry(
                one.key,
                one.snapshot.picture if one.snapshot else one.picture,
                one.upload.name,
                one.upload == upload,
                one.decided,
            )
            for one in album.photographs
        ]
        waiting = len(album.waiting)
        coloured, left = len(photographs) - waiting, waiting * self.pace
        count = [tr(COUNTED, count=len(photographs), coloured=coloured)]
        if left > LONG:
            count.append(tr(MINUTES_LEFT, minutes=round(left / 60)) if left >= 60 else tr(SECONDS_LEFT))
        return {
            **self.keep(album, session),
            self.shelf: gr.Column(visible=len(photographs) > 1),
            self.count: "<br>".join(count),
            self.photographs.box: self.photographs.show(photographs, answered),
        }

    def note_pace(self, seconds: float) -> None:
        """Note how long a photograph took."""
        self.pace += LATEST * (seconds - self.pace) if self.pace else seconds
