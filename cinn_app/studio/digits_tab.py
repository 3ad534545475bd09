"""The tab that writes digits: many handwritings, sliders that bend them, the way from one to another, and a pad."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.controls import SEEDS, Range
from cinn_app.studio.digit_markup import grid, png, row
from cinn_app.studio.digit_pad import DigitPad
from cinn_app.studio.digit_pictures import REACH, Setting, along_axes, between, draw, ends, file_name, sheet
from cinn_app.studio.shared import SAVE_FILE, roll, warn
from cinn_app.systems.digits.generator import DigitGenerator

__all__ = ["DigitsTab"]

LEAD = """
<p>Every column is one handwriting, which the model knows apart from the digit: it writes all ten in the same hand.
The sliders change the handwritings in the ways in which people's differ most. Or
<a href="#own-hand-heading">draw a digit</a>, and get all ten in your own hand.</p>
"""
# A digit of the grid has been clicked; its button says which.
CHOOSING = """
element.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-number]");
    if (cell) trigger("select", { number: Number(cell.dataset.number) });
});
"""
ALL = "all"
COMMON, OWN = "in all digits", "in this digit"
# Below the pictures of an axis, and above its slider.
RULER = [f"{step:+d}".replace("-", "\N{MINUS SIGN}").replace("+0", "0") for step in range(-REACH, REACH + 1)]
STEPS = Range(-REACH, REACH, 0)


class DigitsTab:
    """Lays the tab out in the page that is being built, and answers what visitors do there.

    Args:
        generator: shared by all visitors, and never changed.
    """

    title = "Digits"

    def __init__(self, generator: DigitGenerator) -> None:
        self.generator = generator
        self.temperatures = Range(0, 1.5, generator.recipe.sampling.temperature)
        first = self._setting()
        self.chosen = gr.State(ends(first))
        # One at a time, whoever asks, and of a slider's many moves always the last.
        queued: dict[str, Any] = {
            "concurrency_id": "colorizer",
            "concurrency_limit": 1,
            "trigger_mode": "always_last",
            "api_visibility": "private",
            "preprocess": False,  # it would trip over numbers as typed
        }
        with gr.Column(elem_id="digits-tab"):
            gr.HTML(LEAD, elem_id="digits-lead")
            with gr.Row(elem_id="digits", equal_height=False):
                with gr.Column(scale=6, min_width=320):
                    self._lay_out_wishes()
                    self._lay_out_axes(first)
                with gr.Column(scale=5, min_width=320, elem_id="written-digits"):
                    self._lay_out_pictures(first)
            self._connect(queued)
            DigitPad(generator, queued)

    def _lay_out_wishes(self) -> None:
        with gr.Column(elem_id="wishes"):
            self.digit = gr.Radio(
                [(ALL, ALL), *((str(digit), digit) for digit in range(10))],
                value=ALL,
                label="Digit",
                elem_id="digit",
                elem_classes="chips",
            )
            with gr.Row(elem_id="digit-draw"):
                self.temperature = self.temperatures.slider(
                    step=0.05,
                    label="Variety",
                    info=f"Temperature, usually {self.temperatures.usual:g}",
                    buttons=[],
                    elem_id="temperature",
                )
                self.seed = SEEDS.box(label="Seed", min_width=90, elem_id="digit-seed")
                self.dice = gr.Button("⚄ Roll the dice", scale=0, min_width=130, elem_id="digit-dice")

    def _lay_out_axes(self, setting: Setting) -> None:
        with gr.Row(elem_id="axes-head"):
            self.own = gr.Radio(
                [COMMON, OWN],
                value=COMMON,
                label="How handwritings differ",
                interactive=False,
                elem_id="own",
                elem_classes="chips",
            )
            self.reset = gr.Button("Reset all", scale=0, min_width=110, elem_id="reset")
        pictures = along_axes(self.generator, setting)
        self.sliders, self.ways = [], []
        with gr.Row(elem_id="axes"):
            for label, images in zip(self._axis_labels(setting), pictures, strict=True):
                with gr.Column(min_width=200, elem_classes="axis"):
                    self.ways.append(gr.HTML(row(images, RULER), elem_classes="way"))
                    self.sliders.append(STEPS.slider(step=0.1, label=label, buttons=[], elem_classes="along"))

    def _lay_out_pictures(self, setting: Setting) -> None:
        with gr.Row(elem_id="digits-head"):
            self.heading = gr.HTML(_heading(setting), elem_id="digits-heading")
            self.download = gr.Button("Download", variant="primary", scale=0, min_width=120, elem_id="keep-digits")
        self.grid = gr.HTML(self._grid(setting, ends(setting)), js_on_load=CHOOSING, elem_id="grid")
        gr.HTML("<h2>From A to B <small>click two digits above to choose them</small></h2>")
        self.between = gr.HTML(self._between(setting, ends(setting)), elem_id="between")
        self.file = gr.JSON(visible="hidden", elem_id="sheet")

    def _connect(self, queued: dict[str, Any]) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", **queued}
        wishes = [self.digit, self.own, self.temperature, self.seed, *self.sliders]
        shown = [self.grid, self.between]
        redrawing: dict[str, Any] = {
            "fn": self._redraw,
            "inputs": [self.chosen, *wishes],
            "outputs": shown,
            **quiet,
        }
        choosing: dict[str, Any] = {
            "inputs": wishes,
            "outputs": [self.chosen, self.own, self.heading, *shown, *self.sliders],
            **quiet,
        }
        resetting: dict[str, Any] = {
            "outputs": [self.digit, self.temperature, self.seed, *choosing["outputs"]],
            **quiet,
        }
        for event in (
            self.digit.input(self._choose_digit, **choosing),
            self.own.input(self._choose_axes, **choosing),
            self.reset.click(self._reset, **resetting),
        ):
            event.then(self._show_axes, wishes, self.ways, **quiet)
        gr.on([self.temperature.input, *(slider.input for slider in self.sliders)], **redrawing)
        gr.on([self.seed.submit, self.seed.blur], **redrawing)
        self.dice.click(roll, None, self.seed, queue=False, api_visibility="private").then(**redrawing)
        self.grid.select(self._choose, [self.chosen, *wishes], [self.chosen, *shown], **quiet)
        self.download.click(self._download, wishes, self.file, **quiet).then(None, self.file, js=SAVE_FILE)

    def _setting(
        self, digit: int | str = ALL, own: str = COMMON, temperature: Any = None, seed: Any = None, *steps: Any
    ) -> Setting:
        """Read the controls, by default as they are at first."""
        label = None if digit == ALL else int(digit)
        return Setting(
            label,
            label is not None and own == OWN,
            self.temperatures.read(temperature),
            int(SEEDS.read(seed)),
            tuple(map(STEPS.read, steps)),
        )

    def _redraw(self, chosen: tuple[int, int], *wishes: Any) -> Iterator[dict[Any, Any]]:
        """Show the digits as soon as they are drawn, then the way between two of them."""
        setting = self._setting(*wishes)
        try:
            yield {self.grid: self._grid(setting, chosen)}
            yield {self.between: self._between(setting, chosen)}
        except CinnError as error:
            warn(error)
            yield {self.grid: gr.skip()}

    def _choose_digit(self, *wishes: Any) -> list[Any]:
        """Show another digit, or all; sliders within one digit mean nothing for another."""
        return self._show(self._setting(*wishes), reset=wishes[1] == OWN)

    def _choose_axes(self, *wishes: Any) -> list[Any]:
        return self._show(self._setting(*wishes), reset=True)

    def _reset(self) -> list[Any]:
        return [ALL, self.temperatures.usual, SEEDS.usual, *self._show(self._setting(), reset=True)]

    def _show(self, setting: Setting, reset: bool) -> list[Any]:
        """Show everything anew but what the axes do; sliders that get another meaning go back to 0."""
        if reset:
            setting = dataclasses.replace(setting, steps=())
        labels = self._axis_labels(setting)
        sliders = [gr.Slider(label=label, value=0) if reset else gr.Slider(label=label) for label in labels]
        switch = gr.Radio(value=OWN if setting.own else COMMON, interactive=setting.label is not None)
        chosen = ends(setting)
        return [
            chosen,
            switch,
            _heading(setting),
            self._grid(setting, chosen),
            self._between(setting, chosen),
            *sliders,
        ]

    def _show_axes(self, *wishes: Any) -> list[str]:
        return [row(images, RULER) for images in along_axes(self.generator, self._setting(*wishes))]

    def _choose(self, event: gr.EventData, chosen: tuple[int, int], *wishes: Any) -> list[Any]:
        """Go from what was chosen last to what has been chosen now."""
        chosen, setting = (chosen[1], event.number), self._setting(*wishes)
        return [chosen, self._grid(setting, chosen), self._between(setting, chosen)]

    def _download(self, *wishes: Any) -> dict[str, str]:
        setting = self._setting(*wishes)
        return {"orig_name": file_name(self.generator, setting), "url": png(sheet(self.generator, setting))}

    def _grid(self, setting: Setting, chosen: tuple[int, int]) -> str:
        return grid(draw(self.generator, setting), setting.labels(), chosen)

    def _between(self, setting: Setting, chosen: tuple[int, int]) -> str:
        last = ends(setting)[1]  # a visitor quicker than the page may have chosen a digit that is gone
        return row(between(self.generator, setting, (min(chosen[0], last), min(chosen[1], last))))

    def _axis_labels(self, setting: Setting) -> list[str]:
        axes = self.generator.axes(setting.axes_of)
        return [f"{axis.name} · {100 * axis.share:.1f}\N{NO-BREAK SPACE}%" for axis in axes]


def _heading(setting: Setting) -> str:
    rows, columns = setting.shape
    if setting.label is None:
        return "<h2>All ten digits <small>each column is one handwriting</small></h2>"
    return f"<h2>The digit {setting.label} <small>in {rows * columns} handwritings</small></h2>"
