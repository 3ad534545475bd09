"""The tab that colours photographs: one in, four colourings side by side, the chosen one large and to keep."""

import dataclasses
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.imaging import sample_photographs
from cinn_app.studio.controls import SEEDS, Range
from cinn_app.studio.shared import SAVE_FILE, roll, warn
from cinn_app.studio.visits import SAMPLES, Visit, close_visit, describe, draw, export, gray, open_visit, paint
from cinn_app.systems.colorization.colorizer import Colorizer

__all__ = ["ColorizeTab"]

EMPTY = """
<h2>See it in colour</h2>
<p>Nobody knows which colours a gray photograph had. So you get <b>four plausible answers</b> and choose.</p>
<ol>
  <li><b>Give a photograph</b> of any size and shape, or try one of the samples.</li>
  <li><b>Pick the colouring</b> that you like best. None of them? Roll the dice.</li>
  <li><b>Compare and keep it</b> at full size, as vivid as you want it.</li>
</ol>
"""
HELP = """
**Bits/dim** tell how likely the model finds a colouring. Fewer are more likely, but likely colours are only the usual
ones, not always the right ones.

**Vividness** makes the same colours weaker or stronger. Light and shade always stay those of your photograph.

**Variety** lets the four differ more from each other: it is the temperature of sampling. Too much gets garish.

The same **seed** with the same variety gives the same colours again.
"""
# On a telephone the results are below the fold.
SHOW_RESULTS = """() => {
    const results = document.querySelector("#results");
    const failed = document.querySelector("#notice.error");
    if (results && !failed && results.getBoundingClientRect().top > 0.7 * window.innerHeight)
        results.scrollIntoView({ behavior: "smooth" });
}"""
VIVIDNESS = Range(0, 1.5, 1)


