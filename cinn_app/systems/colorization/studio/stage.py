"""The large picture: to compare with the original, to zoom, and to draw on: hints, and strokes over a region to keep.

The page sends ``{"photograph", "part", "hints": [{"colour", "points", "radius"}], "keep": [{"points", "radius"}]}``, in
pixels of that part of the upright photograph, at any size on the screen. For undo and redo it also sends
``"snapshot"``, the number of the state to return to, and to crop or turn ``"frame"``, what of that part to use.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from pydantic import TypeAdapter, ValidationError

from cinn_app.errors import CinnError
from cinn_app.imaging import WHOLE, Frame
from cinn_app.studio.handlers import served
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.hints import Hint, Hints
from cinn_app.systems.colorization.region import Stroke
from cinn_app.systems.colorization.studio.pictures import gray
from cinn_app.systems.colorization.studio.session import Session

__all__ = [
    "Drawn",
    "Pictures",
    "Stage",
    "States",
    "drawn_on",
    "next_frame",
    "shows",
    "shows_another",
    "to_payload",
]

BOARD = later(
    "The photograph. Arrow keys move a cursor, Enter sets a colour there. Tab goes to the hints; arrow keys move a "
    "hint, Delete removes it. The space bar shows the original, plus and minus zoom."
)
#: Colours of things that people know best, as they look in photographs.
SWATCHES = {
    later("Fair skin"): "#e0b39a",
    later("Tan skin"): "#b98263",
    later("Dark skin"): "#74493a",
    later("Blond hair"): "#c8a468",
    later("Brown hair"): "#5c3d2a",
    later("Denim"): "#4b6690",
    later("Khaki"): "#a8976c",
    later("Wood"): "#8c5f3a",
    later("Brick"): "#9b4f3f",
    later("Leaf"): "#46703c",
    later("Grass"): "#7f9b4b",
    later("Sky"): "#86aedb",
    later("White"): "#f3f1ec",
}
SIGN = """<svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.6"
  aria-hidden="true"><path d="{path}"/></svg>"""
#: Signs that few fonts have. Tools have theirs where the bar is too narrow for words alone.
ENLARGE, PIPETTE, EYE, HALVES, QUESTION, BRUSH, CROP, WHOLE_PICTURE, ERASER, OPEN_LOCK = (
    SIGN.format(path=path)
    for path in (
        "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
        "M8 3.5L12.5 8M9.5 5l-6 6L2 14l3-1.5 6-6M10 4.5l2-2a1 1 0 0 1 1.5 1.5l-2 2",
        "M1 8c2-3.3 4.3-5 7-5s5 1.7 7 5c-2 3.3-4.3 5-7 5s-5-1.7-7-5zM8 6a2 2 0 1 0 0 4 2 2 0 1 0 0-4",
        "M2 3h12v10H2zM8 1v14",
        "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13M6 6.3a2 2 0 1 1 3 1.7c-.7.4-1 .7-1 1.5M8 11v1.2",
        "M14 2L7.5 8.5M7 8.5c-2.5-.5-3.5 1-3.5 3L2 13c3 1.5 6.5.5 6-3.5z",
        "M4.5 1v10.5H15M1 4.5h10.5V15",
        "M1.5 2.5h13v11h-13zM5 6h6v4H5z",
        "M3 10.5l6-6.5 4 3.5-5.5 6H5zM7.5 13.5H14",
        "M3 7.5h10V14H3zM5 7.5v-3a3 3 0 0 1 5.8-1",
    )
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


#: Numbers of snapshots, what was drawn in them, as the page sends it, and on which part of the picture.
States = Sequence[tuple[int, dict[str, Any] | None, Frame]]


class Pictures(NamedTuple):
    """What the stage shows of a session.

    Attributes:
        picture: the large one.
        uncertainty: the map that is shown on demand; without one the last one stays.
        snapshot: number of the state in the album, for undo; None for a preview.
        drawn: on the photograph in that state, as the page sends it.
        states: all that are kept of the photograph, for a page that knows none of them.
        four: name and file of each colouring, to compare two of them side by side.
    """

    picture: Path
    uncertainty: Path | None = None
    snapshot: int | None = None
    drawn: dict[str, Any] | None = None
    states: States = ()
    four: Sequence[tuple[str, Path]] = ()


class _Payload(NamedTuple):
    hints: tuple[Hint, ...] = ()
    keep: tuple[Stroke, ...] = ()


class Stage:
    """Lays the picture out in the page that is being built."""

    def __init__(self) -> None:
        self.board = gr.HTML(
            None,
            html_template=_markup(),
            css_template=(HERE / "stage.css").read_text("utf-8"),
            js_on_load=(HERE / "stage.js").read_text("utf-8"),
            elem_id="stage",
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

    def show(self, session: Session, pictures: Pictures, opened: bool = False) -> gr.HTML:
        """Show a picture of a session. What is drawn stays, unless the photograph is another one or opened anew.

        Args:
            session: its folder identifies the photograph.
            pictures: to show.
            opened: whether the page does not know yet what is drawn, which the next events send back.
        """
        height, width = session.size
        value: dict[str, Any] = {"value": {**(pictures.drawn or {}), **_part(session)}} if opened else {}
        scene = {
            **_part(session),
            "width": width,
            "height": height,
            "whole": session.whole_size,
            "picture": served(pictures.picture),
            "gray": served(gray(session)),
            "map": pictures.uncertainty and served(pictures.uncertainty),
            "four": [{"name": name, "file": served(path)} for name, path in pictures.four],
            "chosen": session.chosen,
            "snapshot": pictures.snapshot,
            "drawn": pictures.drawn,
            "cropped": session.frame.cut != WHOLE.cut,
            "states": [
                {"snapshot": number, "drawn": drawn, "part": _frame_payload(frame)}
                for number, drawn, frame in pictures.states
            ],
        }
        return gr.HTML(scene=scene, **value)


def shows(session: Session, payload: Any) -> bool:
    """Return whether the page showed this photograph when it sent what is drawn."""
    return isinstance(payload, dict) and payload.get("photograph") == session.folder.name


def shows_another(session: Session, payload: Any) -> bool:
    """Return whether the page showed another photograph, whose controls have nothing to say about this one."""
    return isinstance(payload, dict) and payload.get("photograph") not in (None, session.folder.name)


def drawn_on(session: Session | None, payload: Any) -> dict[str, Any] | None:
    """Return what the page has sent if it was drawn on the photograph of a session, without marks of the page.

    What was drawn on another part of it, before the answer to a crop was there, is moved to where it belongs.
    """
    if session is None or not isinstance(payload, dict):
        return None
    if payload.get("photograph", session.folder.name) != session.folder.name:
        return None
    drawn = {name: payload.get(name) or [] for name in ("hints", "keep")}
    part = _frame(payload["part"]) if payload.get("part") else session.frame
    if part != session.frame:
        drawn = {"hints": list(_moved(drawn["hints"], part, session)), "keep": []}
    return drawn if any(drawn.values()) else None


def next_frame(session: Session, payload: dict[str, Any]) -> Frame:
    """Return the frame that the page asks for: what of the part in view to use, or None for the whole file.

    Raises:
        CinnError: if nothing is left, or the page has sent no frame.
    """
    if payload.get("frame") is None:
        return WHOLE
    part = _frame(payload["part"]) if payload.get("part") else session.frame
    frame = part.then(_frame(payload["frame"]))
    cut = frame.cut
    if not all(0 <= share < 1 for share in cut) or cut.top + cut.bottom >= 1 or cut.left + cut.right >= 1:
        raise CinnError("Nothing of the photograph is left: crop less.")
    return frame


def _part(session: Session) -> dict[str, Any]:
    """Say on which part of which photograph something is drawn."""
    return {"photograph": session.folder.name, "part": _frame_payload(session.frame)}


def _frame_payload(frame: Frame) -> dict[str, Any]:
    return {"turns": frame.turns, "cut": frame.cut._asdict()}


def _frame(payload: Any) -> Frame:
    try:
        return TypeAdapter(Frame).validate_python(payload)
    except ValidationError as error:
        raise CinnError(DAMAGED) from error


def _moved(hints: Sequence[dict[str, Any]], part: Frame, session: Session) -> Iterator[dict[str, Any]]:
    """Yield hints on another part of the same picture, as far as they are on that of the session."""
    height, width = session.frame.size(session.whole_size)
    for hint in hints:
        places = [part.place_in_whole(x, y, session.whole_size) for x, y in hint.get("points") or []]
        points = [session.frame.place(x, y, session.whole_size) for x, y in places]
        inside = [point for point in points if 0 <= point[0] < width and 0 <= point[1] < height]
        if inside:
            yield {**hint, "points": inside}


def to_payload(hints: Hints, drawn: Any = None) -> dict[str, Any]:
    """Return the value of the pad that shows hints, with the strokes over the region to keep that are there."""
    dumped = TypeAdapter(Hints).dump_python(hints, mode="json", exclude_defaults=True)
    return {"hints": dumped["hints"], "keep": (drawn or {}).get("keep", [])}


def _edges() -> str:
    edges = {"n": tr("Upper edge"), "s": tr("Lower edge"), "w": tr("Left edge"), "e": tr("Right edge")}
    sliders = "".join(
        f'<i data-edges="{edge}" role="slider" tabindex="0" aria-label="{name}" aria-valuemin="0" aria-valuemax="95"'
        f' aria-valuenow="0" aria-orientation="{"vertical" if edge in "ns" else "horizontal"}"></i>'
        for edge, name in edges.items()
    )
    return sliders + "".join(f'<i data-edges="{corner}"></i>' for corner in ("nw", "ne", "sw", "se"))


def _markup() -> str:
    swatches = "".join(
        f'<button type="button" class="swatch" data-colour="{colour}" style="--colour: {colour}">{tr(name)}</button>'
        for name, colour in SWATCHES.items()
    )
    side = f"""<figure><img alt=""><figcaption><span class="name"></span>
      <button type="button" class="take">{tr("Keep this one")}</button>
      <button type="button" class="other">{tr("Another")}</button></figcaption></figure>"""
    return f"""
