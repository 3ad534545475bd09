"""A strip of small pictures to choose from with a click or the Enter key; one of them is the present one."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from cinn_app.studio.handlers import served

__all__ = ["Entry", "Strip"]

MARKUP = '<div class="entries" role="group" aria-label="${label}"></div>'
SCRIPT = """
const list = element.querySelector(".entries");
const fill = (button, entry) => {
    const image = button.firstChild ?? button.appendChild(document.createElement("img"));
    button.type = "button";
    button.dataset.number = entry.number;
    button.title = entry.title;
    button.setAttribute("aria-label", entry.title);
    button.setAttribute("aria-current", entry.present);
    if (image.getAttribute("src") !== entry.picture.url) image.src = entry.picture.url;
    image.alt = "";
};
const show = () => {  // reuses the buttons: one that is pressed or has the focus must stay
    const entries = props.entries ?? [];
    while (list.children.length > entries.length) list.lastChild.remove();
    while (list.children.length < entries.length) list.append(document.createElement("button"));
    entries.forEach((entry, index) => fill(list.children[index], entry));
    const present = list.querySelector("[aria-current=true]");
    if (present) list.scrollTop = present.offsetTop - (list.clientHeight - present.offsetHeight) / 2;
};
list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    props.value = Number(button.dataset.number);  // of several events gradio handles the last with the first one's data
    trigger("select");
});
watch(["entries"], show);
show();
"""
STYLE = """
.entries { position: relative; display: flex; flex-wrap: wrap; gap: 8px; max-height: 212px; padding: 4px;
    overflow-y: auto; scrollbar-width: thin; }
button { flex: none; padding: 0; border: none; border-radius: 5px; background: none; cursor: pointer;
    outline: 2px solid transparent; outline-offset: 2px; }
button:is(:hover, :focus-visible) { outline-color: var(--neutral-400); }
button[aria-current=true] { outline-color: var(--color-accent); }
img { display: block; width: auto; height: 56px; max-width: 112px; margin: 0; border: 1px solid
    var(--border-color-primary); border-radius: 5px; object-fit: cover;
    background: var(--background-fill-secondary); }
"""


class Entry(NamedTuple):
    """A picture of the strip: its number, its file, its title, and whether it is the present one."""

    number: int
    picture: Path
    title: str
    present: bool


class Strip:
    """Lays the strip out in the page that is being built; its `box` has an event `select` and a number as its value."""

    def __init__(self, label: str, elem_id: str) -> None:
        self.box = gr.HTML(
            None,
            label=label,
            html_template=MARKUP,
            css_template=STYLE,
            js_on_load=SCRIPT,
            elem_id=elem_id,
            padding=False,
            apply_default_css=False,
            entries=[],
        )

    def show(self, entries: Sequence[Entry]) -> gr.HTML:
        """Replace the pictures."""
        return gr.HTML(entries=[{**entry._asdict(), "picture": served(entry.picture)} for entry in entries])