class ColorizeTab:
    """Lays the tab out in the page that is being built, and answers what visitors do there.

    Args:
        colorizer: shared by all visitors, and never changed.
    """

    title = "Colorize"

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer
        self.varieties = Range(0.1, 1.5, colorizer.recipe.sampling.temperature[-1])
        self.samples = list(sample_photographs().values())
        self.visit = gr.State(None, delete_callback=close_visit)
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=280):
                self._lay_out_input()
            with gr.Column(scale=3, min_width=620):
                self.empty = gr.HTML(EMPTY, elem_id="empty")
                with gr.Column(visible=False, elem_id="results") as self.results:
                    self._lay_out_results()
        self._connect()

    def _lay_out_input(self) -> None:
        self.upload = gr.Image(
            label="Your photograph",
            show_label=False,
            sources=["upload"],  # and the page's script brings what is pasted
            type="filepath",
            image_mode=None,
            height=220,
            buttons=[],
            placeholder="Drop or paste a photograph\nor click to choose one",
            elem_id="upload",
        )
        self.notice = gr.HTML(visible=False, elem_id="notice")
        self.sample = gr.Dataset(
            components=[gr.Image(type="filepath", render=False)],
            samples=[[str(path)] for path in self.samples],
            label="Or try one of these",
            type="index",
            elem_id="samples",
        )
        with gr.Accordion("What do the words mean?", open=False, elem_id="help"):
            gr.Markdown(HELP)

    def _lay_out_results(self) -> None:
        gr.HTML("<h2>Four colourings <small>choose the one you like</small></h2>")
        self.gallery = gr.Gallery(
            label="Four colourings",
            show_label=False,
            columns=SAMPLES,
            height="auto",
            object_fit="contain",
            allow_preview=False,
            buttons=[],
            interactive=False,
            elem_id="colourings",
        )
        with gr.Row(elem_id="controls"):
            self.vividness = VIVIDNESS.slider(
                step=0.05, label="Vividness", info="0 gray, 1 as imagined", elem_id="vividness"
            )
            usually = f"Temperature, usually {self.varieties.usual:g}"
            self.variety = self.varieties.slider(step=0.05, label="Variety", info=usually, elem_id="variety")
            with gr.Row(elem_id="draw"):
                self.seed = SEEDS.box(label="Seed", min_width=100, elem_id="seed")
                self.dice = gr.Button("⚄ Roll the dice", scale=0, min_width=130, elem_id="dice")
        with gr.Row(elem_id="chosen"):
            self.heading = gr.HTML(elem_id="heading")
            self.download = gr.Button("Download", variant="primary", min_width=240, scale=0, elem_id="download")
        self.compare = gr.ImageSlider(
            label="Before and after",
            show_label=False,
            interactive=False,
            buttons=["fullscreen"],
            max_height=640,
            elem_id="compare",
        )
        self.file = gr.File(visible="hidden", label="Download", elem_id="file")

    def _connect(self) -> None:
        # One at a time, whoever asks: torch uses every core as it is, and no answer overtakes another one.
        queued: dict[str, Any] = {
            "concurrency_id": "colorizer",
            "concurrency_limit": 1,
            "trigger_mode": "always_last",
            "api_visibility": "private",
            "preprocess": False,  # it would trip over uploads that are no pictures, and over numbers as typed
        }
        drawing: dict[str, Any] = {
            "fn": self._draw,
            "inputs": [self.visit, self.variety, self.vividness, self.seed],
            "outputs": [self.visit, self.gallery, self.heading, self.download, self.compare],
            "show_progress_on": self.gallery,
            **queued,
        }
        opening: dict[str, Any] = {
            "outputs": [
                self.visit,
                self.upload,
                self.notice,
                self.empty,
                self.results,
                self.gallery,
                self.heading,
                self.download,
                self.compare,
            ],
            "show_progress_on": self.upload,
            **queued,
        }
        for event in (
            self.upload.upload(self._open_upload, [self.upload, self.visit], **opening),
            self.sample.click(self._open_sample, [self.sample, self.visit], **opening),
        ):
            event.then(None, js=SHOW_RESULTS).then(**drawing)
        self.dice.click(roll, None, self.seed, queue=False, api_visibility="private").then(**drawing)
        gr.on([self.seed.submit, self.seed.blur, self.variety.release], **drawing)
        self.gallery.select(
            self._choose,
            [self.visit, self.vividness],
            [self.visit, self.heading, self.download, self.compare],
            show_progress="hidden",
            **queued,
        )
        self.vividness.release(
            self._repaint, [self.visit, self.vividness], [self.compare, self.gallery], show_progress="hidden", **queued
        )
        self.download.click(
            self._export, [self.visit, self.vividness], [self.download, self.file], show_progress="hidden", **queued
        ).then(None, self.file, js=SAVE_FILE)

    def _open_upload(self, payload: dict[str, Any] | None, old: Visit | None) -> Any:
        return self._open(Path(payload["path"]), old) if payload and payload.get("path") else gr.skip()

    def _open_sample(self, index: int, old: Visit | None) -> Any:
        return self._open(self.samples[index], old)

    def _open(self, file: Path, old: Visit | None) -> dict[Any, Any]:
        """Show the photograph in gray; of one that cannot be read say why, and leave all else as it was."""
        try:
            visit = open_visit(file, Path(self.upload.GRADIO_CACHE))
            picture = str(gray(visit))
        except CinnError as error:
            return {self.upload: None, self.notice: _notice(html.escape(str(error)), "error")}
        close_visit(old)
        height, width = visit.size
        name = f"<b>{html.escape(file.name)}</b>, {width:,} x {height:,} pixels."
        return {
            self.visit: visit,
            self.upload: None,  # at once ready for the next one
            self.notice: _notice(" ".join((name, *map(html.escape, visit.large.warnings))), "opened"),
            self.empty: gr.HTML(visible=False),
            self.results: gr.Column(visible=True),
            self.gallery: None,
            self.heading: "<h2>Before and after</h2>",
            self.download: gr.Button("Download", interactive=False),
            self.compare: (picture, picture),
        }

    def _draw(
        self,
        visit: Visit | None,
        variety: Any,
        vividness: Any,
        seed: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # how gradio is asked for one
    ) -> Iterator[dict[Any, Any]]:
        """Show four colourings as soon as they are painted, then the first of them large."""
        yield {self.compare: gr.skip()}  # a generator that yields nothing would empty its outputs
        if visit is None:
            return
        strength = VIVIDNESS.read(vividness)
        try:
            progress(0.1, "Imagining four colourings")
            drawn = draw(visit, self.colorizer, self.varieties.read(variety), int(SEEDS.read(seed)))
            if drawn is visit:
                return
            pictures = []
            for index in range(SAMPLES):
                progress((index + 1) / (SAMPLES + 1), f"Painting No. {index + 1}")
                pictures.append(paint(drawn, index, strength))
            yield {self.visit: drawn, self.gallery: _gallery(drawn, pictures)}
            yield self._large(drawn, strength)
        except CinnError as error:
            warn(error)

    def _choose(self, event: gr.SelectData, visit: Visit | None, vividness: Any) -> Any:
        if visit is None or not visit.colourings:
            return gr.skip()
        visit = dataclasses.replace(visit, chosen=event.index)
        try:
            return {self.visit: visit, **self._large(visit, VIVIDNESS.read(vividness))}
        except CinnError as error:
            warn(error)
            return gr.skip()

    def _repaint(self, visit: Visit | None, vividness: Any) -> Iterator[dict[Any, Any]]:
        """Show the same colourings weaker or stronger, the large one first."""
        if visit is None or not visit.colourings:
            yield {self.compare: gr.skip()}
            return
        strength = VIVIDNESS.read(vividness)
        try:
            yield {self.compare: _comparison(visit, strength)}
            yield {self.gallery: _gallery(visit, [paint(visit, index, strength) for index in range(SAMPLES)])}
        except CinnError as error:
            warn(error)
            yield {self.compare: gr.skip()}

    def _export(self, visit: Visit | None, vividness: Any) -> Iterator[dict[Any, Any]]:
        """Paint at full size only now, when it is wanted: of a large photograph that takes a while."""
        if visit is None or not visit.colourings:
            yield {self.file: None}
            return
        yield {self.download: gr.Button("Painting at full size …", interactive=False), self.file: None}
        try:
            file = str(export(visit, VIVIDNESS.read(vividness)))
        except CinnError as error:
            warn(error)
            file = None
        yield {self.download: _button(visit), self.file: file}

    def _large(self, visit: Visit, strength: float) -> dict[Any, Any]:
        return {
            self.heading: f"<h2>No. {visit.chosen + 1} <small>before and after</small></h2>",
            self.download: _button(visit),
            self.compare: _comparison(visit, strength),
        }


def _gallery(visit: Visit, pictures: list[Path]) -> gr.Gallery:
    captioned = [(picture, describe(visit, index)) for index, picture in enumerate(pictures)]
    return gr.Gallery(captioned, selected_index=visit.chosen)


def _comparison(visit: Visit, strength: float) -> tuple[str, str]:
    return str(gray(visit)), str(paint(visit, visit.chosen, strength, large=True))


def _button(visit: Visit) -> gr.Button:
    return gr.Button(f"Download No. {visit.chosen + 1} at full size", interactive=True)


def _notice(markup: str, kind: str) -> gr.HTML:
    return gr.HTML(markup, visible=True, elem_classes=[kind])