<div class="view">
  <div class="board" tabindex="0" role="application" aria-label="{tr(BOARD)}">
    <img class="picture" alt="{tr("The chosen colouring")}" draggable="false">
    <img class="over gray" alt="{tr("The original photograph")}" draggable="false" hidden>
    <img class="over map" alt="{tr("Where the colours are unsure")}" draggable="false" hidden>
    <svg aria-hidden="true"></svg>
    <div class="marks"></div>
    <div class="cursor" hidden></div>
    <div class="crop" hidden>{_edges()}</div>
    <div class="line" role="slider" tabindex="0" aria-label="{tr("Before and after")}" aria-valuemin="0"
      aria-valuemax="100" aria-valuenow="50" hidden></div>
  </div>
  <div class="badge before" hidden>{tr("Before")}</div>
  <div class="badge asks" role="status" hidden data-picking="{tr("Now point at the place that has the colour.")}"
    data-keep="{tr("Paint over what is right.")}" data-crop="{tr("Drag the edges.")}"></div>
  <div class="legend" hidden>{tr("sure")} <i></i> {tr("unsure")}</div>
  <div class="busy" role="status" aria-label="{tr("Working")}"></div>
  <div class="pair" hidden>{side}{side}<button type="button" class="back">{tr("Back")}</button></div>
  <div class="palette" role="dialog" aria-label="{tr("Colour of this place")}" hidden>
    <button type="button" class="close" aria-label="{tr("Close")}">&times;</button>
    <div class="swatches">{swatches}
      <button type="button" class="swatch dropper"
        title="{tr("Take the colour of another place in the picture")}">{PIPETTE}{tr("Like here")}</button>
      <button type="button" class="swatch more" title="{tr("Any colour")}">{tr("More")}</button>
    </div>
    <input type="color" tabindex="-1" aria-hidden="true">
    <div class="further">
      <input type="text" class="hex" maxlength="7" spellcheck="false" placeholder="#rrggbb"
        aria-label="{tr("Wanted colour as #RRGGBB")}">
      <button type="button" class="remove" hidden>{tr("Remove")}</button>
    </div>
  </div>
  <div class="shade"></div>
