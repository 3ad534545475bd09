"""The map of the digits tab: a plane of handwritings to click on, and the digits of the place that was clicked."""

import dataclasses
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator, Restyled
from cinn_app.systems.digits.studio.markup import picture, row
from cinn_app.systems.digits.studio.planes import COUNT, REACH, Plane

__all__ = ["DigitMap"]

LEAD = later("""
<p>Two ways in which handwritings differ, laid out as a map around the middle of all handwritings. Click anywhere, or
drag, or move with the arrow keys, and see the handwriting of that place.</p>
""")
HINT = later("Map of handwritings: arrow keys move the place, Home brings it to the middle")
YOURS = later("where the hand lies that you have drawn")
# The middles of the outermost digits are at the reach; half a digit is beyond.
ROOM = REACH * COUNT / (COUNT - 1)
# The value is the place; the marker is drawn from it, so that it moves before the server has answered.
CHART = f"""
<div class="chart"><span class="up">${{up}} \N{RIGHTWARDS ARROW}</span>
<div class="plane" tabindex="0" role="application" aria-label="${{hint}}"><div class="ink">${{picture}}</div>${{yours}}
<span class="marker here"
  style="left: ${{50 + 50 * value[0] / {ROOM}}}%; top: ${{50 - 50 * value[1] / {ROOM}}}%"></span>
</div><span class="across">${{across}} \N{RIGHTWARDS ARROW}</span>${{legend}}</div>
"""
# The place goes along as the value rather than with the event: of many events in a row gradio answers the last one
# with what the first one said.
GOING = f"""
const bounded = (step) => Math.min(Math.max(step, -{REACH}), {REACH});
const go = (across, up) => {{
    props.value = [bounded(across), bounded(up)];
    trigger("input");
}};
const point = (event) => {{
    const plane = event.target.closest(".plane");
    if (!plane) return;
    const {{ left, top, width, height }} = plane.getBoundingClientRect();
    go({ROOM} * (2 * (event.clientX - left) / width - 1), {ROOM} * (1 - 2 * (event.clientY - top) / height));
}};
element.addEventListener("click", point);
element.addEventListener("pointermove", (event) => event.pointerType !== "touch" && event.buttons & 1 && point(event));
element.addEventListener("keydown", (event) => {{
    const moves = {{ ArrowLeft: [-0.25, 0], ArrowRight: [0.25, 0], ArrowDown: [0, -0.25], ArrowUp: [0, 0.25] }};
    if (!event.target.closest(".plane") || !(event.key in moves || event.key === "Home")) return;
    event.preventDefault();
    const [across, up] = props.value, move = moves[event.key];
    if (move) go(across + move[0], up + move[1]);
    else go(0, 0);
}});
"""


class DigitMap:
    """Lays the map out in the page that is being built, and answers what visitors do there.

    Args:
        generator: shared by all visitors, and never changed.
        queued: how its events are queued.
    """

    def __init__(self, generator: DigitGenerator, queued: dict[str, Any]) -> None:
        self.generator = generator
        first = Plane()
        names = [(tr(axis.name), number) for number, axis in enumerate(generator.axes(), start=1)]
        self.plane = gr.State(first)
        gr.HTML(tr(LEAD), elem_classes="panel-lead")
        with gr.Row(elem_id="map-row", equal_height=False):
            self.map = gr.HTML(
                list(first.place),
                html_template=CHART,
                js_on_load=GOING,
                scale=6,
                min_width=300,
                elem_id="map",
                **_chart(first, generator, None, drawn=False),
            )
            with gr.Column(scale=5, min_width=300, elem_id="map-side"):
                self.digit = gr.Radio(
                    [(str(digit), digit) for digit in range(10)],
                    value=first.label,
                    label=tr("Digit"),
                    elem_id="map-digit",
                    elem_classes="chips",
                )
                with gr.Row(elem_id="map-axes"):
                    self.across = gr.Dropdown(names, value=first.across, label=tr("To the right"), filterable=False)
                    self.up = gr.Dropdown(names, value=first.up, label=tr("Upwards"), filterable=False)
                self.here = gr.HTML("", elem_id="here")
        quiet: dict[str, Any] = {"show_progress": "hidden", **queued}
        #: What :meth:`show` takes, but for the visitor's own handwriting, and gives.
        self.inputs = [self.plane, self.digit, self.across, self.up]
        self.outputs = [self.plane, self.across, self.up, self.map, self.here]
        self.map.input(self._go, [self.plane, self.map], [self.plane, self.here], **quiet)

    def follow(self, own: gr.State, quiet: dict[str, Any]) -> None:
        """Draw the map anew as its controls are set; `own` holds what the visitor has drawn, a `Restyled` or None."""
        # A drop-down list tells twice that something was chosen, and once that it is something else.
        turned = [self.digit.input, self.across.change, self.up.change]
        gr.on(turned, self._turn, [own, *self.inputs], self.outputs, **quiet)

    def show(self, own: Restyled | None, plane: Plane, label: Any, across: Any, up: Any) -> list[Any]:
        """Draw the map, and the digits of the place on it."""
        try:
            plane = dataclasses.replace(plane.turned(int(across), int(up)), label=int(label))
            chart = gr.HTML(list(plane.place), **_chart(plane, self.generator, own))
            return [plane, plane.across, plane.up, chart, self._write(plane)]
        except CinnError as error:
            warn(error)
            return [gr.skip()] * len(self.outputs)

    def _turn(self, own: Restyled | None, plane: Plane, label: Any, across: Any, up: Any) -> list[Any]:
        """Show what the controls say, unless that is shown already: lists that are set by the answer ask again."""
        shown = (plane.label, plane.across, plane.up) == (label, across, up)
        return [gr.skip()] * len(self.outputs) if shown else self.show(own, plane, label, across, up)

    def _go(self, plane: Plane, place: Any) -> tuple[Plane, str]:
        plane = plane.at(*place)
        return plane, self._write(plane)

    def _write(self, plane: Plane) -> str:
        images, names = plane.write(self.generator), plane.names(self.generator)
        told = "".join(
            f"<dt>{tr(name)}</dt><dd>{_signed(step)}</dd>" for name, step in zip(names, plane.place, strict=True)
        )
        large = picture(images[plane.label], tr("The digit {digit} at this place", digit=plane.label))
        return (
            f'<div class="place"><div class="ink large">{large}</div><dl>{told}</dl></div>'
            f"{tr('<h3>All ten in this hand</h3>')}{row(images, [str(digit) for digit in range(10)])}"
        )


def _chart(plane: Plane, generator: DigitGenerator, own: Restyled | None, drawn: bool = True) -> dict[str, Any]:
    """Fill the chart with its axes' names, its digits if wanted, and a marker where the visitor's own hand lies."""
    names = dict(zip(("across", "up"), map(tr, plane.names(generator)), strict=True), hint=tr(HINT))
    digits = picture(plane.draw(generator)) if drawn else ""
    if own is None:
        return {**names, "picture": digits, "yours": "", "legend": ""}
    across, up = plane.project(generator, own.latent)
    place = f"left: {50 + 50 * across / ROOM:.3f}%; top: {50 - 50 * up / ROOM:.3f}%"
    yours = f'<span class="marker yours" style="{place}"></span>'
    return {**names, "picture": digits, "yours": yours, "legend": f'<span class="key">{tr(YOURS)}</span>'}


def _signed(step: float) -> str:
    """Write a step with its sign, and nothing as 0."""
    return "0" if round(step, 1) == 0 else f"{step:+.1f}".replace("-", "\N{MINUS SIGN}")
