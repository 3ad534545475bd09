"""The menu of downloads: the picture in view, in three forms, and all photographs in one file."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import COMPUTING, served, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.studio.archive import Archive
from cinn_app.systems.colorization.studio.pictures import Told, export, export_colours
from cinn_app.systems.colorization.studio.session import Controls, Session
from cinn_app.systems.colorization.studio.texts import failed

__all__ = ["DownloadMenu"]

#: What is downloaded: the picture in the format of the photograph, as PNG, its colours alone, or all photographs.
THIS, PNG, COLOURS, ALL = "this", "png", "colours", "all"
MENU = {
    THIS: later("This picture"),
    PNG: later("This picture as PNG"),
    COLOURS: later("Its colours alone, as a layer"),
    ALL: later("All photographs (ZIP)"),
}
PAINTING, PAINTING_ALL = later("Painting at full size …"), later("Painting {number} of {count} …")
#: Seconds between two words on how much is done.
PAUSE = 0.5
#: The button says what is going on. The menu is one of the ARIA practices.
SCRIPT = """
const opener = element.querySelector(".opener"), menu = element.querySelector("[role=menu]");
const items = () => [...menu.children].filter((one) => one.offsetParent);
const open = (value) => {
    if (menu.hidden !== value) return;
    const focused = menu.contains(document.activeElement);
    menu.hidden = !value;
    opener.setAttribute("aria-expanded", value);
    if (value) items()[0].focus();
    else if (focused) opener.focus();
};
opener.addEventListener("click", () => open(menu.hidden));
opener.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    open(true);
});
menu.addEventListener("click", (event) => {
    const { kind } = event.target.closest("button").dataset;
    open(false);
    props.value = kind;
    trigger(kind === "all" ? "all" : "one");
});
menu.addEventListener("keydown", (event) => {
    const all = items(), here = all.indexOf(document.activeElement);
    const goal = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") open(false);
    if (event.key === "Tab" || (goal === undefined && event.key !== "Escape")) return;
    event.preventDefault();
    if (goal !== undefined) all.at(goal % all.length).focus();
});
document.addEventListener("pointerdown", (event) => {  // on the picture it does no more than this
    if (menu.hidden || element.contains(event.target)) return;
    open(false);
    event.stopPropagation();
}, true);
const state = { ready: false, busy: "", done: 0 };
const show = () => {  // an answer says only what it changes
    for (const name of Object.keys(state)) state[name] = props[name] ?? state[name];
    opener.disabled = !state.ready || state.busy !== "";
    opener.firstElementChild.textContent = state.busy || opener.dataset.text;
    opener.style.setProperty("--done", state.done);
    opener.toggleAttribute("data-busy", state.busy !== "");
};
watch(["ready", "busy", "done"], show);
watch(["file"], () => window.saveFile(props.file));
show();
"""
STYLE = """
.opener { display: block; width: 100%; min-height: 44px; padding: 8px 14px; border: none; border-radius: 8px;
    background: linear-gradient(rgb(0 0 0 / 30%), rgb(0 0 0 / 30%)) no-repeat 0 0 / calc(100% * var(--done, 0)) 100%,
    var(--button-primary-background-fill); color: white; font-size: 16px; font-weight: 600; cursor: pointer; }
.opener:hover:enabled { filter: brightness(1.1); }
.opener:disabled { cursor: default; opacity: 0.75; }
.opener i { margin-left: 8px; font-style: normal; }
.opener:disabled i { display: none; }
@media (max-width: 860px) {  /* at the end of the bar of tools */
    .opener:not([data-busy]) { padding: 8px 2px; font-size: 11.5px; }
    .opener i { display: none; }
    [role=menu] { left: auto !important; width: 250px; }
}
[role=menu] { position: absolute; right: 0; bottom: calc(100% + 4px); left: 0; z-index: 5; padding: 6px;
    border: 1px solid var(--border-color-primary); border-radius: 8px; background: var(--block-background-fill);
    box-shadow: 0 6px 24px rgb(0 0 0 / 30%); }
[role=menu][hidden] { display: none; }
[role=menuitem] { display: block; width: 100%; min-height: 40px; padding: 6px 10px; border: none; border-radius: 6px;
    background: none; color: var(--body-text-color); font-size: 14.5px; text-align: left; cursor: pointer; }
