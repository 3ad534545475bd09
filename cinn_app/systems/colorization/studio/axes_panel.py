"""Rows of small pictures along the axes of colour: what a step does to the chosen colouring, and a click takes it.

The page asks for them once they are unfolded. An answer names the state that it is of.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.imaging import shrink_photograph
from cinn_app.studio.handlers import COMPUTING, QUIET, served, warn
from cinn_app.studio.language import tr
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.studio.pictures import fingerprint, save_preview
from cinn_app.systems.colorization.studio.session import AsSet, Session

__all__ = ["ALONG", "AxesPanel", "strips"]

#: Steps along an axis, in standard deviations of the draws.
ALONG = (-2, -1, 0, 1, 2)
#: Longer side in pixels of a picture.
SIDE = 240
SCRIPT = """
const fold = element.querySelector("details"), buttons = [...element.querySelectorAll("button")];
let asked = null;
const ask = () => {
    const { wanted, shown, pictures = [], steps = [] } = props, done = wanted === shown;
    element.toggleAttribute("data-none", !wanted);
    element.toggleAttribute("data-stale", !done);
    buttons.forEach((button, place) => {
        if (done && pictures[place]) button.querySelector("img").src = pictures[place].url;
        const { axis, step } = button.dataset;
        button.setAttribute("aria-pressed", String(steps[axis] === Number(step)));
    });
    if (!fold.open || !element.offsetParent || !wanted || done || asked === wanted) return;
    asked = wanted;
    trigger("unfold");
};
fold.addEventListener("toggle", () => {
    asked = null;
    ask();
});
fold.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    props.value = { axis: Number(button.dataset.axis), step: Number(button.dataset.step) };
    trigger("take");
});
new ResizeObserver(ask).observe(element);
watch(["wanted", "shown", "steps"], ask);
ask();
"""
#: A script: the slider of the axis goes to the step that was clicked.
TAKE = "({ axis, step }, ...steps) => steps.map((one, number) => number === axis ? step : one)"


class AxesPanel:
    """Lays the rows out in the page that is being built, and computes them when they are asked for.

    Args:
        colorizer: shared by all visitors.
        as_set: draws what the controls say.
    """

    def __init__(self, colorizer: Colorizer, as_set: AsSet) -> None:
        self.colorizer, self.as_set = colorizer, as_set
        self.box = gr.HTML(
            None, html_template=_markup(), js_on_load=SCRIPT, elem_id="axis-strips", **_state(), pictures=[], shown=""
        )

    def connect(self, state: Sequence[Any], sliders: Sequence[Any], drawing: dict[str, Any]) -> None:
        """Compute what the page asks for, and let a click draw.

        Args:
            state: the session, the album and the controls.
            sliders: of the axes, in their order.
            drawing: the event that draws.
        """
        self.box.unfold(self._unfold, list(state), self.box, show_progress="hidden", **COMPUTING)
        taken = self.box.take(None, [self.box, *sliders], list(sliders), js=TAKE, **QUIET)
        taken.then(**drawing)

    def expect(self, session: Session, strength: float) -> dict[Any, Any]:
        """Let the page ask for the rows of the chosen colouring."""
        axes = session.colourings[session.chosen].settings.get("axes", {})
        steps = [axes.get(axis.name, 0.0) for axis in AXES]
        return {self.box: gr.HTML(**_state(_key(session, strength), steps))}

    def clear(self) -> dict[Any, Any]:
        """Show nothing, of a photograph without colourings."""
        return {self.box: gr.HTML(**_state())}

    def _unfold(self, session: Session | None, *state: Any) -> Any:
        if session is None or not session.colourings:
            return gr.skip()
        try:
            session, controls = self.as_set(session, *state)
            pictures = strips(session, self.colorizer, controls.vividness)
        except CinnError as error:
            warn(error)
            return gr.skip()
        return gr.HTML(pictures=[served(path) for path in pictures], shown=_key(session, controls.vividness))


def strips(session: Session, colorizer: Colorizer, strength: float) -> list[Path]:
    """Paint the chosen colouring of a session with other steps along one axis each, small, axis by axis.

    Args:
        session: with colourings.
        colorizer: that made them.
        strength: factor of the chroma.

    Raises:
        CinnError: if a picture cannot be written.
    """
    chosen, photograph = session.colourings[session.chosen], shrink_photograph(session.small, SIDE)
    present, paths, missing = chosen.settings.get("axes", {}), [], dict[Path, Steering]()
    for moved in AXES:
        for step in ALONG:
            steps = {axis.name: step if axis is moved else present.get(axis.name, 0) for axis in AXES}
            steering = dataclasses.replace(chosen.steering, axes={name: step for name, step in steps.items() if step})
            drawn = {name: value for name, value in chosen.settings.items() if name not in chosen.steering.settings()}
            wanted = dataclasses.replace(chosen, settings={**drawn, **steering.settings()})
            paths.append(session.folder / f"{fingerprint(session, [wanted])}-{strength:g}-tiny.jpg")
            if not paths[-1].exists():
                missing[paths[-1]] = steering
    if missing:
        encoded = session.encoded or colorizer.encode_photograph(session.large, session.inputs)
        made = colorizer.steer(chosen, list(missing.values()), encoded)
        for path, colouring in zip(missing, made, strict=True):
            save_preview(path, colouring.on(photograph).render(strength), photograph.alpha)
    return paths


def _key(session: Session, strength: float) -> str:
    """Name a state of a session, as far as the rows depend on it."""
    chosen = session.colourings[session.chosen]
    return f"{session.folder.name}-{fingerprint(session, [chosen])}-{strength:g}"


def _state(wanted: str = "", steps: Sequence[float] = ()) -> dict[str, Any]:
    return {"wanted": wanted, "steps": list(steps)}


def _markup() -> str:
    rows = []
    for number, axis in enumerate(AXES):
        steps = "".join(
            f'<button type="button" data-axis="{number}" data-step="{step}"><img alt=""><span>{_signed(step)}</span>'
            f"</button>"
            for step in ALONG
        )
        name = tr(axis.name)
        rows.append(f'<div class="axis" role="group" aria-label="{name}"><b>{name}</b><div>{steps}</div></div>')
    return f"<details><summary>{tr('Along the axes')}</summary>{''.join(rows)}</details>"


def _signed(step: int) -> str:
    return f"{step:+d}".replace("-", "\N{MINUS SIGN}") if step else "0"
