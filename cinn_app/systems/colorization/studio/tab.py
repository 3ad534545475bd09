"""The tab that colours photographs: one in, four colourings side by side, the chosen one large and to keep."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.imaging import sample_photographs
from cinn_app.studio.controls import SEEDS, keep_in_address
from cinn_app.studio.files import upload_folder
from cinn_app.studio.gradio_workarounds import cumulative
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, inform, random_seed, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.album_panel import AlbumPanel
from cinn_app.systems.colorization.studio.controls import STEPS, VIVIDNESS, ControlRanges, Controls
from cinn_app.systems.colorization.studio.history import (
    MAX_PHOTOGRAPHS,
    Album,
    Moment,
    close_album,
    new_sheet,
    open_album,
)
from cinn_app.systems.colorization.studio.notice import failed, told
from cinn_app.systems.colorization.studio.opening import Opened, begin, go_on
from cinn_app.systems.colorization.studio.pictures import paint
from cinn_app.systems.colorization.studio.results_panel import PICKED, ResultsPanel
from cinn_app.systems.colorization.studio.steering_panel import SteeringPanel
from cinn_app.systems.colorization.studio.texts import EMPTY, HELP, MANY, PLACEHOLDER
from cinn_app.systems.colorization.studio.visits import SAMPLES, Visit, draw, same_draw, unheard, wake_visit

__all__ = ["ColorizeTab"]

# On a telephone the results are below the fold.
SHOW_RESULTS = """() => {
    const results = document.querySelector("#results");
    const failed = document.querySelector("#notice.error");
    if (results && !failed && results.getBoundingClientRect().top > 0.7 * window.innerHeight)
        results.scrollIntoView({ behavior: "smooth" });
}"""


class ColorizeTab:
    """Lays the tab out in the page that is being built, and answers what visitors do there.

    Args:
        colorizer: shared by all visitors, and never changed.
    """

    title = later("Colorize")

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer
        self.ranges = ControlRanges(colorizer)
        self.albums = AlbumPanel()
        self.samples = list(sample_photographs().values())
        self.visit = gr.State(None)
        self.album = gr.State(None, delete_callback=close_album)
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=280):
                self._lay_out_input()
            with gr.Column(scale=3, min_width=620):
                self.empty = gr.HTML(tr(EMPTY), elem_id="empty")
                with gr.Column(visible=False, elem_id="results") as self.results:
                    self._lay_out_results()
        self._connect()

    def _lay_out_input(self) -> None:
        with gr.Column(elem_id="upload"):  # and the page's script brings what is dropped and pasted
            self.upload = gr.UploadButton(tr(PLACEHOLDER), file_count="multiple", elem_id="upload-button")
        self.notice = gr.HTML(visible=False, elem_id="notice")
        self.albums.lay_out_photographs()
        self.sample = gr.Dataset(
            components=[gr.Image(type="filepath", render=False)],
            samples=[[str(path)] for path in self.samples],
            label=tr("Or try one of these"),
            type="index",
            elem_id="samples",
        )
        with gr.Accordion(tr("What do the words mean?"), open=False, elem_id="help"):
            gr.Markdown(tr(HELP))

    def _lay_out_results(self) -> None:
        self.pictures = ResultsPanel()
        with gr.Row(elem_id="controls"):
            self.vividness = VIVIDNESS.slider(
                step=0.05, label=tr("Vividness"), info=tr("0 gray, 1 as imagined"), elem_id="vividness"
            )
            usually = tr("usually {usual:g}", usual=self.ranges.variety.default)
            self.variety = self.ranges.variety.slider(step=0.05, label=tr("Variety"), info=usually, elem_id="variety")
            with gr.Row(elem_id="draw"):
                self.seed = SEEDS.box(label=tr("Seed"), min_width=100, elem_id="seed")
                self.dice = gr.Button(tr("⚄ Roll the dice"), scale=0, min_width=130, elem_id="dice")
        self.albums.lay_out_tries()
        self.steering = SteeringPanel(self.colorizer)
        self.pictures.lay_out_chosen(self.steering.pad)

    def _connect(self) -> None:
        four, shown = self.pictures.gallery, self.pictures.shown
        controls = [self.variety, self.vividness, self.seed, *self.steering.inputs]
        here = [self.visit, self.album, *controls]
        kept = [self.album, *self.albums.outputs]
        drawing: dict[str, Any] = {
            "fn": self._draw,
            "inputs": here,
            "outputs": [self.visit, four, *shown, *kept],
            "show_progress_on": four,
            **COMPUTING,
        }
        opening: dict[str, Any] = {
            "outputs": [
                self.visit,
                self.upload,
                self.notice,
                self.empty,
                self.results,
                four,
                self.variety,
                self.vividness,
                self.seed,
                *self.steering.outputs,
                *shown,
                *kept,
            ],
            **COMPUTING,
        }
        for event in (
            self.upload.upload(
                self._open_uploads, [self.upload, *here], show_progress_on=[self.empty, four], **opening
            ),
            self.sample.click(self._open_sample, [self.sample, *here], show_progress_on=self.sample, **opening),
        ):
            event.then(None, js=SHOW_RESULTS).then(**drawing)
        for strip, answer in ((self.albums.photographs, self._turn_to), (self.albums.tries, self._return_to)):
            strip.box.select(answer, [strip.box, *here], show_progress_on=four, **opening).then(**drawing)
        self.albums.clear.click(self._clear, [self.visit, self.album], kept, show_progress="hidden", **COMPUTING)
        self.dice.click(random_seed, None, self.seed, queue=False, api_visibility="private").then(**drawing)
        gr.on([self.seed.submit, self.seed.blur, self.variety.release], **drawing)
        choosing = [self.pictures.picked, *here]
        four.select(self._choose, choosing, [self.visit, *shown, *kept], js=PICKED, show_progress="hidden", **COMPUTING)
        self.vividness.release(self._repaint, here, [four, *shown, *kept], show_progress="hidden", **COMPUTING)
        self.steering.connect(self.visit, self.seed, drawing, COMPUTING)
        self.pictures.connect(self._as_set, here, COMPUTING)
        # In a line of its own: an album takes minutes, and nobody else should wait for it.
        packing = {**COMPUTING, "concurrency_id": "albums", "trigger_mode": "once"}
        self.albums.all.click(
            self._pack, here, [self.albums.all, self.albums.file, self.notice], show_progress="hidden", **packing
        ).then(None, self.albums.file, js=SAVE_FILE)
        keep_in_address(
            {
                "seed": (self.seed, SEEDS),
                "variety": (self.variety, self.ranges.variety),
                "vividness": (self.vividness, VIVIDNESS),
                **{name: (slider, STEPS) for name, slider in zip(self.ranges.axes, self.steering.sliders, strict=True)},
            }
        )

    def _open_uploads(
        self, payload: list[dict[str, Any]] | None, present: Visit | None, album: Album | None, *controls: Any
    ) -> Any:
        """Take up photographs into the strip, and show the first that can be read."""
        files = [Path(file["path"]) for file in payload or []]
        if not files:
            return gr.skip()
        album = album or open_album(upload_folder())
        sheets, problems = [], list[str]()
        for file in files[:MAX_PHOTOGRAPHS]:
            try:
                sheets.append(new_sheet(file, album.folder))
            except CinnError as error:
                problems.append(error.message)
        if len(files) > MAX_PHOTOGRAPHS:
            problems.append(tr(MANY, given=len(files), taken=MAX_PHOTOGRAPHS))
        if not sheets:
            return {self.album: album, self.upload: None, self.notice: failed(problems)}
        album = album.with_sheets(tuple(sheets))
        return self._open(sheets[0].upload, present, album, controls, problems)

    def _open_sample(self, index: int, present: Visit | None, album: Album | None, *controls: Any) -> Any:
        return self._open(self.samples[index], present, album or open_album(upload_folder()), controls, [])

    def _open(
        self, file: Path, present: Visit | None, album: Album, controls: Sequence[Any], problems: list[str]
    ) -> dict[Any, Any]:
        """Begin with a photograph; of one that cannot be read say why, and leave all else as it was."""
        try:
            opened = begin(file, album, present, self.ranges.read(*controls), self.colorizer)
            return self._show(opened, album, problems)
        except CinnError as error:
            return {self.album: album, self.upload: None, self.notice: failed([*problems, error.message])}

    def _turn_to(self, number: Any, present: Visit | None, album: Album | None, *controls: Any) -> dict[Any, Any]:
        """Go to another photograph of the strip."""
        if album is None or number not in range(len(album.sheets)):
            return gr.skip()
        try:
            file = album.sheets[number].upload
            return self._show(go_on(album, file, present, self.ranges.read(*controls), self.colorizer), album)
        except CinnError as error:
            return {self.notice: failed([error.message])}

    def _return_to(self, number: Any, present: Visit | None, album: Album | None, *_controls: Any) -> dict[Any, Any]:
        """Go back to what was tried before."""
        if album is None or number not in range(len(album.tries)):
            return gr.skip()
        moment = album.tries[number]
        try:
            return self._show(Opened(wake_visit(moment.visit, present), moment.controls), album)
        except CinnError as error:
            return {self.notice: failed([error.message])}

    def _show(self, opened: Opened, album: Album, problems: Sequence[str] = ()) -> dict[Any, Any]:
        """Show a photograph with its colourings, or gray before it has any, and set the controls to what made them."""
        visit, controls, _ = opened
        update = {
            self.visit: visit,
            self.album: album,
            self.upload: None,  # at once ready for the next one
            self.notice: failed(problems) if problems else told(opened),
            self.empty: gr.HTML(visible=False),
            self.results: gr.Column(visible=True),
            self.variety: controls.variety,
            self.vividness: controls.vividness,
            self.seed: controls.seed,
            **self.steering.show(visit, controls.steps),
        }
        if visit.colourings:
            kept = self._keep(visit, album, controls)
            large = self.pictures.large(visit, controls.vividness, value=controls.drawn)
            return {**update, **self.pictures.four(visit, controls.vividness), **large, **kept}
        return {**update, **self.albums.show(album, visit), **self.pictures.before(visit, controls.drawn)}

    def _clear(self, visit: Visit | None, album: Album | None) -> Any:
        """Take all photographs but the present one out of the strip."""
        if album is None:
            return gr.skip()
        album = album.without_others(visit.upload if visit else None)
        return {self.album: album, self.albums.shelf: gr.Column(visible=False)}

    @cumulative
    def _draw(
        self,
        visit: Visit | None,
        album: Album | None,
        variety: Any,
        vividness: Any,
        seed: Any,
        drawn_on_it: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # how gradio is asked for one
        *steps: Any,
    ) -> Iterator[dict[Any, Any]]:
        """Show four colourings as soon as they are painted; if they are steered anew, first the chosen one, small."""
        yield {self.visit: gr.skip()}  # a generator that yields nothing would empty its outputs
        if visit is None or album is None:
            return
        controls = self.ranges.read(variety, vividness, seed, drawn_on_it, *steps)
        number, temperature = controls.seed, controls.variety
        try:
            steering = self.steering.wish(visit, controls.drawn, *controls.steps)
            if same_draw(visit, self.colorizer, temperature, number):
                first = draw(visit, self.colorizer, temperature, number, steering, [visit.chosen])
                if first is not visit:
                    yield self.pictures.preview(first, controls.vividness)
            progress(0.1, tr("Imagining four colourings"))
            drawn = draw(visit, self.colorizer, temperature, number, steering)
            if drawn is visit:
                return
            for sentence in unheard(visit, drawn):
                inform(sentence)
            for index in range(SAMPLES):
                progress((index + 1) / (SAMPLES + 1), tr("Painting No. {number}", number=drawn.number(index)))
                paint(drawn, index, controls.vividness)
            yield {self.visit: drawn, **self.pictures.four(drawn, controls.vividness)}
            yield {**self.pictures.large(drawn, controls.vividness), **self._keep(drawn, album, controls)}
        except CinnError as error:
            warn(error)

    def _as_set(self, visit: Visit, _album: Album | None, *sent: Any) -> tuple[Visit, Controls]:
        """Draw what the controls say, where that is still to come: what is downloaded is what has been asked for."""
        controls = self.ranges.read(*sent)
        steering = self.steering.wish(visit, controls.drawn, *controls.steps)
        return draw(visit, self.colorizer, controls.variety, controls.seed, steering), controls

    def _choose(self, index: Any, visit: Visit | None, album: Album | None, *sent: Any) -> Any:
        if visit is None or album is None or index not in range(len(visit.colourings)):
            return gr.skip()
        visit, controls = dataclasses.replace(visit, chosen=int(index)), self.ranges.read(*sent)
        try:
            large = self.pictures.large(visit, controls.vividness)
            return {self.visit: visit, **large, **self._keep(visit, album, controls)}
        except CinnError as error:
            warn(error)
            return gr.skip()

    @cumulative
    def _repaint(self, visit: Visit | None, album: Album | None, *sent: Any) -> Iterator[dict[Any, Any]]:
        """Show the same colourings weaker or stronger, the chosen one first."""
        if visit is None or album is None or not visit.colourings:
            yield {self.album: gr.skip()}
            return
        controls = self.ranges.read(*sent)
        try:
            yield self.pictures.preview(visit, controls.vividness)
            yield self.pictures.four(visit, controls.vividness)
            yield {**self.pictures.large(visit, controls.vividness), **self._keep(visit, album, controls)}
        except CinnError as error:
            warn(error)
            yield {self.album: gr.skip()}

    def _keep(self, visit: Visit, album: Album, controls: Controls) -> dict[Any, Any]:
        """Keep where the visitor is, to come back to."""
        moment = Moment.of(visit, controls)
        album = album.with_moment(moment)
        return {self.album: album, **self.albums.show(album, visit, moment)}

    def _pack(self, visit: Visit | None, album: Album | None, *sent: Any) -> Iterator[Any]:
        if album is None:
            yield gr.skip(), None, gr.skip()
            return
        if visit is not None and visit.colourings:
            album = album.with_moment(Moment.of(*self._as_set(visit, album, *sent)))
        yield from self.albums.pack(album, visit, self.ranges.read(*sent), self.colorizer, self.steering)
