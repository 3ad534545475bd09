"""The tab that colours photographs: one in, four colourings side by side, the chosen one large and to download."""

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.imaging import sample_photographs
from cinn_app.studio.controls import SEEDS, keep_in_address
from cinn_app.studio.files import new_kept_folder, upload_folder
from cinn_app.studio.gradio_workarounds import cumulative
from cinn_app.studio.handlers import COMPUTING, QUIET, inform, warn
from cinn_app.studio.language import later, tr
from cinn_app.studio.strip import Strip
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.album import (
    MAX_PHOTOGRAPHS,
    Album,
    AlbumPhotograph,
    Opened,
    Snapshot,
    look_at,
    save_gray,
)
from cinn_app.systems.colorization.studio.album_panel import ASK, REALLY, AlbumPanel
from cinn_app.systems.colorization.studio.archive import Archive
from cinn_app.systems.colorization.studio.details_panel import DetailsPanel
from cinn_app.systems.colorization.studio.results_panel import PICKED, ResultsPanel
from cinn_app.systems.colorization.studio.session import STEPS, VIVIDNESS, ControlRanges, Controls, Session
from cinn_app.systems.colorization.studio.stage import Stage, drawn_on, next_frame, shows, shows_another
from cinn_app.systems.colorization.studio.steering_panel import SteeringPanel
from cinn_app.systems.colorization.studio.temperatures_panel import TemperaturesPanel
from cinn_app.systems.colorization.studio.texts import HELP, empty, failed, opened

__all__ = ["ColorizeTab"]

CHOOSE, ADD = later("Choose photographs"), later("Add")
#: How many photographs of an album are looked at before they are shown.
AT_ONCE = 8
#: Seconds between two photographs that are coloured in the background.
PAUSE = 1.0
TOO_MANY = later("Only the first {taken} of {given} files were added.")
FORGOTTEN = later(
    "Your photographs are no longer here, because the studio was restarted or a day has passed: choose them again."
)