</div>
<div class="tools" role="toolbar" aria-label="{tr("Tools")}">
  <div data-for="hint">
    <button type="button" class="hold" aria-pressed="false"
      title="{tr("Hold to see the photograph as it was; so does the space bar")}">{EYE}{tr("Before")}</button>
    <button type="button" data-over="split" aria-pressed="false">{HALVES}{tr("Divide")}</button>
    <button type="button" data-over="map" aria-pressed="false"
      title="{tr("Where the photograph leaves the colour open: there a hint helps")}">{QUESTION}{tr("Unsure")}</button>
    <button type="button" class="keep"
      title="{tr("Paint over what is right, and let the rest be drawn again")}">{BRUSH}{tr("Keep a part")}</button>
    <button type="button" class="to-crop"
      title="{tr("Cut off what does not belong to it, or turn it")}">{CROP}{tr("Crop")}</button>
    <button type="button" class="whole" hidden
      title="{tr("Put back what is cut off")}">{WHOLE_PICTURE}{tr("Whole picture")}</button>
    <button type="button" class="clear" hidden>{ERASER}{tr("Clear hints")}</button>
    <button type="button" class="release" hidden
      title="{tr("Let the kept part change again")}">{OPEN_LOCK}{tr("Let go")}</button>
  </div>
  <div data-for="keep" hidden>
    <label>{tr("Brush")}
      <input type="range" class="brush" min="1" max="20" value="6" aria-label="{tr("Size of the brush")}"></label>
    <button type="button" class="redraw" disabled>{tr("Redraw the rest")}</button>
    <button type="button" class="cancel">{tr("Cancel")}</button>
  </div>
  <div data-for="crop" hidden>
    <button type="button" class="turn sign" data-turns="3" title="{tr("Turn to the left")}"
      aria-label="{tr("Turn to the left")}">&#8634;</button>
    <button type="button" class="turn sign" data-turns="1" title="{tr("Turn to the right")}"
      aria-label="{tr("Turn to the right")}">&#8635;</button>
    <button type="button" class="apply" disabled>{tr("Crop to this")}</button>
    <button type="button" class="cancel">{tr("Cancel")}</button>
  </div>
  <div class="zoom">
    <button type="button" class="undo sign" title="{tr("Undo (Ctrl+Z)")}" aria-label="{tr("Undo")}"
      disabled>&#8630;</button>
    <button type="button" class="redo sign" title="{tr("Redo (Ctrl+Shift+Z)")}" aria-label="{tr("Redo")}"
      disabled>&#8631;</button>
    <button type="button" class="zoom-out sign" aria-label="{tr("Smaller")}" disabled>&minus;</button>
    <button type="button" class="fit" title="{tr("The whole picture")}" disabled>{tr("Fit")}</button>
    <button type="button" class="zoom-in sign" aria-label="{tr("Larger")}">+</button>
    <button type="button" class="full sign" title="{tr("Full screen")}"
      aria-label="{tr("Full screen")}">{ENLARGE}</button>
  </div>
</div>
"""
