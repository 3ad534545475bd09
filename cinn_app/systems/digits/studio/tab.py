"""The digits tab: a grid of digits, the sliders of their handwriting, the digits from A to B, and three panels."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.limits import MAX_STEP
from cinn_app.studio.controls import SEEDS, Range
from cinn_app.studio.gradio_workarounds import cumulative
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, random_seed, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.studio.controls import (
    STEPS,
    Controls,
    axis_previews,
    draw,
    sheet,
    sheet_name,
    transition,
)
from cinn_app.systems.digits.studio.film_panel import FilmPanel
from cinn_app.systems.digits.studio.handwriting_panel import HandwritingPanel
from cinn_app.systems.digits.studio.map_panel import MapPanel
from cinn_app.systems.digits.studio.markup import grid, png, row

__all__ = ["DigitsTab"]

LEAD = later("""
<p>Every column is one handwriting: the model separates it from the digit, and writes all ten digits in it. The sliders
change what differs most between people's handwritings. Or <a href="#own-handwriting-lead">draw a digit</a>, and get all
ten in your own handwriting.</p>
""")
GRID_OF_ALL = later("<h2>All ten digits <small>each column is one handwriting</small></h2>")
GRID_OF_ONE = later("<h2>The digit {digit} <small>in {count} handwritings</small></h2>")
AXIS = later("{axis} · {percent:.1f}\N{NO-BREAK SPACE}%")
ALL = later("all")
COMMON, OWN = later("in all digits"), later("in this digit")
#: Names of the panels in the page, and for visitors: short enough to stand side by side on a telephone.
HANDWRITING, FILM, MAP = "handwriting-panel", "film-panel", "map-panel"
TITLES = {HANDWRITING: later("Your handwriting"), FILM: later("Film"), MAP: later("Map")}
# Follows a link to the pad, which may be in a closed panel. A browser would load the page again, since the settings in
# its address are not in the link.
TO_THE_PAD = f"""
element.addEventListener("click", (event) => {{
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    document.getElementById("{HANDWRITING}-button")?.click();
    setTimeout(() => document.querySelector(link.getAttribute("href")).scrollIntoView());
}});
"""
# The last two clicked cells are chosen. They are sent as the value, not with the event: gradio answers the last of many
# events with the data of the first.
CHOOSING = """
element.addEventListener("click", (event) => {
    const button = event.target.closest("[data-cell]");
    if (!button) return;
    props.value = [props.value[1], Number(button.dataset.cell)];
    trigger("select");
});
element.addEventListener("keydown", (event) => {
    const here = Number(event.target.closest("[data-cell]")?.dataset.cell);
    const buttons = element.querySelectorAll("[data-cell]");
    const columns = Number(element.querySelector(".cells").style.getPropertyValue("--columns"));
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    if (!(event.key in moves)) return;
    event.preventDefault();
    buttons[here + moves[event.key]]?.focus();
});
"""
# The scale between the pictures of an axis and its slider.
RULER = [f"{step:+d}".replace("-", "\N{MINUS SIGN}").replace("+0", "0") for step in STEPS]
STEP = Range(-MAX_STEP, MAX_STEP, 0)
HIDDEN: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}


class DigitsTab:
    """Lays out the tab in the page that is being built, and answers visitors.

    Args:
        generator: shared by all visitors.
    """

    title = later("Digits")

    def __init__(self, generator: DigitGenerator) -> None:
        self.generator = generator
        self.temperatures = Range(0, 1.5, generator.recipe.sampling.temperature)
        first = self._read()
        self.chosen = gr.State(first.corners)
        with gr.Column(elem_id="digits-tab"):
            gr.HTML(tr(LEAD), js_on_load=TO_THE_PAD, elem_id="digits-lead")
            with gr.Row(elem_id="digits", equal_height=False):
                with gr.Column(scale=6, min_width=320):
                    self._lay_out_controls()
                    self._lay_out_axes(first)
                with gr.Column(scale=5, min_width=320, elem_id="written-digits"):
                    self._lay_out_digits(first)
            self._lay_out_panels()
            self._connect()

    def _lay_out_controls(self) -> None:
        with gr.Column(elem_id="digit-controls"):
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

    def _lay_out_axes(self, first: Controls) -> None:
        with gr.Row(elem_id="axes-head"):
            self.own = gr.Radio(
                [(tr(choice), choice) for choice in (COMMON, OWN)],
                value=COMMON,
                label=tr("How handwritings differ"),
                interactive=False,
                elem_id="own-axes",
                elem_classes="chips",
            )
            self.reset = gr.Button(tr("Reset all"), scale=0, min_width=110, elem_id="reset")
        self.sliders, self.previews = [], []
        with gr.Row(elem_id="axes"):
            for label, images in zip(self._axis_labels(first), axis_previews(self.generator, first), strict=True):
                with gr.Column(min_width=200, elem_classes="axis"):
                    self.previews.append(gr.HTML(row(images, RULER), elem_classes="preview"))
                    self.sliders.append(STEP.slider(step=0.1, label=label, buttons=[], elem_classes="step"))

    def _lay_out_digits(self, first: Controls) -> None:
        with gr.Row(elem_id="digits-head"):
            self.heading = gr.HTML(_heading(first), elem_id="digits-heading")
            self.download = gr.Button(tr("Download"), variant="primary", scale=0, min_width=120, elem_id="keep-digits")
        self.grid = gr.HTML(
            list(first.corners),
            html_template="${cells}",
            js_on_load=CHOOSING,
            elem_id="grid",
            cells=self._cells(first, first.corners),
        )
        gr.HTML(tr("<h2>From A to B <small>click two digits above to choose them</small></h2>"))
        self.strip = gr.HTML(self._strip(first, first.corners), elem_id="between")
        self.file = gr.JSON(visible="hidden", elem_id="sheet")

    def _lay_out_panels(self) -> None:
        self.panel = gr.State(HANDWRITING)
        with gr.Tabs(elem_id="digit-panels"):
            with gr.Tab(tr(TITLES[HANDWRITING]), elem_id=HANDWRITING) as handwriting_tab:
                self.handwriting = HandwritingPanel(self.generator)
            with gr.Tab(tr(TITLES[FILM]), elem_id=FILM) as film_tab:
                self.film = FilmPanel(self.generator, self._read)
            with gr.Tab(tr(TITLES[MAP]), elem_id=MAP) as map_tab:
                self.map = MapPanel(self.generator)
        self.panels = {HANDWRITING: handwriting_tab, FILM: film_tab, MAP: map_tab}

    def _connect(self) -> None:
        controls = [self.digit, self.own, self.temperature, self.seed, *self.sliders]
        shown = [self.grid, self.strip]
        redrawing: dict[str, Any] = {
            "fn": self._redraw,
            "inputs": [self.chosen, *controls],
            "outputs": shown,
            **HIDDEN,
        }
        choosing: dict[str, Any] = {
            "inputs": controls,
            "outputs": [self.chosen, self.own, self.heading, *shown, *self.sliders],
            **HIDDEN,
        }
        resetting: dict[str, Any] = {
            "outputs": [self.digit, self.temperature, self.seed, *choosing["outputs"]],
            **HIDDEN,
        }
        for event in (
            self.digit.input(self._choose_digit, **choosing),
            self.own.input(self._choose_axes, **choosing),
            self.reset.click(self._reset, **resetting),
        ):
            event.then(self._show_previews, controls, self.previews, **HIDDEN)
        # One event for all of them: of two, the answer to the earlier one may come last.
        settings = [self.temperature.input, *(slider.input for slider in self.sliders)]
        gr.on([*settings, self.seed.submit, self.seed.blur], **redrawing)
        self.dice.click(random_seed, None, self.seed, queue=False, api_visibility="private").then(**redrawing)
        self.grid.select(self._choose_cell, [self.grid, *controls], [self.chosen, *shown], **HIDDEN)
        self.download.click(self._download, controls, self.file, **HIDDEN).then(None, self.file, js=SAVE_FILE)
        self._connect_panels(controls)

    def _connect_panels(self, controls: list[Any]) -> None:
        """Draw a panel only when it is opened; as long as the film is open, it changes with the digits from A to B."""
        own, film = self.handwriting.own, self.film
        film.connect(self.chosen, controls)
        self.map.connect(own)
        opened = {
            name: panel.select(partial(str, name), None, self.panel, queue=False, api_visibility="private")
            for name, panel in self.panels.items()
        }
        opened[FILM].then(film.show, [self.chosen, *controls], film.film, **HIDDEN)
        opened[MAP].then(self.map.show, [own, *self.map.inputs], self.map.outputs, **HIDDEN)
        self.strip.change(self._update_film, [self.panel, self.chosen, *controls], film.film, **HIDDEN)

    def _read(
        self, digit: int | str = ALL, own: str = COMMON, temperature: Any = None, seed: Any = None, *steps: Any
    ) -> Controls:
        """Read the controls, by default their first settings."""
        label = None if digit == ALL else int(digit)
        return Controls(
            label,
            label is not None and own == OWN,
            self.temperatures.read(temperature),
            int(SEEDS.read(seed)),
            tuple(map(STEP.read, steps)),
        )

    @cumulative
    def _redraw(self, chosen: tuple[int, int], *settings: Any) -> Iterator[dict[Any, Any]]:
        """Show the grid as soon as it is drawn, then the digits from A to B."""
        controls = self._read(*settings)
        try:
            yield {self.grid: gr.HTML(cells=self._cells(controls, chosen))}
            yield {self.strip: self._strip(controls, chosen)}
        except CinnError as error:
            warn(error)
            yield {self.strip: gr.skip()}

    def _choose_digit(self, *settings: Any) -> list[Any]:
        """Show another digit, or all; steps along one digit's own axes mean nothing for another."""
        return self._show(self._read(*settings), reset=settings[1] == OWN)

    def _choose_axes(self, *settings: Any) -> list[Any]:
        return self._show(self._read(*settings), reset=True)

    def _reset(self) -> list[Any]:
        return [ALL, self.temperatures.default, SEEDS.default, *self._show(self._read(), reset=True)]

    def _show(self, controls: Controls, reset: bool) -> list[Any]:
        """Show everything but the previews of the axes; sliders that get another meaning go back to 0."""
        if reset:
            controls = dataclasses.replace(controls, steps=())
        labels = self._axis_labels(controls)
        sliders = [gr.Slider(label=label, value=0) if reset else gr.Slider(label=label) for label in labels]
        switch = gr.Radio(value=OWN if controls.own else COMMON, interactive=controls.label is not None)
        chosen = controls.corners
        return [
            chosen,
            switch,
            _heading(controls),
            gr.HTML(list(chosen), cells=self._cells(controls, chosen)),
            self._strip(controls, chosen),
            *sliders,
        ]

    def _show_previews(self, *settings: Any) -> list[str]:
        return [row(images, RULER) for images in axis_previews(self.generator, self._read(*settings))]

    def _choose_cell(self, chosen: tuple[int, int], *settings: Any) -> list[Any]:
        controls = self._read(*settings)
        chosen = controls.existing((chosen[0], chosen[1]))
        cells = gr.HTML(cells=self._cells(controls, chosen))  # without the value, which may be newer already
        return [chosen, cells, self._strip(controls, chosen)]

    def _download(self, *settings: Any) -> dict[str, str]:
        controls = self._read(*settings)
        return {"orig_name": sheet_name(self.generator, controls), "url": png(sheet(self.generator, controls))}

    def _update_film(self, panel: str, chosen: tuple[int, int], *settings: Any) -> Any:
        return self.film.show(chosen, *settings) if panel == FILM else gr.skip()

    def _cells(self, controls: Controls, chosen: tuple[int, int]) -> str:
        return grid(draw(self.generator, controls), controls.labels, chosen)

    def _strip(self, controls: Controls, chosen: tuple[int, int]) -> str:
        return row(transition(self.generator, controls, controls.existing(chosen)))

    def _axis_labels(self, controls: Controls) -> list[str]:
        axes = self.generator.axes(controls.axes_of)
        return [tr(AXIS, axis=axis.name, percent=100 * axis.share) for axis in axes]


def _heading(controls: Controls) -> str:
    rows, columns = controls.shape
    if controls.label is None:
        return tr(GRID_OF_ALL)
    return tr(GRID_OF_ONE, digit=controls.label, count=rows * columns)
