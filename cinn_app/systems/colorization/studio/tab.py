"""The tab that colours photographs: one in, four colourings side by side, the chosen one large and to download."""

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
from cinn_app.studio.handlers import COMPUTING, QUIET, SAVE_FILE, inform, random_seed, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.album import MAX_PHOTOGRAPHS, Album, Opened, Snapshot, look_at
from cinn_app.systems.colorization.studio.album_panel import AlbumPanel
from cinn_app.systems.colorization.studio.archive import Archive
from cinn_app.systems.colorization.studio.pictures import paint
from cinn_app.systems.colorization.studio.results_panel import PICKED, ResultsPanel
from cinn_app.systems.colorization.studio.session import SAMPLES, STEPS, VIVIDNESS, ControlRanges, Controls, Session
from cinn_app.systems.colorization.studio.steering_panel import SteeringPanel
from cinn_app.systems.colorization.studio.texts import EMPTY, HELP, failed, opened

__all__ = ["ColorizeTab"]

UPLOAD = later("Drop or paste photographs\nor click to choose")
TOO_MANY = later("Only the first {taken} of {given} files were added.")
# On a phone the results are below the fold.
SCROLL_TO_RESULTS = """() => {
    const results = document.querySelector("#results");
    const failed = document.querySelector("#notice.error");
    if (results && !failed && results.getBoundingClientRect().top > 0.7 * window.innerHeight)
        results.scrollIntoView({ behavior: "smooth" });
}"""


