"""The tab of inverse problems: an observation to drag, and the posterior of the parameters behind it."""

import base64
import html
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from cinn_app.errors import CinnError
from cinn_app.studio.files import new_results_folder
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, random_seed, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.inverse_problems.inverse_problem import InverseProblem
from cinn_app.systems.inverse_problems.outputs import write_samples
from cinn_app.systems.inverse_problems.studio import charts
from cinn_app.systems.inverse_problems.studio.shelf import Shown, shelf_of
from cinn_app.systems.inverse_problems.studio.texts import short_title

__all__ = ["InverseTab"]

LEAD = later("""
<p>Which parameters would have given this measurement, and how sure is that? Drag the observation to see.</p>
""")
MARGINALS = later("<h2>Each parameter <small>median and 90% interval, ┊ true value</small></h2>")
PAIRS = later("<h2>Two at a time <small>samples below the diagonal, correlations above</small></h2>")
LOADING = later("The model is being loaded …")
FAR = later("No simulation came near this observation: the answer is an extrapolation.")
#: Of the observation that is shown first.
FIRST = 1
HIDDEN: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}


class InverseTab:
    """Lays out the tab in the page that is being built, and answers visitors.

    The page holds no observation: the first one is drawn, and the model loaded, when the tab is opened.

    Args:
        inverse: the model that all visitors share; others that are installed are offered beside it.
    """

    title = later("Inference")

    def __init__(self, inverse: InverseProblem) -> None:
        self.shelf = shelf_of(inverse)
        first = next(iter(self.shelf.records))
        script = Path(__file__).with_name("observation.js").read_text("utf-8")
        self.truth = gr.State(None)
        with gr.Column(elem_id="inverse-tab"):
            gr.HTML(tr(LEAD))
            self.problem = gr.Radio(
                [(short_title(record.title), name) for name, record in self.shelf.records.items()],
                value=first,
                label=tr("Problem"),
                visible=len(self.shelf.records) > 1,
                elem_id="inverse-problem",
                elem_classes="chips",
            )
            with gr.Row(elem_id="inverse", equal_height=False):
                with gr.Column(scale=5, min_width=300, elem_id="observed"):
                    with gr.Row(elem_id="observed-head"):
                        gr.HTML(tr("<h2>Observation</h2>"))
                        self.dice = gr.Button(
                            tr("⚄ Another observation"), scale=0, min_width=170, elem_id="inverse-dice"
                        )
                    self.question = gr.HTML(self._question(first), elem_id="question")
                    with gr.Column(elem_id="observation"):
                        self.curves = gr.HTML("", elem_id="curves")
                        self.observation = gr.HTML(
                            None, html_template="${view}", js_on_load=script, elem_id="handles", view=""
                        )
                    self.note = gr.HTML(_notice(LOADING), elem_id="inverse-note")
                with gr.Column(scale=7, min_width=300, elem_id="posterior"):
                    with gr.Row(elem_id="posterior-head"):
                        gr.HTML(tr(MARGINALS))
                        self.download = gr.Button(
                            tr("Download samples"), scale=0, min_width=150, elem_id="keep-samples"
                        )
                    self.marginals = gr.HTML("", elem_id="marginals")
                    gr.HTML(tr(PAIRS))
                    self.pairs = gr.HTML("", elem_id="pairs")
            self.file = gr.JSON(visible="hidden", elem_id="samples-file")
        self.charts = [self.truth, self.curves, self.note, self.marginals, self.pairs]
        self._connect()

    def _connect(self) -> None:
        inputs = [self.problem, self.observation]
        another: dict[str, Any] = {
            "inputs": self.problem,
            "outputs": [self.question, self.observation, *self.charts],
            **HIDDEN,
        }
        self.observation.expand(partial(self._open, seed=FIRST), **another)
        self.problem.input(self._open, **another)
        self.dice.click(self._open, **another)
        self.observation.input(self._move, inputs, self.charts, **HIDDEN)
        self.download.click(self._download, inputs, self.file, **HIDDEN).then(None, self.file, js=SAVE_FILE)

    def _open(self, name: Any, seed: int | None = None) -> list[Any]:
        """Show another observation, or another problem with one; a seed gives the same one every time."""
        try:
            shown = self.shelf.shown(str(name))
            truth, observation = shown.start(random_seed() if seed is None else seed)
            view = gr.HTML(shown.read(observation), view=self._view(shown, observation))
            return [self._question(str(name)), view, *self._charts(shown, truth, observation)]
        except CinnError as error:
            warn(error)
            return [gr.skip(), gr.skip(), *("" if chart is self.note else gr.skip() for chart in self.charts)]

    def _move(self, name: Any, observation: Any) -> list[Any]:
        """Show the posterior of the observation that was dragged; what caused the one before is no longer the truth."""
        try:
            shown = self.shelf.shown(str(name))
            return self._charts(shown, None, shown.read(observation))
        except CinnError as error:
            warn(error)
            return [gr.skip()] * len(self.charts)

    def _download(self, name: Any, observation: Any) -> dict[str, str] | None:
        try:
            shown = self.shelf.shown(str(name))
            samples = shown.answer(shown.read(observation)).samples
        except CinnError as error:
            warn(error)
            return None
        file = new_results_folder() / f"{name}-samples.csv"
        write_samples(file, samples, [quantity.name for quantity in shown.inverse.parameters])
        return {"orig_name": file.name, "url": f"data:text/csv;base64,{base64.b64encode(file.read_bytes()).decode()}"}

    def _question(self, name: str) -> str:
        return f"<p>{html.escape(tr(self.shelf.records[name].title))}</p>"

    def _view(self, shown: Shown, observation: list[float]) -> str:
        lay_out = charts.handles if shown.sketch is None else charts.plane
        return lay_out(shown.inverse.measurements, shown.measurement_ranges, observation)

    def _charts(self, shown: Shown, truth: list[float] | None, observation: list[float]) -> list[Any]:
        answer = shown.answer(observation)
        true_line = shown.sketch(torch.tensor([truth]))[0] if truth is not None and shown.sketch is not None else None
        parameters, ranges = shown.inverse.parameters, shown.parameter_ranges
        return [
            truth,
            charts.curves(shown.measurement_ranges, shown.simulated, answer.lines, true_line),
            _notice(FAR) if answer.far else "",
            charts.marginals(parameters, ranges, shown.prior, answer.samples, truth),
            charts.pairs(parameters, ranges, answer.samples, truth),
        ]


def _notice(text: str) -> str:
    return f'<p class="notice">{html.escape(tr(text))}</p>'
