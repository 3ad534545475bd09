"""Beginning with a photograph: a fresh one as the controls are, a coloured one of ours as its mark says."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from cinn_app.imaging import read_provenance
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.provenance import Provenance
from cinn_app.systems.colorization.studio.controls import ControlRanges, Controls
from cinn_app.systems.colorization.studio.hint_pad import marks
from cinn_app.systems.colorization.studio.history import Album
from cinn_app.systems.colorization.studio.visits import SAMPLES, Visit, open_visit, wake_visit

__all__ = ["Opened", "begin", "go_on"]


class Opened(NamedTuple):
    """A photograph to look at.

    Attributes:
        visit: of it.
        controls: what they are to be set to.
        lacking: of a picture with a mark, what cannot be brought back; None of any other.
    """

    visit: Visit
    controls: Controls
    lacking: tuple[str, ...] | None = None


def begin(file: Path, album: Album, present: Visit | None, controls: Controls, colorizer: Colorizer) -> Opened:
    """Open a photograph; a coloured one that has a mark is taken back to where it came from.

    Args:
        file: the photograph's.
        album: the visitor's; a photograph that is known there keeps its folder.
        present: what the visitor has been looking at, whose reference holds on.
        controls: as they are now.
        colorizer: may have made the picture.

    Raises:
        ImageError: if it cannot be read; the message names the file as the visitor knows it.
    """
    reference = present.reference if present else None
    known = album.latest(file)
    if known:
        fresh = dataclasses.replace(known.visit, colourings=(), chosen=0, first=0, region=None, reference=reference)
        visit = wake_visit(fresh, present)
    else:
        visit = open_visit(file, album.folder, reference)
    provenance = Provenance.of(read_provenance(file), colorizer, visit.size)
    if provenance is None:
        return Opened(visit, controls._replace(drawn=None))
    return _restore(visit, provenance, ControlRanges(colorizer))


def go_on(album: Album, file: Path, present: Visit | None, controls: Controls, colorizer: Colorizer) -> Opened:
    """Return to a photograph of the album where it was left, or begin with it. The present reference holds on.

    Raises:
        ImageError: if it cannot be read.
    """
    moment = next((sheet.moment for sheet in album.sheets if sheet.upload == file), None)
    if moment is None:
        return begin(file, album, present, controls, colorizer)
    reference = present.reference if present else None
    return Opened(dataclasses.replace(wake_visit(moment.visit, present), reference=reference), moment.controls)


def _restore(visit: Visit, provenance: Provenance, ranges: ControlRanges) -> Opened:
    """Take over what a mark says, as far as the page can be set to it."""
    drawn = marks(provenance.hints) if provenance.hints else None
    steps = tuple(provenance.axes.get(name, 0.0) for name in ranges.axes)
    wanted = Controls(provenance.temperature, provenance.strength, provenance.seed, drawn, steps)
    controls = ranges.read(*wanted[:4], *steps)
    lacking: tuple[str, ...] = provenance.lacking
    if visit.reference and visit.reference.palette.digest == provenance.reference:
        lacking = tuple(lack for lack in lacking if lack != "reference")
    elif not provenance.reference:
        visit = dataclasses.replace(visit, reference=None)
    if controls != wanted:
        lacking = (*lacking, "range")
    chosen = provenance.sample % SAMPLES
    visit = dataclasses.replace(visit, first=provenance.sample - chosen, chosen=chosen)
    return Opened(visit, controls, lacking)