class ColorizeTab:
    """Lays the tab out in the page that is being built, and handles its events.

    What belongs to a visitor is in `gr.State`: the session in view, and the album.

    Args:
        colorizer: shared by all visitors, and never changed.
    """

    title = later("Colorize")

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer
        self.ranges = ControlRanges(colorizer)
        self.albums = AlbumPanel()
        self.samples = list(sample_photographs().values())
        self.session = gr.State(None)
        self.album = gr.State(None, delete_callback=lambda album: album and album.delete_files())
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=280):
                self._lay_out_input()
            with gr.Column(scale=3, min_width=620):
                self.empty = gr.HTML(tr(EMPTY), elem_id="empty")
                with gr.Column(visible=False, elem_id="results") as self.results:
                    self._lay_out_results()
        self._connect()

    def _lay_out_input(self) -> None:
        with gr.Column(elem_id="upload"):  # the page's script also brings what is dropped or pasted elsewhere
            self.upload = gr.UploadButton(tr(UPLOAD), file_count="multiple", elem_id="upload-button")
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
                step=0.05, label=tr("Vividness"), info=tr("0 is gray, 1 as drawn"), elem_id="vividness"
            )
            usually = tr("usually {usual:g}", usual=self.ranges.variety.default)
            self.variety = self.ranges.variety.slider(step=0.05, label=tr("Variety"), info=usually, elem_id="variety")
            with gr.Row(elem_id="draw"):
                self.seed = SEEDS.box(label=tr("Seed"), min_width=100, elem_id="seed")
                self.dice = gr.Button(tr("⚄ Roll the dice"), scale=0, min_width=130, elem_id="dice")
        self.albums.lay_out_history()
        self.steering = SteeringPanel()
        self.pictures.lay_out_chosen(self.steering.pad)

    def _connect(self) -> None:
        gallery, large = self.pictures.gallery, self.pictures.outputs
        settings = [self.variety, self.vividness, self.seed]
        state = [self.session, self.album, *settings, *self.steering.inputs]
        album = [self.album, *self.albums.outputs]
        drawing: dict[str, Any] = {
            "fn": self._draw,
            "inputs": state,
            "outputs": [self.session, gallery, *large, *album],
            "show_progress_on": gallery,
            **COMPUTING,
        }
        page = [self.session, self.upload, self.notice, self.empty, self.results, gallery, *settings]
        opening: dict[str, Any] = {"outputs": [*page, *self.steering.outputs, *large, *album], **COMPUTING}
        hidden: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        for event in (
            self.upload.upload(
                self._open_uploads, [self.upload, *state], show_progress_on=[self.empty, gallery], **opening
            ),
            self.sample.click(self._open_sample, [self.sample, *state], show_progress_on=self.sample, **opening),
        ):
            event.then(None, js=SCROLL_TO_RESULTS).then(**drawing)
        for strip, handler in ((self.albums.photographs, self._turn_to), (self.albums.history, self._return_to)):
            strip.box.select(handler, [strip.box, *state], show_progress_on=gallery, **opening).then(**drawing)
        self.albums.clear.click(self._clear, [self.session, self.album], album, **hidden)
        self.dice.click(random_seed, None, self.seed, **QUIET).then(**drawing)
        gr.on([self.seed.submit, self.seed.blur, self.variety.release], **drawing)
        choosing = [self.pictures.picked, *state]
        gallery.select(self._choose, choosing, [self.session, *large, *album], js=PICKED, **hidden)
        self.vividness.release(self._repaint, state, [gallery, *large, *album], **hidden)
        self.steering.connect(self.session, self.seed, drawing)
        self.pictures.connect(self._as_set, state)
        # In a queue of its own: an album takes minutes, for which other visitors should not wait.
        archiving = {**hidden, "concurrency_id": "archives", "trigger_mode": "once"}
        outputs = [self.albums.all, self.albums.file, self.notice]
        self.albums.all.click(self._archive, state, outputs, **archiving).then(None, self.albums.file, js=SAVE_FILE)
        keep_in_address(
            {
                "seed": (self.seed, SEEDS),
                "variety": (self.variety, self.ranges.variety),
                "vividness": (self.vividness, VIVIDNESS),
                **{axis.name: (slider, STEPS) for axis, slider in zip(AXES, self.steering.sliders, strict=True)},
            }
        )

    def _open_uploads(
        self, payload: list[dict[str, Any]] | None, present: Session | None, album: Album | None, *settings: Any
    ) -> Any:
        """Add uploads to the album, and show the first one that can be read."""
        files = [Path(file["path"]) for file in payload or []]
        if not files:
            return gr.skip()
        album = album or Album.new(upload_folder())
        photographs, problems = [], list[str]()
        for file in files[:MAX_PHOTOGRAPHS]:
            try:
                photographs.append(look_at(file, album.folder))
            except CinnError as error:
                problems.append(error.message)
        if len(files) > MAX_PHOTOGRAPHS:
            problems.append(tr(TOO_MANY, given=len(files), taken=MAX_PHOTOGRAPHS))
        if not photographs:
            return {self.album: album, self.upload: None, self.notice: failed(problems)}
        album = album.with_photographs(tuple(photographs))
        return self._open(photographs[0].upload, present, album, settings, problems)

    def _open_sample(self, index: int, present: Session | None, album: Album | None, *settings: Any) -> Any:
        return self._open(self.samples[index], present, album or Album.new(upload_folder()), settings, [])

    def _open(
        self, file: Path, present: Session | None, album: Album, settings: Sequence[Any], problems: list[str]
    ) -> dict[Any, Any]:
        """Open a photograph; if it cannot be read, say why and leave the rest."""
        try:
            return self._show(album.open(file, present, self.ranges.read(*settings), self.colorizer), album, problems)
        except CinnError as error:
            return {self.album: album, self.upload: None, self.notice: failed([*problems, error.message])}

    def _turn_to(self, number: Any, present: Session | None, album: Album | None, *settings: Any) -> dict[Any, Any]:
        """Show another photograph of the album."""
        if album is None or number not in range(len(album.photographs)):
            return gr.skip()
        try:
            file, controls = album.photographs[number].upload, self.ranges.read(*settings)
            return self._show(album.turn_to(file, present, controls, self.colorizer), album)
        except CinnError as error:
            return {self.notice: failed([error.message])}

    def _return_to(self, number: Any, present: Session | None, album: Album | None, *_settings: Any) -> dict[Any, Any]:
        """Show an earlier draw."""
        if album is None or number not in range(len(album.snapshots)):
            return gr.skip()
        snapshot = album.snapshots[number]
        try:
            return self._show(Opened(snapshot.session.resume(present), snapshot.controls), album)
        except CinnError as error:
            return {self.notice: failed([error.message])}

    def _show(self, one: Opened, album: Album, problems: Sequence[str] = ()) -> dict[Any, Any]:
        """Show a photograph with its colourings, or gray without any, and set the controls."""
        session, controls, _ = one
        update = {
            self.session: session,
            self.album: album,
            self.upload: None,  # ready for the next one
            self.notice: failed(problems) if problems else opened(one),
            self.empty: gr.HTML(visible=False),
            self.results: gr.Column(visible=True),
            self.variety: controls.variety,
            self.vividness: controls.vividness,
            self.seed: controls.seed,
            **self.steering.show(session, controls),
        }
        if session.colourings:
            kept = self._keep(session, album, controls)
            large = self.pictures.large(session, controls.vividness, value=controls.drawn)
            return {**update, **self.pictures.four(session, controls.vividness), **large, **kept}
        return {**update, **self.albums.show(album, session), **self.pictures.before(session, controls.drawn)}

    def _clear(self, session: Session | None, album: Album | None) -> Any:
        """Remove all photographs but the present one from the album."""
        if album is None:
            return gr.skip()
        album = album.with_only(session.upload if session else None)
        return {self.album: album, self.albums.shelf: gr.Column(visible=False)}

    @cumulative
    def _draw(
        self,
        session: Session | None,
        album: Album | None,
        variety: Any,
        vividness: Any,
        seed: Any,
        drawn: Any,
        restore_levels: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # gradio's way to ask for one
        *steps: Any,
    ) -> Iterator[dict[Any, Any]]:
        """Show four colourings once they are painted; with other constraints, first a preview of the chosen one."""
        yield {self.session: gr.skip()}  # a generator that yields nothing would empty its outputs
        if session is None or album is None:
            return
        controls = self.ranges.read(variety, vividness, seed, drawn, restore_levels, *steps)
        try:
            steering = self.steering.constraints(session, controls)
            draw = self.colorizer, controls.variety, controls.seed
            if session.has_draw(*draw):
                preview = session.draw(*draw, steering, [session.chosen])
                if preview is not session:
                    yield self.pictures.preview(preview, controls.vividness)
            else:
                preview = session
            progress(0.1, tr("Drawing four colourings"))
            complete = preview.draw(*draw, steering)
            if complete is not session:
                for warning in complete.new_warnings(session):
                    inform(warning)
                for index in range(SAMPLES):
                    progress((index + 1) / (SAMPLES + 1), tr("Painting No. {number}", number=index + 1))
                    paint(complete, index, controls.vividness)
            # Shown even if it was there: a page handles answers side by side, so an older one may have replaced it.
            yield {self.session: complete, **self.pictures.four(complete, controls.vividness)}
            large = self.pictures.large(complete, controls.vividness)
            yield {**large, **self._keep(complete, album, controls)}
        except CinnError as error:
            warn(error)

    def _as_set(self, session: Session, _album: Album | None, *settings: Any) -> tuple[Session, Controls]:
        """Draw what the controls say if that is still to be done, so that a download is what was asked for."""
        controls = self.ranges.read(*settings)
        steering = self.steering.constraints(session, controls)
        return session.draw(self.colorizer, controls.variety, controls.seed, steering), controls

    def _choose(self, index: Any, session: Session | None, album: Album | None, *settings: Any) -> Any:
        if session is None or album is None or index not in range(len(session.colourings)):
            return gr.skip()
        session, controls = dataclasses.replace(session, chosen=int(index)), self.ranges.read(*settings)
        try:
            large = self.pictures.large(session, controls.vividness)
            return {self.session: session, **large, **self._keep(session, album, controls)}
        except CinnError as error:
            warn(error)
            return gr.skip()

    @cumulative
    def _repaint(self, session: Session | None, album: Album | None, *settings: Any) -> Iterator[dict[Any, Any]]:
        """Show the same colourings with another vividness, the chosen one first."""
        if session is None or album is None or not session.colourings:
            yield {self.album: gr.skip()}
            return
        controls = self.ranges.read(*settings)
        try:
            yield self.pictures.preview(session, controls.vividness)
            yield self.pictures.four(session, controls.vividness)
            large = self.pictures.large(session, controls.vividness)
            yield {**large, **self._keep(session, album, controls)}
        except CinnError as error:
            warn(error)
            yield {self.album: gr.skip()}

    def _keep(self, session: Session, album: Album, controls: Controls) -> dict[Any, Any]:
        """Keep the present state in the album, to return to."""
        snapshot = Snapshot.of(session, controls)
        album = album.with_snapshot(snapshot)
        return {self.album: album, **self.albums.show(album, session, snapshot)}

    def _archive(self, session: Session | None, album: Album | None, *settings: Any) -> Iterator[Any]:
        if album is None:
            yield gr.skip(), None, gr.skip()
            return
        if session is not None and session.colourings:
            album = album.with_snapshot(Snapshot.of(*self._as_set(session, album, *settings)))
        reference = session.reference if session else None
        controls = self.ranges.read(*settings)
        yield from self.albums.write(Archive(album, self.colorizer, controls, reference, self.steering.constraints))
