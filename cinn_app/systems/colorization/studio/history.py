"""What a visitor has given and tried: a strip of photographs, and every draw. Knows visits, but nothing of the page.

Photographs rest while another one is shown: their files stay, what takes memory goes. So a hundred photographs and the
last tries take about as much memory as one.
"""

import dataclasses
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch

from cinn_app.imaging import lightness_and_ab_to_rgb8, read_preview, save_picture
from cinn_app.studio.files import naming
from cinn_app.systems.colorization.studio.controls import Controls
from cinn_app.systems.colorization.studio.pictures import paint
from cinn_app.systems.colorization.studio.visits import Visit, close_visit, rest_visit

__all__ = [
    "MAX_PHOTOGRAPHS",
    "MAX_TRIES",
    "Album",
    "Moment",
    "Sheet",
    "close_album",
    "new_sheet",
    "open_album",
]

#: How many tries are kept, and how many photographs may lie in the strip.
MAX_TRIES, MAX_PHOTOGRAPHS = 30, 100
#: Longer side of the pictures in the strip, for sharp screens.
PREVIEW = 224


@dataclasses.dataclass(frozen=True)
class Moment:
    """A state of the tab to come back to.

    Attributes:
        visit: the photograph and its colourings, at rest.
        controls: what had been set.
        picture: the small picture of the chosen colouring.
    """

    visit: Visit
    controls: Controls
    picture: Path

    @classmethod
    def of(cls, visit: Visit, controls: Controls) -> Self:
        """Keep the present moment of a visit that has colourings."""
        return cls(rest_visit(visit), controls, paint(visit, visit.chosen, controls.vividness))

    @property
    def draw(self) -> Any:
        """What tells draws apart; vividness and choice belong to the same one."""
        return self.visit.folder, [dict(colouring.settings) for colouring in self.visit.colourings]


class Sheet(NamedTuple):
    """A photograph in the strip: its file, a small gray picture of it, and where it was left."""

    upload: Path
    picture: Path
    moment: Moment | None = None


@dataclasses.dataclass(frozen=True)
class Album:
    """What a visitor has given and tried.

    Attributes:
        folder: where all of it is written.
        sheets: the photographs, in the order they came.
        tries: the draws, the latest last.
    """

    folder: Path
    sheets: tuple[Sheet, ...] = ()
    tries: tuple[Moment, ...] = ()

    def with_sheets(self, sheets: tuple[Sheet, ...]) -> "Album":
        """Add photographs that are not there yet; beyond :data:`MAX_PHOTOGRAPHS` the first ones go."""
        there = {sheet.upload for sheet in self.sheets}
        new = tuple(sheet for sheet in sheets if sheet.upload not in there)
        return self._with(sheets=(*self.sheets, *new)[-MAX_PHOTOGRAPHS:])

    def without_others(self, upload: Path | None) -> "Album":
        """Take all photographs out of the strip but the one shown."""
        return self._with(sheets=tuple(sheet for sheet in self.sheets if sheet.upload == upload))

    def with_moment(self, moment: Moment) -> "Album":
        """Keep where the visitor is: in place of an earlier moment of the same draw, or as the latest."""
        sheets = tuple(
            sheet._replace(moment=moment) if sheet.upload == moment.visit.upload else sheet for sheet in self.sheets
        )
        draws = [one.draw for one in self.tries]
        if moment.draw in draws:
            place = draws.index(moment.draw)
            tries = (*self.tries[:place], moment, *self.tries[place + 1 :])
        else:
            tries = (*self.tries, moment)[-MAX_TRIES:]
        return self._with(sheets=sheets, tries=tries)

    def latest(self, upload: Path) -> Moment | None:
        """Where a photograph was left, if it has been coloured and that is kept."""
        left = [sheet.moment for sheet in self.sheets if sheet.upload == upload and sheet.moment]
        return next(iter(left or [one for one in reversed(self.tries) if one.visit.upload == upload]), None)

    @property
    def visits(self) -> dict[Path, Visit]:
        """The visits that are kept, by folder."""
        moments = [*self.tries, *(sheet.moment for sheet in self.sheets if sheet.moment)]
        return {moment.visit.folder: moment.visit for moment in moments}

    def _with(self, **changes: Any) -> "Album":
        """Change it, and delete what was written for photographs that it no longer knows."""
        changed = dataclasses.replace(self, **changes)
        for folder in self.visits.keys() - changed.visits.keys():
            close_visit(self.visits[folder])
        return changed


def new_sheet(upload: Path, folder: Path) -> Sheet:
    """Take a first look at a photograph; its small gray picture is written into a folder.

    Raises:
        ImageError: if it cannot be read; the message names the file as the visitor knows it.
    """
    with naming(upload):
        look = read_preview(upload, PREVIEW)
    picture = folder / f"preview-{hashlib.sha256(str(upload).encode()).hexdigest()[:16]}.jpg"
    rgb = lightness_and_ab_to_rgb8(look.lightness, torch.zeros(2, *look.size))
    save_picture(picture, rgb.numpy(), alpha=look.alpha)
    return Sheet(upload, picture)


def open_album(cache: Path) -> Album:
    """Begin without anything, in a new folder below `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    return Album(Path(tempfile.mkdtemp(prefix="album-", dir=cache)))


def close_album(album: Album | None) -> None:
    """Delete all that was written."""
    if album is not None:
        shutil.rmtree(album.folder, ignore_errors=True)
