"""A strip of small pictures to choose from with a click or the Enter key, and to remove; one is the present one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from cinn_app.studio.handlers import served

__all__ = ["Entry", "Strip"]

MARKUP = '<div class="entries" role="group" aria-label="${label}"></div>'
SCRIPT = """
const list = element.querySelector(".entries");
const make = () => {
    const entry = document.createElement("div");
    entry.className = "entry";
    entry.innerHTML = '<button type="button" class="choose"><img alt=""><i></i></button>'
        + '<button type="button" class="remove">&times;</button>';
    return entry;
};
const fill = (place, entry) => {
    const [choose, remove] = place.children, image = choose.firstChild;
    choose.dataset.key = remove.dataset.key = entry.key;
    choose.title = entry.title;
    choose.setAttribute("aria-label", entry.ticked ? `${entry.title} (${props.ticked})` : entry.title);
    choose.setAttribute("aria-current", entry.present);
    choose.setAttribute("aria-busy", entry.key === awaited);
    choose.classList.toggle("ticked", entry.ticked);
    remove.title = props.remove;
    remove.setAttribute("aria-label", `${props.remove}: ${entry.title}`);
    image.hidden = !entry.picture;
    if (entry.picture && image.getAttribute("src") !== entry.picture.url) image.src = entry.picture.url;
};
let present = null, awaited = null;
const show = () => {  // reuses the buttons: one that is pressed or has the focus must stay
    const entries = props.entries ?? [];
    if (props.answered === awaited || !entries.some((one) => one.key === awaited && !one.present)) awaited = null;
    while (list.children.length > entries.length) list.lastChild.remove();
    while (list.children.length < entries.length) list.append(make());
    entries.forEach((entry, index) => fill(list.children[index], entry));
    const now = list.querySelector("[aria-current=true]"), key = now?.dataset.key;
    if (now && key !== present)
        list.scrollLeft = now.parentElement.offsetLeft - (list.clientWidth - now.offsetWidth) / 2;
    present = key;
};
list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const entry = props.entries.find((one) => one.key === button.dataset.key);
    if (button.matches(".remove")) {
        if (entry?.ticked && !window.confirm(props.question)) return;
    } else {  // the server may take seconds to open it
        awaited = entry && !entry.present ? entry.key : null;
        props.answered = null;
        for (const one of list.querySelectorAll(".choose")) {
            one.setAttribute("aria-current", one === button);
            one.setAttribute("aria-busy", one.dataset.key === awaited);
        }
    }
    // Of several events gradio handles the last with the first one's data, and a value when it is this one's turn.
    const name = button.matches(".remove") ? "delete" : "select";
    props.value = { ...props.value, [name]: button.dataset.key };
    if (name === "delete") list.querySelector("[aria-current=true]")?.focus();
    trigger(name);
});
watch(["entries"], show);
show();
"""
STYLE = """
.entries { position: relative; display: flex; gap: 8px; padding: 4px; overflow-x: auto; scrollbar-width: thin; }
.entry { position: relative; flex: none; }
button { padding: 0; border: none; background: none; cursor: pointer; }
.choose { display: block; min-width: 54px; min-height: 54px; border-radius: 5px;
    background: var(--background-fill-secondary); outline: 2px solid transparent; outline-offset: 2px; }
.choose:is(:hover, :focus-visible) { outline-color: var(--neutral-400); }
.choose[aria-current=true] { outline-color: var(--color-accent); }
.choose i { display: none; position: absolute; bottom: 3px; left: 3px; width: 18px; height: 18px; border-radius: 50%;
    background: var(--button-primary-background-fill); color: white; font: 12px/18px sans-serif; text-align: center; }
.choose.ticked i { display: block; }
.choose i::before { content: "✓"; }
.remove { position: absolute; top: -3px; right: -3px; width: 20px; height: 20px; border-radius: 50%; opacity: 0;
    background: rgb(0 0 0 / 70%); color: white; font: 15px/20px sans-serif; }
.remove::after { position: absolute; inset: -6px; content: ""; }
.entry:is(:hover, :focus-within) .remove { opacity: 1; }
@media (hover: none) {
    .entry:has([aria-current=true]) .remove { opacity: 1; }
    .entry:not(:has([aria-current=true])) .remove { display: none; }
}
img { display: block; width: auto; height: 54px; max-width: 100px; margin: 0; border-radius: 5px; object-fit: cover;
    background: var(--background-fill-secondary); }
"""


class Entry(NamedTuple):
    """A picture of the strip.

    Attributes:
        key: the value of the strip when it is chosen. It stays that of this picture, wherever it moves: before the
            click is answered, another picture may be gone.
        picture: its file; None leaves its place empty.
        title: its name.
        present: whether it is the present one.
        ticked: whether it has a tick.
    """

    key: str
    picture: Path | None
    title: str
    present: bool
    ticked: bool = False


class Strip:
    """Lays the strip out in the page that is being built.

    Its `box` has the events `select` and `delete`, and as its value the last key of each, for :meth:`key`.

    Args:
        label: of the strip, for screen readers.
        remove: of the buttons that remove a picture.
        ticked: what a tick means.
        question: asked before a picture with a tick is removed.
        elem_id: in the page.
    """

    def __init__(self, label: str, remove: str, ticked: str, question: str, elem_id: str) -> None:
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
            remove=remove,
            ticked=ticked,
            question=question,
            answered=None,
        )

    @staticmethod
    def key(value: Any, event: str) -> Any:
        """Return the key that an event means, from the value of the strip; None without any."""
        return value.get(event) if isinstance(value, dict) else None

    def show(self, entries: Sequence[Entry], answered: str | None = None) -> gr.HTML:
        """Replace the pictures.

        Args:
            entries: the new ones.
            answered: key of the picture whose choice this answers, if it is not the present one for all that.
        """
        shown = [{**entry._asdict(), "picture": entry.picture and served(entry.picture)} for entry in entries]
        return gr.HTML(entries=shown, answered=answered) if answered else gr.HTML(entries=shown)
