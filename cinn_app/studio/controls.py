"""Numbers that visitors set, and their copy in the page's address.

gradio's boxes let through whatever is typed, and its own preprocessing then raises an error. So events that take
numbers have ``preprocess=False``, and a :class:`Range` reads what arrives.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr

from cinn_app.limits import MAX_SEED
from cinn_app.studio.gradio_workarounds import page_being_built

__all__ = ["SEEDS", "Range", "keep_in_address", "keep_tab_in_address"]

CORRECTING: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}
# All of it in the browser alone: an answer of the server may arrive after the visitor has typed something else.
CORRECT = """(number) => {
    const { minimum, maximum, initial, whole } = %(control)s;
    if (typeof number !== "number" || Number.isNaN(number)) return initial;
    const nearest = Math.min(Math.max(number, minimum), maximum), shown = whole ? Math.round(nearest) : nearest;
    return shown === number ? undefined : shown;  // undefined changes nothing: the visitor may be moving it again
}"""
READ_ADDRESS = """(...settings) => {
    const controls = %(controls)s, query = new URLSearchParams(location.search);
    window.addressRead = true;
    const numbers = controls.map(({ name, minimum, maximum, whole }, place) => {
        const number = parseFloat(query.get(name));
        if (Number.isNaN(number)) return settings[place];
        const nearest = Math.min(Math.max(number, minimum), maximum);
        return whole ? Math.round(nearest) : nearest;
    });
    return numbers.length > 1 ? numbers : numbers[0];
}"""
# With a delay: browsers refuse an address that changes at every move of a slider.
WRITE_ADDRESS = """(...settings) => {
    const controls = %(controls)s;
    clearTimeout(window.addressTimer);
    window.addressTimer = setTimeout(() => {
        if (!window.addressRead) return;
        const address = new URL(location);
        controls.forEach(({ name, initial }, place) => {
            if (settings[place] === initial || settings[place] == null) address.searchParams.delete(name);
            else address.searchParams.set(name, settings[place]);
        });
        if (address.href !== location.href) history.replaceState(history.state, "", address);
    }, 300);
}"""
OPEN_TAB = """() => {
    window.tabRead = true;
    const known = %(known)s, wanted = new URLSearchParams(location.search).get("tab");
    return { __type__: "update", ...(known.includes(wanted) && { selected: wanted }) };
}"""
# The tab that is open at first is selected, too, before the address has been read.
WRITE_TAB = """() => {
    if (!window.tabRead) return;
    const address = new URL(location);
    if (%(opened)s === %(first)s) address.searchParams.delete("tab");
    else address.searchParams.set("tab", %(opened)s);
    history.replaceState(history.state, "", address);
}"""


class Range(NamedTuple):
    """The range of a control.

    Attributes:
        minimum: the lowest number.
        maximum: the highest number.
        default: its first setting, and the meaning of an empty box.
        whole: whether only whole numbers are allowed.
    """

    minimum: float
    maximum: float
    default: float
    whole: bool = False

    def read(self, payload: Any) -> float:
        """Return the nearest number in range to what a control has sent, or the default if that is no number."""
        if not isinstance(payload, int | float) or math.isnan(payload):
            return self.default
        number = min(max(payload, self.minimum), self.maximum)
        return math.floor(number + 0.5) if self.whole else number

    def slider(self, **options: Any) -> gr.Slider:
        """Lay out a slider, with gradio's options. Once a visitor has set it, its number is brought into range."""
        slider = gr.Slider(self.minimum, self.maximum, self.default, **options)
        slider.release(None, slider, slider, js=self._correction, **CORRECTING)
        return slider

    def box(self, **options: Any) -> gr.Number:
        """Lay out a box alone, otherwise as :meth:`slider`."""
        box = gr.Number(self.default, minimum=self.minimum, maximum=self.maximum, **options)
        gr.on([box.submit, box.blur], None, box, box, js=self._correction, **CORRECTING)
        return box

    @property
    def in_browser(self) -> dict[str, float]:
        """The range as scripts of the page take it."""
        return {"minimum": self.minimum, "maximum": self.maximum, "initial": self.default, "whole": self.whole}

    @property
    def _correction(self) -> str:
        return CORRECT % {"control": json.dumps(self.in_browser)}


#: The seeds of every tab.
SEEDS = Range(0, MAX_SEED, 0, whole=True)


def keep_in_address(controls: Mapping[str, tuple[Any, Range]]) -> None:
    """Keep controls in the address of the page that is being built, so that a link brings the settings back.

    Defaults are left out, and everything else in the address stays.

    Args:
        controls: component and range by their names in the address.
    """
    components = [component for component, _ in controls.values()]
    described = [{"name": name, **one.in_browser} for name, (_, one) in controls.items()]
    scripts = {"controls": json.dumps(described)}
    page_being_built().load(None, components, components, js=READ_ADDRESS % scripts, **CORRECTING)
    script = WRITE_ADDRESS % scripts
    gr.on([component.change for component in components], None, components, None, js=script, **CORRECTING)


def keep_tab_in_address(page: gr.Blocks, tabs: gr.Tabs, names: Sequence[str], first: str | None = None) -> None:
    """Keep the open tab in the address of the page.

    Args:
        page: that is being built.
        tabs: whose tabs have these names as their ids.
        names: in the order of the tabs.
        first: the tab that is open without any in the address; by default the first one.
    """
    usual = json.dumps(first or names[0])
    for tab, name in zip(tabs.children, names, strict=True):
        script = WRITE_TAB % {"opened": json.dumps(name), "first": usual}
        tab.select(None, None, None, js=script, queue=False, api_visibility="private")  # type: ignore[attr-defined]
    page.load(None, None, tabs, js=OPEN_TAB % {"known": json.dumps(list(names))}, queue=False)
