"""Four colourings to choose from, side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import COMPUTING, warn
from cinn_app.studio.language import tr
from cinn_app.systems.colorization.studio.details_panel import DetailsPanel
from cinn_app.systems.colorization.studio.download_menu import DownloadMenu
from cinn_app.systems.colorization.studio.pictures import gray, paint, uncertainty_map
from cinn_app.systems.colorization.studio.session import SAMPLES, Controls, Session
from cinn_app.systems.colorization.studio.stage import Pictures, Stage, States
from cinn_app.systems.colorization.studio.texts import words

__all__ = ["PICKED", "ResultsPanel"]

#: A script that sends the index of the picked colouring as the first input. Of several events in a row, gradio handles
#: the last one with the data of the first one, but with its own inputs. `head.html` notes what is clicked: an answer to
#: an earlier click may have moved the mark since.
PICKED = "(_, ...rest) => [window.picked, ...rest]"


class ResultsPanel:
    """Lays out, in the page that is being built, the four pictures, and with :meth:`lay_out_download` a menu.

    Args:
        stage: shows the chosen one.
        details: say how it was made, in a drawer of their own.
    """

    def __init__(self, stage: Stage, details: DetailsPanel) -> None:
        self.stage, self.details = stage, details
        self.gallery = gr.Gallery(
            label=tr("Four colourings"),
            show_label=False,
            columns=2,
            height="auto",
            object_fit="contain",
            allow_preview=False,
            buttons=[],
            interactive=False,
            elem_id="colourings",
        )
        self.picked = gr.Number(visible=False)
        with gr.Row(elem_id="more-colourings"):
            self.dice = gr.Button(tr("Four more"), min_width=100, elem_id="dice")
            self.compare = gr.Button(tr("Compare two"), min_width=100, elem_id="compare")

    def lay_out_download(self) -> None:
        """Lay out the menu of downloads."""
        self.menu = DownloadMenu()

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`large` and :meth:`before` set."""
        return [self.menu.box, *self.details.outputs, self.stage.board]

    def connect(self, as_set: Callable[..., tuple[Session, Controls]], state: Sequence[Any]) -> None:
        """Let the button compare.

        Args:
            as_set: from the state, draws what the controls say if that is still to be done.
            state: the session, the album and the controls.
        """
        self.as_set = as_set
        quiet: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        self.compare.click(self._compare, list(state), self.stage.board, **quiet)

    def before(self, session: Session, drawn: dict[str, Any] | None, states: States) -> dict[Any, Any]:
        """Show a photograph that has no colours yet, with what is already drawn on it and its earlier states."""
        return {
            self.gallery: None,
            **self.menu.enable(False),
            **self.details.clear(),
            self.stage.board: self.stage.show(session, Pictures(gray(session), drawn=drawn, states=states), True),
        }

    def four(self, session: Session, strength: float, chosen: bool = True) -> dict[Any, Any]:
        """Show the four colourings, small, and by default which of them is chosen.

        An answer to what has not changed the choice leaves the mark where it is: a click may have moved it since.
        """
        names = words(session)
        pictures = [(paint(session, index, strength), names[index]) for index in range(SAMPLES)]
        return {self.gallery: gr.Gallery(pictures, selected_index=session.chosen) if chosen else gr.Gallery(pictures)}

    def mark(self, session: Session) -> dict[Any, Any]:
        """Show which of the four is chosen."""
        return {self.gallery: gr.Gallery(selected_index=session.chosen)}

    def preview(self, session: Session, strength: float) -> dict[Any, Any]:
        """Show the chosen colouring in place of the large picture, painted small to be quick."""
        return {self.stage.board: self.stage.show(session, Pictures(paint(session, session.chosen, strength)))}

    def large(
        self, session: Session, controls: Controls, snapshot: int | None, states: States = (), opened: bool = False
    ) -> dict[Any, Any]:
        """Show the chosen colouring large.

        Args:
            session: with four colourings.
            controls: their settings.
            snapshot, states: see :class:`Pictures`.
            opened: as for :meth:`Stage.show`.
        """
        picture = paint(session, session.chosen, controls.vividness, large=True)
        pictures = Pictures(picture, uncertainty_map(session), snapshot, controls.drawn, states)
        return {
            **self.menu.enable(True),
            **self.details.expect(session, controls.vividness),
            self.stage.board: self.stage.show(session, pictures, opened),
        }

    def _compare(self, session: Session | None, album: Any, *state: Any) -> Any:
        """Show the chosen colouring beside another one."""
        if session is None or not session.colourings:
            return gr.skip()
        try:
            session, controls = self.as_set(session, album, *state)
            four = [paint(session, index, controls.vividness, large=True) for index in range(SAMPLES)]
        except CinnError as error:
            warn(error)
            return gr.skip()
        named = list(zip(words(session), four, strict=True))
        return self.stage.show(session, Pictures(four[session.chosen], four=named))
