"""How likely the model finds the colours of a photograph: marks of several colourings on one line, as a drawing (SVG).

Places along the line are in percent of its width, all else is in pixels, so that words have the same size on every
screen. Each mark has a row for its label, the leftmost the highest. So no label lies on another one or on its line,
wherever the marks are.
"""

import html
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.imaging import IN_COLOUR
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.studio.pictures import fingerprint
from cinn_app.systems.colorization.studio.session import Session, read_upload
from cinn_app.systems.colorization.studio.texts import words

__all__ = ["OWN", "Mark", "chart", "encode_own_colours", "has_own_colours", "marks"]

GRAY, GUESS, OWN = later("gray"), later("single best guess"), later("own colours")
LIKELIER, LESS_LIKELY = later("likelier"), later("less likely")
LEGEND = later(
    "Bits for each of the {values:,} numbers that make a colouring (bits/dim); fewer are likelier. The chosen one has "
    "a log-likelihood of {nats} nats. True colours are rarely the likeliest: those are pale."
)
#: Pixels: between rows, above the axis, and of the narrowest screen's line with the label at its end.
ROW, FOOT, NARROWEST = 19, 12, 300
#: Pixels that a letter takes at most on average, and one of a script whose letters are squares.
LETTER, SQUARE_LETTER = 7.0, 13.5


class Mark(NamedTuple):
    """Colours of the photograph on the line.

    Attributes:
        kind: ``gray``, ``guess``, ``one`` of the four, the ``chosen`` one, or the photograph's ``own``.
        name: for the visitor.
        colouring: the colours, with their likelihood.
    """

    kind: str
    name: str
    colouring: Colouring

    @property
    def label(self) -> str:
        """The name, and bits/dim with two decimals."""
        return f"{self.name} {self.colouring.bits_per_dim:.2f}"


def marks(session: Session, colorizer: Colorizer) -> list[Mark]:
    """Evaluate gray, the mean of all colourings, those of a session, and the photograph's own colours if it has any."""
    encoded = session.encoded or colorizer.encode_photograph(session.large, session.inputs)
    guess = colorizer.best_guess(encoded).ab
    kinds = ["chosen" if index == session.chosen else "one" for index in range(len(session.colourings))]
    names = [f"{number} {word}" for number, word in enumerate(words(session), start=1)]
    found = [("gray", tr(GRAY), torch.zeros_like(guess)), ("guess", tr(GUESS), guess)]
    found += zip(kinds, names, (one.ab for one in session.colourings), strict=True)
    own = own_colours(session)
    if own is not None:
        found.append(("own", tr(OWN), own))
    coded = colorizer.encode_chroma(encoded, torch.stack([ab for *_, ab in found]))
    return [Mark(kind, name, one) for (kind, name, _), one in zip(found, coded, strict=True)]


def has_own_colours(session: Session) -> bool:
    """Return whether the photograph is in colour."""
    return IN_COLOUR in session.large.warnings


def own_colours(session: Session) -> Tensor | None:
    """Return the chroma that the photograph of a session has, as small as that of its colourings; None if it is gray.

    Its file is read once: that takes a while if it is large.
    """
    if not has_own_colours(session):
        return None
    path, canvas = session.folder / f"{fingerprint(session, ())}-own-colours.npy", session.inputs[0].canvas
    try:
        if not path.exists():
            photograph = read_upload(session.upload, session.frame, keep_colour=True)
            np.save(path, canvas.crop(canvas.own_chroma(photograph)[0]).numpy())
        return torch.from_numpy(np.load(path))
    except (CinnError, OSError, ValueError):  # the file has been deleted, or is being written
        return None


def encode_own_colours(session: Session, colorizer: Colorizer) -> Colouring:
    """Return the colours that the photograph of a session has as a colouring of the model, with latents and likelihood.

    Raises:
        CinnError: if it has none, or its file has been deleted.
    """
    own = own_colours(session)
    if own is None:
        raise CinnError(
            "{name} is not in colour, or has been deleted in the meantime: upload a colour photograph.",
            name=session.upload.name,
        )
    encoded = session.encoded or colorizer.encode_photograph(session.large, session.inputs)
    (coded,) = colorizer.encode_chroma(encoded, own[None])
    return coded


def chart(all_marks: Sequence[Mark]) -> str:
    """Draw the marks on one line, the likelier ones on the left.

    Args:
        all_marks: at least one, the chosen one among them.
    """
    ranked = sorted(all_marks, key=lambda mark: mark.colouring.bits_per_dim)
    bits = [mark.colouring.bits_per_dim for mark in ranked]
    span = max(bits[-1] - bits[0], 1e-6)
    shares = [(value - bits[0]) / span for value in bits]
    # The label stands right of its mark: on the narrowest screen each must end where the line with its margin does.
    widths = [_width(mark.label) + 10 for mark in ranked]
    lines = [(NARROWEST - width) / share for share, width in zip(shares, widths, strict=True) if share]
    line = min(lines, default=NARROWEST - max(widths))
    margin, axis = max(NARROWEST - line, 8), ROW * len(ranked) + FOOT
    drawn, circles = [f'<line class="axis" x1="0" x2="100%" y1="{axis}" y2="{axis}"/>'], []
    for row, (mark, share) in enumerate(zip(ranked, shares, strict=True)):
        place, top = f"{100 * share:.2f}%", ROW * row
        drawn.append(f'<line x1="{place}" x2="{place}" y1="{top + 3}" y2="{axis}"/>')
        drawn.append(f'<text class="{mark.kind}" x="{place}" dx="6" y="{top + 14}">{html.escape(mark.label)}</text>')
        circles.append((mark.kind == "chosen", f'<circle class="{mark.kind}" cx="{place}" cy="{axis}" r="4.5"/>'))
    drawn += [circle for _, circle in sorted(circles)]  # the chosen one is on top
    chosen = next(mark.colouring for mark in all_marks if mark.kind == "chosen")
    nats = f"{chosen.log_prob:,.0f}".replace("-", "\N{MINUS SIGN}")
    summary = f"{tr('Bits/dim of each, the likeliest first')}: {', '.join(mark.label for mark in ranked)}"
    return (
        f'<figure class="likelihood"><figcaption>{tr("How likely the model finds colours")}</figcaption>'
        f'<div class="line" style="margin-right: {margin:.0f}px">'
        f'<svg width="100%" height="{axis + 8}" role="img" aria-label="{html.escape(summary)}">{"".join(drawn)}</svg>'
        f"<div><span>\N{LEFTWARDS ARROW} {tr(LIKELIER)}</span><span>{tr(LESS_LIKELY)} \N{RIGHTWARDS ARROW}</span></div>"
        f"</div><p>{tr(LEGEND, values=chosen.latent_dims, nats=nats)}</p></figure>"
    )


def _width(label: str) -> float:
    """Return how many pixels a label takes at most."""
    return sum(SQUARE_LETTER if ord(letter) > 0x2E80 else LETTER for letter in label)