class ColorizeTab:
    """Lays the tab out in the page that is being built, and handles its events.

    What belongs to a visitor is in `gr.State`: the session in view, and the album.

    Args:
        colorizer: shared by all visitors, and never changed.
    """

    title = later("Colour")

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer
        self.ranges = ControlRanges(colorizer)
        self.samples = list(sample_photographs().values())
        self.session = gr.State(None)
        self.timer = gr.Timer(PAUSE, active=False)
        with gr.Column(elem_id="colorize"):
            self.empty = gr.HTML(empty(), elem_id="empty")
            with (
                gr.Column(visible=False, elem_id="results") as self.results,
                gr.Row(equal_height=False, elem_id="desk"),
            ):
                self._lay_out_desk()
            with gr.Row(elem_id="filmstrip"):
                self.albums = AlbumPanel()
                with gr.Column(scale=0, min_width=150, elem_id="upload"):
                    self.upload = gr.UploadButton(tr(CHOOSE), file_count="multiple", elem_id="upload-button")
            self.notice = gr.HTML(visible=False, elem_id="notice")
            with gr.Column(elem_id="try-samples") as self.try_samples:
                self.sample = gr.Dataset(
                    components=[gr.Image(type="filepath", render=False)],
                    samples=[[str(path)] for path in _small(sample_photographs())],
                    label=tr("Or try one of these"),
                    type="index",
                    elem_id="samples",
                )
            with gr.Accordion(tr("Details"), open=False, elem_id="details"):
                self._lay_out_details()
        self._connect()

    def _lay_out_desk(self) -> None:
        with gr.Column(scale=7, min_width=320, elem_id="stage-side"):
            self.stage = Stage()
        with gr.Column(scale=3, min_width=290, elem_id="choice"):
            self.details = DetailsPanel(self.colorizer, self._as_set)
            self.pictures = ResultsPanel(self.stage, self.details)
            with gr.Column(elem_id="tools"):
                self.vividness = VIVIDNESS.slider(step=0.05, label=tr("Vivid"), buttons=[], elem_id="vividness")
                self.steering = SteeringPanel(self.stage)
            self.pictures.lay_out_download()

    def _lay_out_details(self) -> None:
        with gr.Row(elem_id="draw"):
            usually = tr("usually {usual:g}", usual=self.ranges.variety.default)
            self.variety = self.ranges.variety.slider(step=0.05, label=tr("Variety"), info=usually, elem_id="variety")
            self.seed = SEEDS.box(label=tr("Seed"), min_width=100, elem_id="seed")
        self.temperatures = TemperaturesPanel(self.ranges)
        self.steering.lay_out_details()
        self.details.lay_out()
        gr.Markdown(tr(HELP), elem_id="help")

    def _connect(self) -> None:
        gallery, large = self.pictures.gallery, self.pictures.outputs
        settings = [self.variety, self.vividness, self.seed]
        state = [self.session, self.albums.album, *settings, *self.steering.inputs, *self.temperatures.inputs]
        album = [self.timer, *self.albums.outputs]
        drawing: dict[str, Any] = {
            "fn": self._draw,
            "inputs": state,
            "outputs": [self.session, gallery, *large, *album],
            "show_progress_on": gallery,
            **COMPUTING,
        }
        page = [self.session, self.upload, self.notice, self.empty, self.results, self.try_samples, gallery, *settings]
        opening: dict[str, Any] = {
            "outputs": [*page, *self.steering.outputs, *self.temperatures.inputs, *large, *album],
            **COMPUTING,
        }
        each = {**opening, "trigger_mode": "multiple"}  # of several removals the last one is not enough
        hidden: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        photographs, board = self.albums.photographs.box, self.stage.board
        for event in (
            self.upload.upload(
                self._open_uploads, [self.upload, *state], show_progress_on=[self.empty, gallery], **opening
            ),
            self.sample.click(self._open_sample, [self.sample, *state], show_progress_on=self.sample, **opening),
            photographs.select(self._select, [photographs, *state], show_progress_on=gallery, **opening),
            photographs.delete(self._remove, [photographs, *state], show_progress_on=gallery, **each),
            board.restore(self._return_to, [board, *state], show_progress_on=gallery, **opening),
            board.frame(self._reframe, [board, *state], show_progress_on=gallery, **opening),
            self.albums.key.find(self._come_back, [self.albums.key, *state], show_progress_on=self.empty, **opening),
        ):
            event.then(**drawing)
        self.albums.key.input(self._use, [self.session, self.albums.album], **QUIET)
        clearing = {"js": ASK.format(question=json.dumps(tr(REALLY))), **opening}
        self.albums.clear.click(self._clear, [self.albums.sure, *state], show_progress_on=gallery, **clearing)
        self.pictures.dice.click(self.steering.again, [self.session, board], [self.session, self.seed], **hidden).then(
            **drawing
        )
        gr.on([self.seed.submit, self.seed.blur, self.variety.release, self.vividness.release], **drawing)
        choosing = [self.pictures.picked, *state]
        # Controls that were moved meanwhile may want other colours than those that are chosen.
        gallery.select(self._choose, choosing, [self.session, gallery, *large, *album], js=PICKED, **hidden).then(
            **drawing
        )
        self.steering.connect(self.session, self.albums.album, self.timer, self.seed, drawing)
        self.temperatures.connect(self.variety, drawing)
        self.pictures.connect(self._as_set, state)
        self.details.connect(state, self.steering.sliders, drawing)
        self.pictures.menu.connect(self._as_set, self._archive, state, self.notice)
        # One photograph at a time, so that a visitor who turns to another one waits for no more.
        self.timer.tick(self._colour_next, state, [self.notice, *album], **{**hidden, "trigger_mode": "once"})
        keep_in_address(
            {
                "seed": (self.seed, SEEDS),
                "variety": (self.variety, self.ranges.variety),
                "vividness": (self.vividness, VIVIDNESS),
                **{axis.name: (slider, STEPS) for axis, slider in zip(AXES, self.steering.sliders, strict=True)},
            }
        )

    def _read(self, session: Session | None, settings: Sequence[Any]) -> Controls:
        """Read the controls; what was drawn counts for the photograph that it was drawn on."""
        variety, vividness, seed, drawn, *rest = settings
        return self.ranges.read(variety, vividness, seed, drawn_on(session, drawn), *rest)

    def _open_uploads(
        self, payload: list[dict[str, Any]] | None, present: Session | None, album: Album | None, *settings: Any
    ) -> Any:
        """Add uploads to the album, and show the first one that can be read."""
        files = [Path(file["path"]) for file in payload or []]
        return self._add(files, present, album, settings) if files else gr.skip()

    def _come_back(self, asked: Any, present: Session | None, album: Album | None, *settings: Any) -> Any:
        """Show the album that this page had before it was loaded again."""
        kept = self.albums.store.find(asked)
        if album:  # the visitor was quicker
            return gr.skip()
        if kept is None or not kept.album.photographs:
            return {self.notice: failed([FORGOTTEN])} if kept is None and asked and asked.get("again") else gr.skip()
        shown = (kept.shown and kept.album.find(kept.shown)) or kept.album.photographs[0]
        return self._turn_to(shown.key, None, kept.album, *settings)

    def _use(self, session: Session | None, album: Album | None) -> None:
        """Keep the album of a page that is open, and that nobody has touched for a while."""
        if album:
            self.albums.keep(album, session)

    def _open_sample(self, index: int, present: Session | None, album: Album | None, *settings: Any) -> Any:
        return self._add([self.samples[index]], present, album, settings)

    def _add(
        self, files: Sequence[Path], present: Session | None, album: Album | None, settings: Sequence[Any]
    ) -> dict[Any, Any]:
        album = self._keeping(album or Album(new_kept_folder()), present, settings)
        problems: list[str | CinnError] = []
        if len(files) > MAX_PHOTOGRAPHS:
            problems.append(tr(TOO_MANY, given=len(files), taken=MAX_PHOTOGRAPHS))
        controls = self._read(present, settings)
        files = files[:MAX_PHOTOGRAPHS]
        for number, file in enumerate(files):
            try:
                first = look_at(album.adopt(file), album.folder)
                others = map(AlbumPhotograph, map(album.adopt, files[number + 1 :]))  # looked at in the background
                with_all = album.with_photographs((first, *others))
                return self._show(with_all.open(first.upload, present, controls, self.colorizer), with_all, problems)
            except CinnError as error:
                problems.append(error)
        return {**self.albums.keep(album, present), self.upload: None, self.notice: failed(problems)}

    def _select(self, value: Any, *state: Any) -> Any:
        """Show the photograph that was chosen in the strip."""
        return self._turn_to(Strip.key(value, "select"), *state)

    def _turn_to(self, key: Any, present: Session | None, album: Album | None, *settings: Any) -> Any:
        """Show another photograph of the album."""
        number = album.number(key) if album else None
        if album is None or number is None:  # removed meanwhile
            return gr.skip()
        album, controls = self._keeping(album, present, settings), self._read(present, settings)
        try:
            one = album.turn_to(album.photographs[number].upload, present, controls, self.colorizer)
            return self._show(one, album)
        except CinnError as error:
            return {**self.albums.show(album, present, key), self.notice: failed([error.message])}

    def _keeping(self, album: Album, session: Session | None, settings: Sequence[Any]) -> Album:
        """Keep what is set and drawn with the photograph that the page showed: another may have been opened since."""
        drawn = settings[3]
        for one in (session, *(one.snapshot.session for one in album.photographs if one.snapshot)):
            if one and shows(one, drawn):
                kept = album.find(one.upload)
                one = one.reframed(kept.frame if kept and kept.frame else one.frame)
                return album.with_controls(one.upload, self._read(one, settings))
        return album

    def _wanted(self, session: Session, album: Album | None, settings: Sequence[Any]) -> Controls:
        """Read the controls of a photograph, or what is kept of them where the page showed another one."""
        kept = album.find(session.upload) if album and shows_another(session, settings[3]) else None
        wanted = album.wanted(kept) if album and kept else None
        return wanted[1] if wanted else self._read(session, settings)

    def _remove(self, value: Any, present: Session | None, album: Album | None, *settings: Any) -> Any:
        """Remove a photograph; the one in view gives way to its neighbour."""
        number = album.number(Strip.key(value, "delete")) if album else None
        if album is None or number is None:
            return gr.skip()
        upload = album.photographs[number].upload
        album = album.without(upload)
        if not album.photographs:
            return self._show_nothing(album)
        if present is not None and present.upload == upload:
            neighbour = album.photographs[min(number, len(album.photographs) - 1)]
            return self._turn_to(neighbour.key, None, album, *settings)
        return self.albums.show(album, present)

    def _clear(self, sure: Any, _present: Session | None, album: Album | None, *_settings: Any) -> Any:
        """Remove all photographs."""
        return self._show_nothing(album.cleared()) if sure and album else gr.skip()

    def _show_nothing(self, album: Album) -> dict[Any, Any]:
        return {
            self.session: None,
            self.upload: gr.UploadButton(tr(CHOOSE), value=None),
            self.notice: gr.HTML(visible=False),
            self.empty: gr.HTML(visible=True),
            self.results: gr.Column(visible=False),
            self.try_samples: gr.Column(visible=True),
            **self.albums.show(album, None),
        }

    def _return_to(self, board: Any, present: Session | None, album: Album | None, *settings: Any) -> Any:
        """Return to an earlier state of a photograph, and show it unless another one has been opened since."""
        if album is None or present is None or not isinstance(board, dict):
            return gr.skip()
        try:
            album = album.at_snapshot(board.get("snapshot"))
            if shows_another(present, board):
                return {**self.albums.show(album, present), self.timer: gr.Timer(active=bool(album.waiting))}
            controls = self._read(present, settings)
            return self._show(album.turn_to(present.upload, present, controls, self.colorizer), album)
        except CinnError as error:
            warn(error)
            return gr.skip()

    def _reframe(self, board: Any, present: Session | None, album: Album | None, *settings: Any) -> Any:
        """Show another part of the picture in view, or turn it."""
        asked = board.get("photograph") if isinstance(board, dict) else None
        if album is None or present is None or asked != present.folder.name:
            return gr.skip()
        try:
            session = present.reframed(next_frame(present, board)).resume()
            controls = self._read(present, settings)._replace(drawn=drawn_on(session, board))
            album = album.noting(session.upload, frame=session.frame, controls=controls)
            return self._show(Opened(session, controls), album)
        except CinnError as error:
            warn(error)
            return gr.skip()

    def _show(self, one: Opened, album: Album, problems: Sequence[str | CinnError] = ()) -> dict[Any, Any]:
        """Show a photograph with its colourings, or gray without any, and set the controls."""
        session, controls, _ = one
        update = {
            self.session: session,
            self.upload: gr.UploadButton(tr(ADD), value=None),  # ready for the next one
            self.notice: failed(problems) if problems else opened(one),
            self.empty: gr.HTML(visible=False),
            self.results: gr.Column(visible=True),
            self.try_samples: gr.Column(visible=False),
            self.variety: controls.variety,
            self.vividness: controls.vividness,
            self.seed: controls.seed,
            **self.steering.show(session, album, controls),
            **self.temperatures.show(controls),
            self.timer: gr.Timer(active=bool(album.waiting)),
        }
        kept, drawn = album.find(session.upload), controls.drawn
        if session.colourings and not (kept and kept.controls):
            four = self.pictures.four(session, controls.vividness)
            return {**update, **four, **self._large(session, album, controls, opened=True)}
        update |= self.albums.show(album, session)
        if not session.colourings:
            return {**update, **self.pictures.before(session, drawn, album.states(session.upload))}
        # Something was set or drawn since, so this is no state to return to.
        four = self.pictures.four(session, controls.vividness)
        states = album.states(session.upload)
        return {**update, **four, **self.pictures.large(session, controls, None, states, True)}

    def _large(self, session: Session, album: Album, controls: Controls, opened: bool = False) -> dict[Any, Any]:
        """Show the chosen colouring large, and keep the present state in the album.

        The controls may have been moved since it was drawn. Then it waits to be drawn again, also if the visitor turns
        to another photograph before.
        """
        album = album.with_snapshot(Snapshot.of(session, controls))
        wanted = controls.temperature, controls.seed, self.steering.constraints(session, controls), [session.chosen]
        if session.missing(self.colorizer, *wanted):
            album = album.noting(session.upload, controls=controls)
        one = album.find(session.upload)
        number = one.snapshot.number if one and one.snapshot else 0
        states = album.states(session.upload) if opened else ()  # what is opened brings them; all else is known
        large = self.pictures.large(session, controls, number, states, opened)
        return {**large, **self.albums.show(album, session)}

    @cumulative
    def _draw(self, session: Session | None, album: Album | None, *settings: Any) -> Iterator[dict[Any, Any]]:
        """Show four colourings once they are painted; of the same draw, first a preview of the chosen one."""
        if session is None or album is None:
            yield {self.session: gr.skip()}  # a generator that yields nothing would empty its outputs
            return
        album = self._keeping(album, session, settings)
        kept = self.albums.keep(album, session)
        if shows_another(session, settings[3]):
            yield {**kept, self.timer: gr.Timer(active=bool(album.waiting))}
            return
        controls = self._read(session, settings)
        if not (controls.drawn and controls.drawn["keep"]):  # let go: what is painted next is another part
            session = dataclasses.replace(session, region=None)
        try:
            steering = self.steering.constraints(session, controls)
            draw = self.colorizer, controls.temperature, controls.seed
            preview = session
            if session.has_draw(*draw):
                preview = session.draw(*draw, steering, [session.chosen])
                if preview is not session or album.find(session.upload) in album.waiting:
                    yield {**kept, **self.pictures.preview(preview, controls.vividness)}
            else:
                yield kept
            complete = preview.draw(*draw, steering)
            if complete is not session:
                for warning in complete.new_warnings(session):
                    inform(warning)
            # Shown even if it was there: a page handles answers side by side, so an older one may have replaced it.
            yield {
                **kept,
                self.session: complete,
                **self.pictures.four(complete, controls.vividness, not session.has_draw(*draw)),
            }
            yield self._large(complete, album, controls)
        except CinnError as error:
            warn(error)
            yield kept

    def _as_set(self, session: Session, album: Album | None, *settings: Any) -> tuple[Session, Controls]:
        """Draw what the controls say if that is still to be done, so that a download is what was asked for."""
        controls = self._wanted(session, album, settings)
        steering = self.steering.constraints(session, controls)
        return session.draw(self.colorizer, controls.temperature, controls.seed, steering), controls

    def _choose(self, index: Any, session: Session | None, album: Album | None, *settings: Any) -> Any:
        if session is None or album is None or shows_another(session, settings[3]):
            return gr.skip()
        if index not in range(len(session.colourings)):
            return gr.skip()
        session, controls = dataclasses.replace(session, chosen=int(index)), self._read(session, settings)
        try:
            album = album.noting(session.upload, picked=True)
            return {self.session: session, **self.pictures.mark(session), **self._large(session, album, controls)}
        except CinnError as error:
            warn(error)
            return gr.skip()

    def _colour_next(self, session: Session | None, album: Album | None, *settings: Any) -> Any:
        """Look at new photographs of the album, or colour the next one that has no colours yet."""
        looked_at, problems = album.looked_at(AT_ONCE) if album else (None, [])
        if looked_at is not None and looked_at is not album:
            notice = {self.notice: failed(problems)} if problems else {}
            return {**self.albums.show(looked_at, session), **notice}
        present = session.upload if session else None
        one = next((one for one in album.waiting if one.upload != present), None) if album else None
        if album is None or one is None:
            return {self.timer: gr.Timer(active=False)}
        begun = time.monotonic()
        try:
            opened, controls, _ = album.turn_to(one.upload, None, self._read(None, settings), self.colorizer)
            steering = self.steering.constraints(opened, controls)
            opened = opened.draw(self.colorizer, controls.temperature, controls.seed, steering)
            album = album.with_snapshot(Snapshot.of(opened, controls))
        except CinnError:  # said when the visitor turns to it
            album = album.noting(one.upload, unreadable=True)
        self.albums.note_pace(time.monotonic() - begun + PAUSE)
        return self.albums.show(album, session)

    def _archive(self, session: Session | None, album: Album | None, *settings: Any) -> Archive | None:
        if album is None:
            return None
        if session is not None and session.colourings:
            album = album.with_snapshot(Snapshot.of(*self._as_set(session, album, *settings)))
        controls = self._read(session, settings)
        return Archive(album, self.colorizer, controls, self.steering.constraints)


def _small(photographs: Mapping[str, Path]) -> list[Path]:
    """Write small gray pictures of photographs, which load at once, and return their files."""
    folder = upload_folder() / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {name: folder / f"{name}.jpg" for name in photographs}
    for name, path in pictures.items():
        if not path.exists():
            save_gray(photographs[name], path)
    return list(pictures.values())
