"""The map panel of the digits tab: a plane of handwritings, and all ten digits at the place that was clicked."""

import dataclasses
import math
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.limits import MAX_STEP
from cinn_app.studio.handlers import COMPUTING, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator, Restyled
from cinn_app.systems.digits.images import digit_sheet
from cinn_app.systems.digits.studio.markup import picture, row

__all__ = ["SIDE", "MapPanel", "Plane"]

LEAD = later("""
<p>Two axes of the handwriting, as a map around the average handwriting. Click, drag or press the arrow keys to see the
handwriting at a place.</p>
""")
KEYS = later("Map of handwritings: arrow keys move the place, Home returns to the middle")
#: Digits along each side of the map.
SIDE = 9
# How far the map goes: the middles of the outermost digits are at the greatest step.
EXTENT = MAX_STEP * SIDE / (SIDE - 1)
# The value is the place on the map. The marker is drawn from it, so it moves before the server has answered.
CHART = f"""
<div class="chart"><span class="up">${{up}} \N{RIGHTWARDS ARROW}</span>
<div class="plane" tabindex="0" role="application" aria-label="${{hint}}"><div class="ink">${{picture}}</div>${{yours}}
<span class="marker here"
  style="left: ${{50 + 50 * value[0] / {EXTENT}}}%; top: ${{50 - 50 * value[1] / {EXTENT}}}%"></span>
</div><span class="across">${{across}} \N{RIGHTWARDS ARROW}</span>${{legend}}</div>
"""
# The place is sent as the value, not with the event: gradio answers the last of many events with the data of the first.
MOVING = f"""
const bounded = (step) => Math.min(Math.max(step, -{MAX_STEP}), {MAX_STEP});
const go = (across, up) => {{
    props.value = [bounded(across), bounded(up)];
    trigger("input");
}};
const point = (event) => {{
    const plane = event.target.closest(".plane");
    if (!plane) return;
    const {{ left, top, width, height }} = plane.getBoundingClientRect();
    go({EXTENT} * (2 * (event.clientX - left) / width - 1), {EXTENT} * (1 - 2 * (event.clientY - top) / height));
}};
// A click is lost where the map is drawn between press and release. A finger may press to scroll.
element.addEventListener("click", point);
for (const name of ["pointerdown", "pointermove"])
    element.addEventListener(name, (event) => event.pointerType !== "touch" && event.buttons & 1 && point(event));
element.addEventListener("keydown", (event) => {{
    const moves = {{ ArrowLeft: [-0.25, 0], ArrowRight: [0.25, 0], ArrowDown: [0, -0.25], ArrowUp: [0, 0.25] }};
    if (!event.target.closest(".plane") || !(event.key in moves || event.key === "Home")) return;
    event.preventDefault();
    const [across, up] = props.value, move = moves[event.key];
    if (move) go(across + move[0], up + move[1]);
    else go(0, 0);
}});
"""


@dataclasses.dataclass(frozen=True)
class Plane:
    """Two axes through the average handwriting, and a place on the plane that they span.

    Attributes:
        across: number of the axis to the right, from 1.
        up: number of the axis upwards.
        label: the digit shown.
        place: steps along both, in standard deviations.
    """

    across: int = 1
    up: int = 2
    label: int = 5
    place: tuple[float, float] = (0.0, 0.0)

    def with_axes(self, across: int, up: int) -> "Plane":
        """Choose other axes, with the place in the middle. Choosing the axis of the other direction swaps both."""
        if across == up:
            across, up = (across, self.across) if across != self.across else (self.up, up)
        return self if (across, up) == (self.across, self.up) else Plane(across, up, self.label)

    def at(self, across: Any, up: Any) -> "Plane":
        """Move to the place on the map that is nearest to a given one; what is no number counts as 0."""
        return dataclasses.replace(self, place=(_bounded(across), _bounded(up)))

    def draw(self, generator: DigitGenerator) -> Tensor:
        """Draw the digit all over the plane, the upper edge first: uint8, one picture ``(9 * 28, 9 * 28)``.

        Raises:
            CinnError: if an axis or the digit is unknown.
        """
        steps = torch.linspace(-MAX_STEP, MAX_STEP, SIDE).tolist()
        middle = generator.draw(1, temperature=0)[0]
        latents = generator.lattice(middle, [self.up, self.across], steps).flip(0)
        images = generator.decode(latents.flatten(0, 1), self.label).unflatten(0, (SIDE, SIDE))
        return torch.from_numpy(digit_sheet(images, scale=1, gap=0))

    def write(self, generator: DigitGenerator) -> Tensor:
        """Write all ten digits in the handwriting of the place: uint8, ``(10, 28, 28)``; raises as :meth:`draw`."""
        across, up = self.place
        latents = generator.move(generator.draw(1, temperature=0), {self.across: across, self.up: up})
        return generator.all_ten(latents)[0]

    def names(self, generator: DigitGenerator) -> tuple[str, str]:
        """Return the names of the axes, across and up."""
        axes = generator.axes()
        return axes[self.across - 1].name, axes[self.up - 1].name

    def project(self, generator: DigitGenerator, latent: Tensor) -> tuple[float, float]:
        """Return the place of a handwriting, ``(784,)``, at the edge if it is beyond the map."""
        steps = generator.project(latent).tolist()
        return _bounded(steps[self.across - 1]), _bounded(steps[self.up - 1])


