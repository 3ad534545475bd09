"""The drawer of figures: how the chosen colouring was made, and how likely the model finds it."""

from typing import Any

import gradio as gr

from cinn_app.studio.handlers import COMPUTING
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.likelihood import chart, marks
from cinn_app.systems.colorization.studio.pictures import fingerprint
from cinn_app.systems.colorization.studio.session import Session
from cinn_app.systems.colorization.studio.texts import details

__all__ = ["DetailsPanel"]

#: A script that asks for what is wanted once it can be seen, so that nothing waits for figures in a shut drawer.
ON_DEMAND = """
let asked = null;
const ask = () => {
    const { wanted, shown } = props;
    element.classList.toggle("stale", wanted !== shown);
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
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer

    def lay_out(self) -> None:
        """Lay out what is known of the chosen colouring."""
        self.more = gr.HTML(None, js_on_load=ON_DEMAND, elem_id="more", wanted="", shown="")

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`expect` and :meth:`clear` set."""
        return [self.more]

    def connect(self, session: gr.State) -> None:
        """Compute what the page asks for."""
        self.more.ask(self._fill, session, self.more, show_progress="hidden", **COMPUTING)

    def expect(self, session: Session) -> dict[Any, Any]:
        """Let the page ask for the figures of the chosen colouring."""
        return {self.more: gr.HTML(wanted=_key(session))}

    def clear(self) -> dict[Any, Any]:
        """Show nothing, of a photograph without colourings."""
        return {self.more: gr.HTML("", wanted="", shown="")}

    def _fill(self, session: Session | None) -> Any:
        if session is None or not session.colourings:
            return gr.skip()
        return gr.HTML(chart(marks(session, self.colorizer)) + details(session), shown=_key(session))


def _key(session: Session) -> str:
    """Name a state of a session, as far as figures depend on it."""
    return f"{session.folder.name}-{fingerprint(session.colourings)}-{session.chosen}"
