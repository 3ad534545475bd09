"""A temperature for each scale of the model, in place of the variety that moves all together."""

import json
from typing import Any

import gradio as gr

from cinn_app.studio.handlers import QUIET
from cinn_app.studio.language import tr
from cinn_app.systems.colorization.studio.session import ControlRanges, Controls
from cinn_app.systems.colorization.temperatures import SCALES

__all__ = ["TemperaturesPanel"]

#: A script: the sliders start where the variety has them.
START = """(on, variety, ...scales) => {
    const usual = %s;
    return on ? usual.map((one) => Math.round(100 * variety * one / usual.at(-1)) / 100) : scales;
}"""
#: A script: the box is checked, and each scale is at 1.
AS_LEARNT = f"() => {json.dumps([True, *[1] * len(SCALES)])}"


class TemperaturesPanel:
    """Lays out a box with the sliders that it shows, and a button for the learnt density, in the page being built.

    Args:
        ranges: of the sliders.
    """

    def __init__(self, ranges: ControlRanges) -> None:
        self.ranges = ranges
        with gr.Row(elem_id="scales"):
            self.one_by_one = gr.Checkbox(label=tr("A temperature for each scale"), elem_id="one-by-one", min_width=240)
            self.as_learnt = gr.Button(
                tr("Draw the density as it was learnt"), size="sm", scale=0, min_width=250, elem_id="as-learnt"
            )
        with gr.Row(equal_height=False, elem_id="temperatures"):
            coarse_to_fine = [
                scale.slider(step=0.01, label=tr(name).capitalize(), min_width=160)
                for scale, name in reversed(list(zip(ranges.scales, SCALES, strict=True)))
            ]
        self.sliders = coarse_to_fine[::-1]

    @property
    def inputs(self) -> list[Any]:
        """The components that are read into ``Controls.temperatures``, and that :meth:`show` sets."""
        return [self.one_by_one, *self.sliders]

    def connect(self, variety: gr.Slider, drawing: dict[str, Any]) -> None:
        """Let the box, the sliders and the button draw again.

        Args:
            variety: whose temperatures the sliders start with.
            drawing: the event that draws.
        """
        script = START % json.dumps([scale.default for scale in self.ranges.scales])
        started = self.one_by_one.input(
            None, [self.one_by_one, variety, *self.sliders], self.sliders, js=script, **QUIET
        )
        started.then(**drawing)
        self.as_learnt.click(None, None, self.inputs, js=AS_LEARNT, **QUIET).then(**drawing)
        gr.on([slider.release for slider in self.sliders], **drawing)

    def show(self, controls: Controls) -> dict[Any, Any]:
        """Set the box, and the sliders where they count."""
        sliders = dict(zip(self.sliders, controls.temperatures, strict=True)) if controls.temperatures else {}
        return {self.one_by_one: bool(controls.temperatures), **sliders}