class MapPanel:
    """Lays out the map in the page that is being built, and answers visitors.

    Args:
        generator: shared by all visitors.

    Attributes:
        inputs, outputs: of :meth:`show`, whose first input is the state of the visitor's drawing.
    """

    def __init__(self, generator: DigitGenerator) -> None:
        self.generator = generator
        first = Plane()
        names = [(tr(axis.name), number) for number, axis in enumerate(generator.axes(), start=1)]
        self.plane = gr.State(first)
        gr.HTML(tr(LEAD), elem_classes="panel-lead")
        with gr.Row(elem_id="map-row", equal_height=False):
            self.map = gr.HTML(
                list(first.place),
                html_template=CHART,
                js_on_load=MOVING,
                scale=6,
                min_width=300,
                elem_id="map",
                **self._chart(first, None, drawn=False),
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
        self.inputs = [self.plane, self.digit, self.across, self.up]
        self.outputs = [self.plane, self.across, self.up, self.map, self.here]
        self.map.input(self._move, [self.plane, self.map], [self.plane, self.here], show_progress="hidden", **COMPUTING)

    def connect(self, own: gr.State) -> None:
        """Draw the map when its controls are set; `own` has the visitor's drawing, a :class:`Restyled` or None."""
        # Two events per choice: a drop-down list that is set by an answer has changed, too.
        events = [self.digit.input, self.across.change, self.up.change]
        gr.on(events, self._choose, [own, *self.inputs], self.outputs, show_progress="hidden", **COMPUTING)

    def show(self, own: Restyled | None, plane: Plane, label: Any, across: Any, up: Any) -> list[Any]:
        """Draw the map, and the digits at its place."""
        try:
            before, plane = plane, dataclasses.replace(plane.with_axes(int(across), int(up)), label=int(label))
            # The page may have moved the marker meanwhile, and says so next.
            moved: dict[str, Any] = {"value": list(plane.place)} if plane.place != before.place else {}
            chart = gr.HTML(**moved, **self._chart(plane, own))
            return [plane, plane.across, plane.up, chart, self._write(plane)]
        except CinnError as error:
            warn(error)
            return [gr.skip()] * len(self.outputs)

    def _choose(self, own: Restyled | None, plane: Plane, label: Any, across: Any, up: Any) -> list[Any]:
        """Show the choice, unless it is shown already: lists that an answer has set ask again."""
        shown = (plane.label, plane.across, plane.up) == (label, across, up)
        return [gr.skip()] * len(self.outputs) if shown else self.show(own, plane, label, across, up)

    def _move(self, plane: Plane, place: Any) -> tuple[Plane, str]:
        plane = plane.at(*place)
        return plane, self._write(plane)

    def _write(self, plane: Plane) -> str:
        images, names = plane.write(self.generator), plane.names(self.generator)
        steps = "".join(
            f"<dt>{tr(name)}</dt><dd>{_signed(step)}</dd>" for name, step in zip(names, plane.place, strict=True)
        )
        large = picture(images[plane.label], tr("The digit {digit} at this place", digit=plane.label))
        return (
            f'<div class="place"><div class="ink large">{large}</div><dl>{steps}</dl></div>'
            f"{tr('<h3>All ten in this handwriting</h3>')}{row(images, [str(digit) for digit in range(10)])}"
        )

    def _chart(self, plane: Plane, own: Restyled | None, drawn: bool = True) -> dict[str, Any]:
        """Return the values of the chart: names of its axes, its digits, and a marker at the visitor's handwriting."""
        across, up = map(tr, plane.names(self.generator))
        values = {"across": across, "up": up, "hint": tr(KEYS), "yours": "", "legend": ""}
        values["picture"] = picture(plane.draw(self.generator)) if drawn else ""
        if own is not None:
            x, y = plane.project(self.generator, own.latent)
            place = f"left: {50 + 50 * x / EXTENT:.3f}%; top: {50 - 50 * y / EXTENT:.3f}%"
            values["yours"] = f'<span class="marker yours" style="{place}"></span>'
            values["legend"] = f'<span class="key">{tr("your handwriting")}</span>'
        return values


def _bounded(value: Any) -> float:
    if not isinstance(value, int | float) or math.isnan(value):
        return 0.0
    return min(max(float(value), -MAX_STEP), MAX_STEP)


def _signed(step: float) -> str:
    """Write a step with its sign, and zero without."""
    return "0" if round(step, 1) == 0 else f"{step:+.1f}".replace("-", "\N{MINUS SIGN}")
