"""The film panel of the digits tab: from digit A to digit B and back, to watch and to download."""

import base64
from collections.abc import Callable
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.imaging import FILM_FORMATS
from cinn_app.studio.handlers import COMPUTING, SAVE_FILE, warn
from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.studio.controls import FRAMES, Controls, film_file, film_name, transition
from cinn_app.systems.digits.studio.markup import strip

__all__ = ["FilmPanel"]

LEAD = later("From A to B, the two digits marked in the grid above. Click others there to choose them.")
FORMATS = {"gif": "GIF", "webp": "WebP"}
# The frames are side by side in one picture, which is shifted. The film starts by itself, unless the visitor's system
# asks for little motion, and plays only while it can be seen.
PLAYING = f"""
const last = {FRAMES - 1}, pause = 10, moment = 80;
const slider = element.querySelector("input"), calm = matchMedia("(prefers-reduced-motion: reduce)");
let tick = 0, timer = null, seen = false;
const show = (frame) => {{
    const strip = element.querySelector(".screen img");
    if (strip) strip.style.transform = `translateX(${{-100 * frame / (last + 1)}}%)`;
    slider.value = frame;
}};
const step = () => {{
    const round = tick++ % (2 * (last + pause));  // there, wait, back, wait
    show(Math.min(round, last) - Math.min(Math.max(round - last - pause, 0), last));
}};
const run = () => {{
    clearInterval(timer);
    timer = seen && "playing" in element.dataset ? setInterval(step, moment) : null;
}};
const play = (on) => {{
    if (on) element.dataset.playing = "";
    else delete element.dataset.playing;
    run();
}};
element.querySelector(".play").addEventListener("click", () => play(!("playing" in element.dataset)));
slider.addEventListener("input", () => {{
    play(false);
    tick = Number(slider.value);
    show(tick);
}});
calm.addEventListener("change", () => calm.matches && play(false));
new IntersectionObserver((entries) => {{
    seen = entries.at(-1).isIntersecting;
    run();
}}).observe(element);
watch("value", () => show(Number(slider.value)));
play(!calm.matches);
"""


class FilmPanel:
    """Lays out the film in the page that is being built, and answers visitors.

    Args:
        generator: shared by all visitors.
        read: reads the controls of the tab.
    """

    def __init__(self, generator: DigitGenerator, read: Callable[..., Controls]) -> None:
        self.generator, self.read = generator, read
        gr.HTML(f"<p>{tr(LEAD)}</p>", elem_classes="panel-lead")
        with gr.Row(elem_id="film-row"):
            self.film = gr.HTML("", html_template=_player(), js_on_load=PLAYING, scale=0, min_width=282, elem_id="film")
            with gr.Column(min_width=200, elem_id="film-download"):
                self.format = gr.Radio(
                    [(FORMATS[name], name) for name in FILM_FORMATS],
                    value=FILM_FORMATS[0],
                    label=tr("File format"),
                    elem_id="film-format",
                    elem_classes="chips",
                )
                self.download = gr.Button(tr("Download"), variant="primary", scale=0, elem_id="download-film")
        self.file = gr.JSON(visible="hidden", elem_id="film-file")

    def connect(self, chosen: gr.State, controls: list[Any]) -> None:
        """Let the download act; `chosen` has the cells A and B."""
        self.download.click(
            self._download, [self.format, chosen, *controls], self.file, show_progress="hidden", **COMPUTING
        ).then(None, self.file, js=SAVE_FILE)

    def show(self, chosen: tuple[int, int], *settings: Any) -> Any:
        """Make the film."""
        try:
            controls = self.read(*settings)
            images = transition(self.generator, controls, controls.existing(chosen), FRAMES)
            return strip(images, tr("Film from digit A to digit B"))
        except CinnError as error:
            warn(error)
            return gr.skip()

    def _download(self, format: str, chosen: tuple[int, int], *settings: Any) -> Any:
        try:
            controls = self.read(*settings)
            ends = controls.existing(chosen)
            film = base64.b64encode(film_file(self.generator, controls, ends, format)).decode()
            name = film_name(self.generator, controls, ends, format)
        except CinnError as error:
            warn(error)
            return None
        return {"orig_name": name, "url": f"data:image/{format};base64,{film}"}


def _player() -> str:
    return f"""
<div class="ink screen">${{value}}</div>
<div class="player">
  <button class="play" type="button"><span>▶ {tr("Play")}</span><span>❚❚ {tr("Pause")}</span></button>
  <input type="range" min="0" max="{FRAMES - 1}" value="0" aria-label="{tr("Position between A and B")}">
</div>
"""
