"""Settings in the page's address: read when it opens, and kept there as they change, so that a link brings them back.

What is as usual is left out; whatever else stands in the address stays.
"""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.context import Context

from cinn_app.studio.widgets.controls import Range

__all__ = ["keep_in_address", "keep_tab_in_address"]

READ = """(...settings) => {
    const names = %(names)s, asked = new URLSearchParams(location.search);
    window.addressRead = true;
    return names.map((name, place) => {
        const number = parseFloat(asked.get(name));
        return Number.isFinite(number) ? number : settings[place];
    });
}"""
# Not at once: browsers refuse an address that changes at every move of a slider.
KEEP = """(...settings) => {
    const names = %(names)s, usual = %(usual)s;
    clearTimeout(window.addressTimer);
    window.addressTimer = setTimeout(() => {
        if (!window.addressRead) return;
        const address = new URL(location);
        names.forEach((name, place) => {
            if (settings[place] === usual[place] || settings[place] == null) address.searchParams.delete(name);
            else address.searchParams.set(name, settings[place]);
        });
        if (address.href !== location.href) history.replaceState(history.state, "", address);
    }, 300);
}"""

OPEN_TAB = """() => {
    window.tabRead = true;
    const known = %(known)s, asked = new URLSearchParams(location.search).get("tab");
    return { __type__: "update", ...(known.includes(asked) && { selected: asked }) };
}"""
# The tab that is open at first says so, too, before the address has been read.
KEEP_TAB = """() => {
    if (!window.tabRead) return;
    const address = new URL(location), usual = %(opened)s === %(usual)s;
    if (usual) address.searchParams.delete("tab");
    else address.searchParams.set("tab", %(opened)s);
    history.replaceState(history.state, "", address);
}"""


def keep_in_address(controls: Mapping[str, tuple[Any, Range]]) -> None:
    """Connect controls of the page that is being built with its address, by their names there."""
    components, ranges = [component for component, _ in controls.values()], [one for _, one in controls.values()]
    scripts = {"names": json.dumps(list(controls)), "usual": json.dumps([one.usual for one in ranges])}
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def read(*settings: Any) -> Any:
        numbers = [one.read(setting) for one, setting in zip(ranges, settings, strict=True)]
        return numbers if len(numbers) > 1 else numbers[0]

    if Context.root_block is not None:  # it is there while a page is being built
        Context.root_block.load(read, components, components, js=READ % scripts, preprocess=False, **quiet)
    gr.on([component.change for component in components], None, components, None, js=KEEP % scripts, **quiet)


def keep_tab_in_address(tabs: gr.Tabs) -> None:
    """Connect the tabs of the page that is being built with its address."""
    known = [tab.id for tab in tabs.children if isinstance(tab, gr.Tab)]
    usual = json.dumps(tabs.selected or known[0])
    for tab in tabs.children:
        if isinstance(tab, gr.Tab):
            script = KEEP_TAB % {"opened": json.dumps(tab.id), "usual": usual}
            tab.select(None, None, None, js=script, queue=False, api_visibility="private")
    if Context.root_block is not None:
        Context.root_block.load(None, None, tabs, js=OPEN_TAB % {"known": json.dumps(known)}, queue=False)
