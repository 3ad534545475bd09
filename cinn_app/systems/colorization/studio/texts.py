"""Longer texts of the tab, and what it says of a session."""

import base64
import html
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.imaging import IN_COLOUR, WHOLE
from cinn_app.studio.language import joined, later, listed, tr
from cinn_app.systems.colorization.differences import BEST, BOLDER, PALER, name_differences
from cinn_app.systems.colorization.studio.album import Opened
from cinn_app.systems.colorization.studio.session import Session

__all__ = ["HELP", "details", "empty", "failed", "opened", "words"]

EMPTY = later("""
<h2>Your old photographs, in colour</h2>
<p>A gray photograph does not say which colours were there. You get <b>four plausible answers</b>, choose one, and
change what you know better. Nothing leaves the computer that runs this page.</p>
""")
HERO = later("A photograph of the Farm Security Administration, before and after")
HELP = later("""
**The first** of the four is the one that most of sixteen draws resemble, without being pale. The words say how the
others differ from it.

**Variety** says how far the four depart from the model's best guess: it is the temperature of sampling. At 1 they
differ as much as true colours may; more looks garish. The same **seed** with the same variety gives the same colours
again.

**A temperature for each scale** takes the place of the variety: of things, of their parts, and of details of three
sizes. At 0 a scale is as the best guess has it. With all at 1 the four are draws of the density as it was learnt, to
which likelihood and calibration belong; its details are speckled.

**A colour photograph** is encoded, too: its own colours are on the line of likelihoods, a way leads to them, and their
latents can be saved.
""")
HERE = Path(__file__).parent
RESTORED = later("It was coloured here; its settings are restored.")
PARTLY_RESTORED = later("It was coloured here; its settings are restored, except for {missing}.")
CUT = later("A part of the file is cut off; “Whole picture” puts it back.")
#: What cannot be restored.
MISSING = {
    "weights": later("the model's weights, which have changed"),
    "reference": later("the picture that lent its colours"),
    "kept": later("the region that was kept"),
    "hints": later("the hints, which do not fit its size"),
    "axes": later("an axis that is not known"),
    "thing": later("the thing that alone was changed along axes"),
    "range": later("values outside the range of the controls"),
}
ROWS = {
    "seed": later("Seed"),
    "sample": later("Sample number, from 0"),
    "temperature": later("Temperatures, fine to coarse"),
    "axes": later("Steps along axes"),
    "thing": later("Thing that they change"),
    "hints": later("Hints"),
    "reference": later("Colours of another picture"),
    "kept": later("Region that was kept"),
    "restore_levels": later("Fading"),
    "turned": later("Turned clockwise, degrees"),
    "crop": later("Part of the picture: left, top, width, height"),
    "model": later("Model"),
    "weights": later("Weights"),
}
#: Names of colourings, by what tells each from the others.
WORDS = {
    BEST: later("best"),
    "warmer": later("warmer"),
    "bluer": later("bluer"),
    "greener": later("greener"),
    "pinker": later("pinker"),
    BOLDER: later("bolder"),
    PALER: later("paler"),
}
#: Of a colouring of which no such word is true; the first one has its word always.
PLACES = (WORDS[BEST], later("second"), later("third"), later("fourth"))


def empty() -> str:
    """Show, while there is no photograph, an old one that the model has coloured: gray and in colour by turns."""
    address = f"data:image/webp;base64,{base64.b64encode((HERE / 'hero.webp').read_bytes()).decode()}"
    layers = f'<img src="{address}" alt="{tr(HERO)}"><div class="before"><img src="{address}" alt=""></div><i></i>'
    return f'<div class="hero">{layers}</div>{tr(EMPTY)}'


def opened(one: Opened) -> gr.HTML:
    """Say below the upload which photograph is shown, and what of its settings is restored."""
    height, width = one.session.size
    warnings: list[str] = list(one.session.large.warnings)
    if one.missing is not None:
        missing = listed([tr(MISSING[name]) for name in one.missing])
        restored = tr(PARTLY_RESTORED, missing=missing) if missing else tr(RESTORED)
        warnings = [restored, *(warning for warning in warnings if warning != IN_COLOUR)]
    name = one.session.upload.name
    named = tr("{name}, {width:,} x {height:,} pixels.", name=name, width=width, height=height)
    cut = [CUT] if one.session.frame.cut != WHOLE.cut else []
    return _notice(joined([html.escape(tr(text)) for text in (named, *cut, *warnings)]), "opened")


def failed(problems: Sequence[str | CinnError]) -> gr.HTML:
    """Say below the upload what went wrong, a line each, until it is put away."""
    lines = "<br>".join(html.escape(tr(problem)) for problem in problems)
    put_away = "this.parentElement.dataset.shown = 0"
    away = f'<button type="button" aria-label="{tr("Close")}" onclick="{put_away}">&times;</button>'
    # The number makes it another text when the same goes wrong again, which has to be seen again.
    return _notice(f'<div data-shown="{next(_numbers)}"><span>{lines}</span>{away}</div>', "error")


_numbers = itertools.count(1)


def _notice(text: str, kind: str) -> gr.HTML:
    return gr.HTML(text, visible=True, elem_classes=[kind])


def words(session: Session) -> list[str]:
    """Say by a word each how the colourings differ, or which place it has."""
    names = name_differences(session.colourings)
    return [tr(WORDS[name] if name else place) for name, place in zip(names, PLACES, strict=False)]


def details(session: Session) -> str:
    """List all settings that made the chosen colouring."""
    colouring = session.colourings[session.chosen]
    made = {**colouring.settings, **colouring.photograph.cut_out}
    rows = [(tr(label), _plain(made[key])) for key, label in ROWS.items() if key in made]
    if set(colouring.temperature) == {1.0}:
        rows.append((tr("Drawn from"), tr("the density as it was learnt")))
    table = "".join(f"<tr><th>{label}</th><td>{html.escape(text)}</td></tr>" for label, text in rows)
    return f"<table>{table}</table>"


def _plain(value: Any) -> str:
    match value:
        case True:
            return tr("removed")
        case dict():
            return listed([f"{tr(name)} {step:+g}" for name, step in value.items()])
        case [{"colour": _}, *_]:
            return listed([_hint(hint) for hint in value])
        case list():
            return listed([f"{number:g}" for number in value])
        case _:
            return str(value)


def _hint(hint: dict[str, Any]) -> str:
    if points := hint.get("points"):
        x, y = points[0]
        return tr("{colour} at {x:g},{y:g}", colour=hint["colour"], x=x, y=y)
    return tr("{colour} at a mask", colour=hint["colour"])
