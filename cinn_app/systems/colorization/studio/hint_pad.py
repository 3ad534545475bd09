"""The picture on which visitors draw: hints as points and strokes, and strokes over the region to keep.

The page sends ``{"hints": [{"colour", "points", "radius"}], "keep": [{"points", "radius"}]}``, in pixels of the upright
photograph, at any size on the screen. Editing, undo and redo happen in the page; the server sends the picture, and
hints from a file.
"""

from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from pydantic import TypeAdapter, ValidationError

from cinn_app.errors import CinnError
from cinn_app.studio.handlers import served
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.hints import Hint, Hints
from cinn_app.systems.colorization.region import Stroke
from cinn_app.systems.colorization.studio.pictures import gray
from cinn_app.systems.colorization.studio.session import Session

__all__ = ["Drawn", "HintPad", "to_payload"]

BOARD = later(
    "The photograph. Arrow keys move a cursor, Enter sets a hint there. Tab goes to the hints; arrow keys move a hint, "
    "Delete removes it."
)
POINTING = later(
    "Choose a colour, then click a thing or draw a short stroke on it. Only hue and vividness count; light and shade "
    "stay those of the photograph."
)
KEEPING = later("Paint over what is right, then redraw the rest.")
DIFFERING = later(
    "Bright where the four disagree most, apart from a tint of the whole picture: there the photograph leaves the "
    "colour open, and a hint helps."
)
HERE = Path(__file__).parent
DAMAGED = later("The drawing on the picture cannot be read: clear it, and draw again.")


class Drawn(NamedTuple):
    """What a visitor has drawn on a photograph.

    Attributes:
        hints: on the photograph, if any.
        strokes: over the region to keep.
    """

    hints: Hints | None = None
    strokes: tuple[Stroke, ...] = ()


class _Payload(NamedTuple):
    hints: tuple[Hint, ...] = ()
    keep: tuple[Stroke, ...] = ()


class HintPad:
    """Lays the pad out in the page that is being built."""

    def __init__(self) -> None:
        self.board = gr.HTML(
            None,
            html_template=_markup(),
            css_template=(HERE / "hint_pad.css").read_text("utf-8"),
            js_on_load=(HERE / "hint_pad.js").read_text("utf-8"),
            elem_id="hint-pad",
            padding=False,
            apply_default_css=False,
            scene=None,
        )

    def read(self, payload: Any, size: tuple[int, int]) -> Drawn:
        """Parse what the page has sent for a photograph of height and width `size`.

        Raises:
            CinnError: if it cannot be parsed, or lies outside the photograph.
        """
        if not payload:
            return Drawn()
        try:
            hints, strokes = TypeAdapter(_Payload).validate_python(payload)
        except (ValidationError, TypeError) as error:
            raise CinnError(DAMAGED) from error
        return Drawn(Hints(hints).on(size) if hints else None, strokes)

    def show(self, session: Session, picture: Path, uncertainty: Path | None = None, **value: Any) -> gr.HTML:
        """Show a picture of a session. What is drawn stays, unless the photograph is another one.

        Args:
            session: its folder identifies the photograph.
            picture: to show.
            uncertainty: the map that is shown on demand.
            value: ``value=None`` clears what is drawn, any other value replaces it.
        """
        height, width = session.size
        scene = {
            "photograph": session.folder.name,
            "width": width,
            "height": height,
            "picture": served(picture),
            "gray": served(gray(session)),
            "map": uncertainty and served(uncertainty),
            "drawn": value.get("value"),
        }
        return gr.HTML(scene=scene, **value)


def to_payload(hints: Hints, drawn: Any = None) -> dict[str, Any]:
    """Return the value of the pad that shows hints, with the strokes over the region to keep that are there."""
    dumped = TypeAdapter(Hints).dump_python(hints, mode="json", exclude_defaults=True)
    return {"hints": dumped["hints"], "keep": (drawn or {}).get("keep", [])}


def _markup() -> str:
    return f"""
<div class="tools" role="toolbar" aria-label="{tr("Tools")}">
  <div class="modes" role="radiogroup" aria-label="{tr("Pointer mode")}">
    <button type="button" role="radio" data-mode="hint" aria-checked="true">{tr("Point at colours")}</button>
    <button type="button" role="radio" data-mode="keep" aria-checked="false">{tr("Keep a region")}</button>
  </div>
  <div class="hint-tools">
    <input type="color" class="colour" value="#b0412e" aria-label="{tr("Wanted colour")}" title="{tr("Wanted colour")}">
    <input type="text" class="hex" value="#b0412e" maxlength="7" spellcheck="false"
      aria-label="{tr("Wanted colour as #RRGGBB")}">
    <button type="button" class="dropper" title="{tr("Pick a colour from the picture or the screen")}">
      {tr("Eyedropper")}</button>
  </div>
  <div class="keep-tools" hidden>
    <label>{tr("Brush")}
      <input type="range" class="brush" min="1" max="20" value="6" aria-label="{tr("Size of the brush")}"></label>
    <button type="button" class="redraw" disabled>{tr("Redraw the rest")}</button>
  </div>
  <div class="history">
    <button type="button" class="undo" title="{tr("Undo (Ctrl+Z)")}"
      aria-label="{tr("Undo")}" disabled>&#8630;</button>
    <button type="button" class="redo" title="{tr("Redo (Ctrl+Shift+Z)")}"
      aria-label="{tr("Redo")}" disabled>&#8631;</button>
    <button type="button" class="remove" title="{tr("Remove the selected hint (Delete)")}"
      disabled>{tr("Remove")}</button>
    <button type="button" class="clear" disabled>{tr("Clear")}</button>
  </div>
</div>
<div class="board" tabindex="0" role="application"
  aria-label="{tr(BOARD)}">
  <img class="picture" alt="{tr("The chosen colouring")}" draggable="false">
  <img class="over gray" alt="{tr("The original photograph")}" draggable="false" hidden>
  <img class="over map" alt="{tr("Where the four differ")}" draggable="false" hidden>
  <svg aria-hidden="true"></svg>
  <div class="marks"></div>
  <div class="cursor" hidden></div>
</div>
<div class="below">
  <p class="hint-tools">{tr(POINTING)}</p>
  <p class="keep-tools" hidden>{tr(KEEPING)}</p>
  <button type="button" class="shows" data-over="gray" aria-pressed="false">{tr("Show the original")}</button>
  <button type="button" class="shows" data-over="map" aria-pressed="false">{tr("Show where the four differ")}</button>
  <p class="differing" hidden>{tr(DIFFERING)}</p>
</div>
"""
