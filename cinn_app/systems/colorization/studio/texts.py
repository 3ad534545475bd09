"""Longer texts of the tab, and what it says of a session."""

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.imaging import IN_COLOUR
from cinn_app.studio.language import joined, later, listed, tr
from cinn_app.systems.colorization.studio.album import Opened
from cinn_app.systems.colorization.studio.session import Session

__all__ = ["EMPTY", "HELP", "UNFOLD", "caption", "constraints", "details", "failed", "opened"]

EMPTY = later("""
<h2>See it in colour</h2>
<p>A gray photograph does not say which colours were there. You get <b>four plausible answers</b> and choose.</p>
<ol>
  <li><b>Upload a photograph</b> of any size and shape, or try one of the samples.</li>
  <li><b>Pick the colouring</b> that you like best. None of them? Roll the dice.</li>
  <li><b>Compare and download it</b> at full size, as vivid as you want it.</li>
</ol>
""")
HELP = later("""
**The first** of the four is the one that the others resemble most. More often than any other, it is the nearest to the
true colours.

**Bits/dim** say how likely the model finds a colouring. Fewer are more likely, but likely colours are the pale ones.

**Vividness** makes the same colours weaker or stronger. Light and shade are always those of your photograph.

**Variety** says how far the four depart from the model's best guess: it is the temperature of sampling. At 1 they
differ as much as true colours may; more looks garish.

**Steering** gives you control: sliders shift all colours, clicks set the colour of a thing, another picture lends its
colours to like things, and a painted region stays while the rest is redrawn.

**Where the four differ**, the photograph alone does not determine the colours. A tint of the whole picture does not
count.

The same **seed** with the same variety gives the same colours again.
""")
RESTORED = later("It was coloured here; its settings are restored.")
PARTLY_RESTORED = later("It was coloured here; its settings are restored, except for {missing}.")
#: What cannot be restored.
MISSING = {
    "weights": later("the model's weights, which have changed"),
    "reference": later("the picture that lent its colours"),
    "kept": later("the region that was kept"),
    "hints": later("the hints, which do not fit its size"),
    "axes": later("an axis that is not known"),
    "thing": later("the thing that alone was changed along axes"),
    "temperature": later("different temperatures for each scale"),
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
    "model": later("Model"),
    "weights": later("Weights"),
}
#: Constraints that need no more words.
NAMED = {
    "reference": later("colours of another picture"),
    "kept": later("a region kept"),
    "restore_levels": later("fading removed"),
}
#: A script: the details stay open when they are replaced.
UNFOLD = """
let open = false;
element.addEventListener("click", (event) => {
    const folded = event.target.closest("summary")?.parentElement;
    if (folded) open = !folded.open;
});
watch("value", () => element.querySelector("details")?.toggleAttribute("open", open));
"""


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
    return _notice(joined([html.escape(tr(text)) for text in (named, *warnings)]), "opened")


def failed(problems: Sequence[str | CinnError]) -> gr.HTML:
    """Say below the upload what went wrong, a line each."""
    return _notice("<br>".join(html.escape(tr(problem)) for problem in problems), "error")


def _notice(text: str, kind: str) -> gr.HTML:
    return gr.HTML(text, visible=True, elem_classes=[kind])


def caption(session: Session, index: int) -> str:
    """Say which a colouring is, how likely, and what drew it: ``No. 1, 2.31 bits/dim, seed 0, variety 0.9``."""
    colouring = session.colourings[index]
    return tr(
        "No. {number}, {bits:.2f}\N{NO-BREAK SPACE}bits/dim, "
        "seed\N{NO-BREAK SPACE}{seed}, variety\N{NO-BREAK SPACE}{variety:g}",
        number=index + 1,
        bits=colouring.bits_per_dim,
        seed=colouring.seed,
        variety=colouring.temperature[-1],
    )


def details(session: Session) -> str:
    """List all settings that made the chosen colouring, folded away."""
    colouring = session.colourings[session.chosen]
    likelihood = tr(
        "{nats:,.0f} nats for {values:,} values, {bits:.3f} bits/dim",
        nats=colouring.log_prob,
        values=colouring.latent_dims,
        bits=colouring.bits_per_dim,
    )
    rows = [(tr("Log-likelihood"), likelihood)]
    rows += [(tr(label), _plain(colouring.settings[key])) for key, label in ROWS.items() if key in colouring.settings]
    table = "".join(f"<tr><th>{label}</th><td>{html.escape(text)}</td></tr>" for label, text in rows)
    return f"<details><summary>{tr('How it was made')}</summary><table>{table}</table></details>"


def constraints(session: Session) -> list[str]:
    """Summarise the constraints on the chosen colouring."""
    settings = session.colourings[session.chosen].settings
    texts = [_plain(settings["axes"])] if settings.get("axes") else []
    if hints := settings.get("hints"):
        texts.append(tr("hints: {count}", count=len(hints)))
    return texts + [tr(text) for key, text in NAMED.items() if key in settings]


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
