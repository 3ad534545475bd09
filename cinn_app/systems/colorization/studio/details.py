"""All that made a colouring, for those who want to know."""

import html
from typing import Any

from cinn_app.studio.language import later, listed, tr
from cinn_app.systems.colorization.studio.visits import Visit

__all__ = ["UNFOLDING", "details", "wishes"]

#: What was unfolded stays so when another colouring takes its place.
UNFOLDING = """
let open = false;
element.addEventListener("click", (event) => {
    const folded = event.target.closest("summary")?.parentElement;
    if (folded) open = !folded.open;
});
watch("value", () => element.querySelector("details")?.toggleAttribute("open", open));
"""

ROWS = {
    "seed": later("Seed"),
    "sample": later("Sample of the seed, from 0"),
    "temperature": later("Temperatures, fine to coarse"),
    "axes": later("Steps along axes"),
    "hints": later("Hints"),
    "reference": later("Palette of another picture"),
    "kept": later("Part that was kept"),
    "model": later("Model"),
    "weights": later("Weights"),
}
BORROWED, PARTLY = later("colours of another picture"), later("a part kept")


def details(visit: Visit) -> str:
    """List what made the chosen colouring, folded away until it is wanted."""
    colouring = visit.colourings[visit.chosen]
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


def wishes(visit: Visit) -> list[str]:
    """Tell in few words how the chosen colouring was steered."""
    settings = visit.colourings[visit.chosen].settings
    told = [_plain(settings["axes"])] if settings.get("axes") else []
    if hints := settings.get("hints"):
        told.append(tr("hints: {count}", count=len(hints)))
    told += [tr(text) for key, text in (("reference", BORROWED), ("kept", PARTLY)) if key in settings]
    return told


def _plain(value: Any) -> str:
    match value:
        case dict():
            return listed([f"{tr(name)} {step:+g}" for name, step in value.items()])
        case [{"colour": _}, *_]:
            return listed([_told(hint) for hint in value])
        case list():
            return listed([f"{number:g}" for number in value])
        case _:
            return str(value)


def _told(hint: dict[str, Any]) -> str:
    if points := hint.get("points"):
        x, y = points[0]
        return tr("{colour} at {x:g},{y:g}", colour=hint["colour"], x=x, y=y)
    return tr("{colour} at a mask", colour=hint["colour"])
