"""The way from the chosen colouring to another one, through the latent space: a row of pictures, one of them large.

It may end at the own colours of a colour photograph, too. The page asks for a way with ``to``, the index of the other
colouring; that of the own colours follows the last one. An answer is of a state, which it names; the page
asks again if that is not the present one.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import COMPUTING, served, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.likelihood import OWN, encode_own_colours, has_own_colours
from cinn_app.systems.colorization.studio.pictures import fingerprint, save_preview
from cinn_app.systems.colorization.studio.session import AsSet, Session
from cinn_app.systems.colorization.studio.texts import words

__all__ = ["WayPanel", "way"]

#: Pictures on the way, both ends included.
STEPS = 7
LEAD = later("From the chosen colouring to")
SCRIPT = """
const one = (selector) => element.querySelector(selector), ends = one(".ends"), picture = one(".between");
const slider = one("input"), steps = [...element.querySelectorAll(".steps button")];
let to = null, asked = null;
const goal = () => `${props.wanted}>${to}`;
const move = (at) => {
    slider.value = at;
    steps.forEach((step, place) => step.setAttribute("aria-pressed", String(place === at)));
    picture.src = props.pictures[at].url;
};
const ask = () => {
    const { wanted, names = [], chosen, shown, pictures = [] } = props, done = shown === goal();
    if (!wanted || to === chosen) to = null;
    element.toggleAttribute("data-none", !wanted);
    one(".walk").hidden = to === null;
    element.toggleAttribute("data-stale", !done);
    ends.replaceChildren(...names.map((name, index) => {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", textContent: name, disabled: index === chosen });
        button.setAttribute("aria-pressed", String(index === to));
        button.dataset.to = index;
        return button;
    }));
    if (done && to !== null && picture.dataset.of !== shown) {
        picture.dataset.of = shown;
        steps.forEach((step, place) => { step.firstChild.src = pictures[place].url; });
        move(Number(slider.value));
    }
    if (to === null || done || asked === goal() || !element.offsetParent) return;
    asked = goal();
    props.value = to;
    trigger("walk");
};
ends.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    to = Number(button.dataset.to);
    asked = null;
    ask();
    ends.querySelector(`[data-to="${to}"]`)?.focus();
});
slider.addEventListener("input", () => move(Number(slider.value)));
one(".steps").addEventListener("click", (event) => {
    const step = event.target.closest("button");
    if (step) move(steps.indexOf(step));
});
new ResizeObserver(ask).observe(element);
watch(["wanted", "shown", "names", "chosen"], ask);
ask();
"""


class WayPanel:
    """Lays the way out in the page that is being built, and computes it when it is asked for.

    Args:
        colorizer: shared by all visitors.
        as_set: draws what the controls say.
    """

    def __init__(self, colorizer: Colorizer, as_set: AsSet) -> None:
        self.colorizer, self.as_set = colorizer, as_set
        self.box = gr.HTML(
            None,
            html_template=_markup(),
            js_on_load=SCRIPT,
            elem_id="way",
            **_state(),
            pictures=[],
            shown="",
        )

    def connect(self, state: Sequence[Any]) -> None:
        """Compute what the page asks for, from the session, the album and the controls."""
        self.box.walk(self._walk, [self.box, *state], self.box, show_progress="hidden", **COMPUTING)

    def expect(self, session: Session, strength: float) -> dict[Any, Any]:
        """Let the page ask for ways from the chosen colouring."""
        names = [f"{number} {word}" for number, word in enumerate(words(session), start=1)]
        names += [tr(OWN)] * has_own_colours(session)
        return {self.box: gr.HTML(**_state(_key(session, strength), names, session.chosen))}

    def clear(self) -> dict[Any, Any]:
        """Show nothing, of a photograph without colourings."""
        return {self.box: gr.HTML(**_state())}

    def _walk(self, to: Any, session: Session | None, *state: Any) -> Any:
        if session is None or not session.colourings or to == session.chosen:
            return gr.skip()
        if to not in range(len(session.colourings) + has_own_colours(session)):
            return gr.skip()
        try:
            session, controls = self.as_set(session, *state)
            pictures = way(session, self.colorizer, to, controls.vividness)
        except CinnError as error:
            warn(error)
            return gr.skip()
        return gr.HTML(pictures=[served(path) for path in pictures], shown=f"{_key(session, controls.vividness)}>{to}")


def way(session: Session, colorizer: Colorizer, to: int, strength: float, count: int = STEPS) -> list[Path]:
    """Paint the way from the chosen colouring of a session to another one, both ends included.

    Args:
        session: with colourings.
        colorizer: that made them.
        to: index of the other one, or of the own colours behind the last one.
        strength: factor of the chroma.
        count: of the pictures, at least 2.

    Raises:
        CinnError: if a picture cannot be written, or the photograph's file has been deleted.
    """
    chosen = session.colourings[session.chosen]
    four = session.colourings
    ends = [chosen, four[to] if to < len(four) else encode_own_colours(session, colorizer)]
    name = f"{fingerprint(session, ends)}-{strength:g}"
    paths = [session.folder / f"{name}-way-{number}-of-{count}.jpg" for number in range(1, count + 1)]
    if not all(path.exists() for path in paths):
        encoded = session.encoded or colorizer.encode_photograph(session.large, session.inputs)
        coded = colorizer.encode_chroma(encoded, torch.stack([end.ab for end in ends]))
        first, second = (dataclasses.replace(end, code=one.code) for end, one in zip(ends, coded, strict=True))
        for path, colouring in zip(paths, colorizer.interpolate(first, second, count, encoded), strict=True):
            save_preview(path, colouring.on(session.small).render(strength), session.small.alpha)
    return paths


def _key(session: Session, strength: float) -> str:
    """Name a state of a session, as far as ways from it depend on it."""
    return f"{session.folder.name}-{fingerprint(session, session.colourings)}-{session.chosen}-{strength:g}"


def _state(wanted: str = "", names: Sequence[str] = (), chosen: int = 0) -> dict[str, Any]:
    return {"wanted": wanted, "names": list(names), "chosen": chosen}


def _markup() -> str:
    steps = "".join(
        f'<button type="button" aria-label="{tr("Step {number} of {count}", number=number, count=STEPS)}">'
        f'<img alt=""></button>'
        for number in range(1, STEPS + 1)
    )
    return f"""<div class="lead"><span>{tr(LEAD)}</span><div class="ends"></div></div>
<div class="walk" hidden>
  <img class="between" alt="{tr("A colouring on the way")}">
  <input type="range" min="0" max="{STEPS - 1}" value="{STEPS // 2}" aria-label="{tr("Place on the way")}">
  <div class="steps">{steps}</div>
</div>"""