[role=menuitem]:is(:hover, :focus) { background: var(--background-fill-secondary); }
"""


class DownloadMenu:
    """Lays the button and its menu out in the page that is being built."""

    def __init__(self) -> None:
        items = "".join(
            f'<button type="button" role="menuitem" tabindex="-1" data-kind="{kind}">{tr(text)}</button>'
            for kind, text in MENU.items()
        )
        self.box = gr.HTML(
            None,
            html_template=f"""<button type="button" class="opener" data-text="{tr("Download")}" aria-haspopup="menu"
  aria-expanded="false" disabled><span role="status">{tr("Download")}</span><i aria-hidden="true">&#9662;</i></button>
<div role="menu" aria-label="{tr("Download")}" hidden>{items}</div>""",
            css_template=STYLE,
            js_on_load=SCRIPT,
            elem_id="download",
            padding=False,
            apply_default_css=False,
            ready=None,
            busy=None,
            done=None,
            file=None,
        )

    def connect(
        self,
        as_set: Callable[..., tuple[Session, Controls]],
        archive: Callable[..., Archive | None],
        state: Sequence[Any],
        notice: gr.HTML,
    ) -> None:
        """Let the menu download.

        Args:
            as_set: from the state, draws what the controls say if that is still to be done.
            archive: of all photographs, from the state; None without any.
            state: the session, the album and the controls.
            notice: says which photographs cannot be coloured.
        """
        self.as_set, self.archive, self.notice = as_set, archive, notice
        hidden: dict[str, Any] = {"show_progress": "hidden", **COMPUTING}
        self.box.one(self._one, [self.box, *state], self.box, **hidden)
        # In a queue of its own: an album takes minutes, for which other visitors should not wait.
        archiving = {**hidden, "concurrency_id": "archives", "trigger_mode": "once"}
        self.box.all(self._all, list(state), [self.box, notice], **archiving)

    def enable(self, value: bool) -> dict[Any, Any]:
        """Allow downloads, or none while there are no colours."""
        return {self.box: gr.HTML(ready=value)}

    def _one(self, kind: Any, session: Session | None, *state: Any) -> Iterator[gr.HTML]:
        """Paint at full resolution, which takes a while for a large photograph."""
        if session is None or not session.colourings:
            yield gr.skip()
            return
        yield _busy(tr(PAINTING))
        file = None
        try:
            session, controls = self.as_set(session, *state)

            def paint(progress: Told) -> Path:
                if kind == COLOURS:
                    return export_colours(session, controls.vividness, progress)
                return export(session, controls.vividness, ".png" if kind == PNG else None, progress)

            file = yield from _painting(paint)
        except CinnError as error:
            warn(error)
        yield _finished(file)

    def _all(self, *state: Any) -> Iterator[Any]:
        """Write all photographs into one file."""
        file, problems = None, tuple[CinnError, ...]()
        try:
            archive = self.archive(*state)
            if archive is None:
                yield {self.notice: gr.skip()}
                return
            count = len(archive.album.photographs)
            yield {self.box: _busy(tr(PAINTING_ALL, number=1, count=count))}
            for progress in archive.write():
                file, problems = progress.path, progress.problems
                text = tr(PAINTING_ALL, number=min(progress.done + 1, count), count=count)
                yield {self.box: _busy(text, progress.done / count)}
        except CinnError as error:
            warn(error)
        yield {self.box: _finished(file), self.notice: failed(problems) if problems else gr.skip()}


def _painting(paint: Callable[[Told], Path]) -> Generator[gr.HTML, None, Path]:
    """Paint in a thread, and say meanwhile how much of it is done."""
    done = 0.0

    def told(share: float) -> None:
        nonlocal done
        done = share

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(paint, told)
        while wait([job], PAUSE).not_done:
            yield _busy(f"{tr(PAINTING)} {done:.0%}", done)
    return job.result()


def _busy(text: str, done: float = 0) -> gr.HTML:
    return gr.HTML(busy=text, done=done, file=None)


def _finished(file: Path | None) -> gr.HTML:
    described = file and {**served(file), "orig_name": file.name, "size": file.stat().st_size}
    return gr.HTML(busy="", done=0, file=described)
