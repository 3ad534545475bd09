"""The panels below the grid of the digits tab: a visitor's own hand, the film from A to B, and a map."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.studio.film import DigitFilm
from cinn_app.systems.digits.studio.hand import OwnHand
from cinn_app.systems.digits.studio.map import DigitMap
from cinn_app.systems.digits.studio.pictures import Setting

__all__ = ["TO_THE_PAD", "DigitPanels"]

#: What the page calls them, and what visitors do; short enough to stand side by side on a telephone.
OWN_HAND, FILM, MAP = "own-hand-panel", "film-panel", "map-panel"
TITLES = {OWN_HAND: later("In your own hand"), FILM: later("Film"), MAP: later("Map")}
#: Follows a link to the pad, which may be behind another panel. Browsers would load the page anew, as its address has
#: settings that the link has not.
TO_THE_PAD = f"""
element.addEventListener("click", (event) => {{
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    document.getElementById("{OWN_HAND}-button")?.click();
    setTimeout(() => document.querySelector(link.getAttribute("href")).scrollIntoView());
}});
"""


class DigitPanels:
    """Lays the panels out in the page that is being built; what only some visitors open is not drawn before.

    Args:
        generator: shared by all visitors, and never changed.
        read: reads the controls of the tab.
        queued: how events are queued.
    """

    def __init__(self, generator: DigitGenerator, read: Callable[..., Setting], queued: dict[str, Any]) -> None:
        self.open = gr.State(OWN_HAND)
        self.quiet: dict[str, Any] = {"show_progress": "hidden", **queued}
        with gr.Tabs(elem_id="digit-panels"):
            with gr.Tab(tr(TITLES[OWN_HAND]), elem_id=OWN_HAND) as hand:
                self.hand = OwnHand(generator, queued)
            with gr.Tab(tr(TITLES[FILM]), elem_id=FILM) as film:
                self.film = DigitFilm(generator, read)
            with gr.Tab(tr(TITLES[MAP]), elem_id=MAP) as map:
                self.map = DigitMap(generator, queued)
        self.tabs = {OWN_HAND: hand, FILM: film, MAP: map}

    def connect(self, chosen: gr.State, wishes: list[Any], way: gr.HTML) -> None:
        """Draw a panel when it is opened.

        Args:
            chosen: numbers of the two digits chosen in the grid.
            wishes: the controls of the tab.
            way: the pictures from one to the other: as long as the film is open, it changes with them.
        """
        self.film.connect(chosen, wishes, self.quiet)
        self.map.follow(self.hand.own, self.quiet)
        opened = {
            name: tab.select(partial(str, name), None, self.open, queue=False, api_visibility="private")
            for name, tab in self.tabs.items()
        }
        opened[FILM].then(self.film.show, [chosen, *wishes], self.film.film, **self.quiet)
        opened[MAP].then(self.map.show, [self.hand.own, *self.map.inputs], self.map.outputs, **self.quiet)
        way.change(self._follow, [self.open, chosen, *wishes], self.film.film, **self.quiet)

    def _follow(self, panel: str, chosen: tuple[int, int], *wishes: Any) -> Any:
        return self.film.show(chosen, *wishes) if panel == FILM else gr.skip()
