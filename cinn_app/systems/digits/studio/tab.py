"""The tab that writes digits: many handwritings, sliders that bend them, the way from one to another, and a pad."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.controls import SEEDS, Range
from cinn_app.studio.gradio_workarounds import cumulative
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, random_seed, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.studio.markup import grid, png, row
from cinn_app.systems.digits.studio.panels import TO_THE_PAD, DigitPanels
from cinn_app.systems.digits.studio.pictures import REACH, Setting, along_axes, between, draw, ends, file_name, sheet

__all__ = ["DigitsTab"]

LEAD = later("""
<p>Every column is one handwriting, which the model knows apart from the digit: it writes all ten in the same hand.
The sliders change the handwritings in the ways in which people's differ most. Or
<a href="#own-hand-heading">draw a digit</a>, and get all ten in your own hand.</p>
""")
# Of the clicked digits the last two are chosen. They go along as the value rather than with the event: of many events
# in a row gradio answers the last one with what the first one said.
CHOOSING = """
element.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-number]");
    if (!cell) return;
    props.value = [props.value[1], Number(cell.dataset.number)];
    trigger("select");
});
element.addEventListener("keydown", (event) => {
    const here = Number(event.target.closest("[data-number]")?.dataset.number);
    const cells = element.querySelectorAll("[data-number]");
    const columns = Number(element.querySelector(".cells").style.getPropertyValue("--columns"));
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    if (!(event.key in moves)) return;
    event.preventDefault();
    cells[here + moves[event.key]]?.focus();
});
"""
ALL = later("all")
COMMON, OWN = later("in all digits"), later("in this digit")
# Below the pictures of an axis, and above its slider.
RULER = [f"{step:+d}".replace("-", "\N{MINUS SIGN}").replace("+0", "0") for step in range(-REACH, REACH + 1)]
STEPS = Range(-REACH, REACH, 0)


class DigitsTab:
    """Lays the tab out in the page that is being built, and answers what visitors do there.

    Args:
        generator: shared by all visitors, and never changed.
    """

    title = later("Digits")

    def __init__(self, generator: DigitGenerator) -> None:
        self.generator = generator
        self.temperatures = Range(0, 1.5, generator.recipe.sampling.temperature)
        first = self._setting()
        self.chosen = gr.State(ends(first))
        with gr.Column(elem_id="digits-tab"):
            gr.HTML(tr(LEAD), js_on_load=TO_THE_PAD, elem_id="digits-lead")
            with gr.Row(elem_id="digits", equal_height=False):
                with gr.Column(scale=6, min_width=320):
                    self._lay_out_wishes()
                    self._lay_out_axes(first)
                with gr.Column(scale=5, min_width=320, elem_id="written-digits"):
                    self._lay_out_pictures(first)
            self.panels = DigitPanels(generator, self._setting, COMPUTING)
            self._connect()

    def _lay_out_wishes(self) -> None:
        with gr.Column(elem_id="wishes"):
            self.digit = gr.Radio(
                [(tr(ALL), ALL), *((str(digit), digit) for digit in range(10))],
                value=ALL,
                label=tr("Digit"),
                elem_id="digit",
                elem_classes="chips",
            )
            with gr.Row(elem_id="digit-draw"):
                self.temperature = self.temperatures.slider(
                    step=0.05,
                    label=tr("Variety"),
                    info=tr("usually {usual:g}", usual=self.temperatures.default),
                    buttons=[],
                    elem_id="temperature",
                )
                self.seed = SEEDS.box(label=tr("Seed"), min_width=90, elem_id="digit-seed")
                self.dice = gr.Button(tr("⚄ Roll the dice"), scale=0, min_width=130, elem_id="digit-dice")

    def _lay_out_axes(self, setting: Setting) -> None:
        with gr.Row(elem_id="axes-head"):
            self.own = gr.Radio(
                [(tr(whose), whose) for whose in (COMMON, OWN)],
                value=COMMON,
                label=tr("How handwritings differ"),
                interactive=False,
                elem_id="own",
                elem_classes="chips",
            )
            self.reset = gr.Button(tr("Reset all"), scale=0, min_width=110, elem_id="reset")
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
            self.download = gr.Button(tr("Download"), variant="primary", scale=0, min_width=120, elem_id="keep-digits")
        self.grid = gr.HTML(
            list(ends(setting)),
            html_template="${cells}",
            js_on_load=CHOOSING,
            elem_id="grid",
            cells=self._cells(setting, ends(setting)),
        )
        gr.HTML(tr("<h2>From A to B <small>click two digits above to choose them</small></h2>"))
        self.between = gr.HTML(self._between(setting, ends(setting)), elem_id="between")
        self.file = gr.JSON(visible="hidden", elem_id="sheet")

    def _connect(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
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
        # One event for all of them: of two, the answer to what was set before may come last.
        settings = [self.temperature.input, *(slider.input for slider in self.sliders)]
        gr.on([*settings, self.seed.submit, self.seed.blur], **redrawing)
        self.dice.click(random_seed, None, self.seed, queue=False, api_visibility="private").then(**redrawing)
        self.grid.select(self._choose, [self.grid, *wishes], [self.chosen, *shown], **quiet)
        self.download.click(self._download, wishes, self.file, **quiet).then(None, self.file, js=SAVE_FILE)
        self.panels.connect(self.chosen, wishes, self.between)

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

    @cumulative
    def _redraw(self, chosen: tuple[int, int], *wishes: Any) -> Iterator[dict[Any, Any]]:
        """Show the digits as soon as they are drawn, then the way between two of them."""
        setting = self._setting(*wishes)
        try:
            yield {self.grid: gr.HTML(cells=self._cells(setting, chosen))}
            yield {self.between: self._between(setting, chosen)}
        except CinnError as error:
            warn(error)
            yield {self.between: gr.skip()}

    def _choose_digit(self, *wishes: Any) -> list[Any]:
        """Show another digit, or all; sliders within one digit mean nothing for another."""
        return self._show(self._setting(*wishes), reset=wishes[1] == OWN)

    def _choose_axes(self, *wishes: Any) -> list[Any]:
        return self._show(self._setting(*wishes), reset=True)

    def _reset(self) -> list[Any]:
        return [ALL, self.temperatures.default, SEEDS.default, *self._show(self._setting(), reset=True)]

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
            gr.HTML(list(chosen), cells=self._cells(setting, chosen)),
            self._between(setting, chosen),
            *sliders,
        ]

    def _show_axes(self, *wishes: Any) -> list[str]:
        return [row(images, RULER) for images in along_axes(self.generator, self._setting(*wishes))]

    def _choose(self, chosen: tuple[int, int], *wishes: Any) -> list[Any]:
        """Go from what was chosen last to what has been chosen now."""
        setting = self._setting(*wishes)
        chosen = setting.within((chosen[0], chosen[1]))
        cells = gr.HTML(cells=self._cells(setting, chosen))  # the value may be newer already
        return [chosen, cells, self._between(setting, chosen)]

    def _download(self, *wishes: Any) -> dict[str, str]:
        setting = self._setting(*wishes)
        return {"orig_name": file_name(self.generator, setting), "url": png(sheet(self.generator, setting))}

    def _cells(self, setting: Setting, chosen: tuple[int, int]) -> str:
        return grid(draw(self.generator, setting), setting.labels(), chosen)

    def _between(self, setting: Setting, chosen: tuple[int, int]) -> str:
        return row(between(self.generator, setting, setting.within(chosen)))

    def _axis_labels(self, setting: Setting) -> list[str]:
        axes = self.generator.axes(setting.axes_of)
        share = later("{axis} · {percent:.1f}\N{NO-BREAK SPACE}%")
        return [tr(share, axis=tr(axis.name), percent=100 * axis.share) for axis in axes]


def _heading(setting: Setting) -> str:
    rows, columns = setting.shape
    if setting.label is None:
        return tr("<h2>All ten digits <small>each column is one handwriting</small></h2>")
    told = later("<h2>The digit {digit} <small>in {count} handwritings</small></h2>")
    return tr(told, digit=setting.label, count=rows * columns)
