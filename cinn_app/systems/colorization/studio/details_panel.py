"""The drawer of figures: how the chosen colouring was made, how likely the model finds it, and files for programs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.axes_panel import AxesPanel
from cinn_app.systems.colorization.studio.exports import CHROMA, LATENTS, OWN_LATENTS, SETTINGS, export_for_programs
from cinn_app.systems.colorization.studio.likelihood import chart, has_own_colours, marks
from cinn_app.systems.colorization.studio.pictures import fingerprint
from cinn_app.systems.colorization.studio.session import AsSet, Session
from cinn_app.systems.colorization.studio.texts import details
from cinn_app.systems.colorization.studio.way_panel import WayPanel

__all__ = ["DetailsPanel"]

EXPORTS = {
    LATENTS: later("Save the latents (NPZ)"),
    OWN_LATENTS: later("Save those of its own colours (NPZ)"),
    CHROMA: later("Save the chroma (NPY)"),
    SETTINGS: later("Save the settings (JSON)"),
}

#: A script that asks for what is wanted once it can be seen, so that nothing waits for figures in a shut drawer.
ON_DEMAND = """
let asked = null;
const ask = () => {
    const { wanted, shown } = props;
    element.toggleAttribute("data-stale", wanted !== shown);
    if (!element.offsetParent || !wanted || wanted === shown || wanted === asked) return;
    asked = wanted;
    trigger("ask");
};
new ResizeObserver(ask).observe(element);
watch(["wanted", "shown"], ask);
ask();
"""


class DetailsPanel:
    """Lays out the figures with :meth:`lay_out`, in the page that is being built, and computes them when they are seen.

    Args:
        colorizer: shared by all visitors.
        as_set: draws what the controls say.
    """

    def __init__(self, colorizer: Colorizer, as_set: AsSet) -> None:
        self.colorizer, self.as_set = colorizer, as_set

    def lay_out(self) -> None:
        """Lay out what is known of the chosen colouring."""
        self.more = gr.HTML(None, js_on_load=ON_DEMAND, elem_id="more", wanted="", shown="")
        self.axes, self.way = AxesPanel(self.colorizer, self.as_set), WayPanel(self.colorizer, self.as_set)
        with gr.Row(elem_id="exports"):
            self.exports = {
                kind: gr.Button(tr(text), size="sm", min_width=120, elem_id=f"export-{kind}")
                for kind, text in EXPORTS.items()
            }
        self.own = self.exports[OWN_LATENTS]
        self.file = gr.File(visible="hidden", label=tr("Download"), elem_id="export-file")

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`expect` and :meth:`clear` set."""
        return [self.more, self.own, self.axes.box, self.way.box]

    def connect(self, state: Sequence[Any], sliders: Sequence[Any], drawing: dict[str, Any]) -> None:
        """Compute what the page asks for, and let the buttons export.

        Args:
            state: the session, the album and the controls.
            sliders: of the axes of colour, in their order.
            drawing: the event that draws.
        """
        quiet: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        self.more.ask(self._fill, state[0], self.more, **quiet)
        self.axes.connect(state, sliders, drawing)
        self.way.connect(state)
        for kind, button in self.exports.items():
            exported = button.click(self._exporting(kind), list(state), [button, self.file], **quiet)
            exported.then(None, self.file, js=SAVE_FILE)

    def expect(self, session: Session, strength: float) -> dict[Any, Any]:
        """Let the page ask for the figures of the chosen colouring, and for ways from it, at a strength of colours."""
        further = {**self.axes.expect(session, strength), **self.way.expect(session, strength)}
        own = {self.own: gr.Button(visible=has_own_colours(session))}
        return {self.more: gr.HTML(wanted=_key(session)), **own, **further}

    def clear(self) -> dict[Any, Any]:
        """Show nothing, of a photograph without colourings."""
        return {self.more: gr.HTML("", wanted="", shown=""), **self.axes.clear(), **self.way.clear()}

    def _fill(self, session: Session | None) -> Any:
        if session is None or not session.colourings:
            return gr.skip()
        return gr.HTML(chart(marks(session, self.colorizer)) + details(session), shown=_key(session))

    def _exporting(self, kind: str) -> Callable[..., Iterator[dict[Any, Any]]]:
        button, text = self.exports[kind], EXPORTS[kind]

        def export_one(session: Session | None, *state: Any) -> Iterator[dict[Any, Any]]:
            if session is None or not session.colourings:
                yield {self.file: None}
                return
            yield {button: gr.Button(tr("Writing the file …"), interactive=False), self.file: None}
            file = None
            try:
                session, controls = self.as_set(session, *state)
                file = str(export_for_programs(kind, session, self.colorizer, controls.vividness))
            except CinnError as error:
                warn(error)
            yield {button: gr.Button(tr(text), interactive=True), self.file: file}

        return export_one


def _key(session: Session) -> str:
    """Name a state of a session, as far as figures depend on it."""
    return f"{session.folder.name}-{fingerprint(session, session.colourings)}-{session.chosen}"
