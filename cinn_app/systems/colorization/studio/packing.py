"""All photographs of an album in one file, each as it was chosen, at full resolution."""

import contextlib
import dataclasses
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cinn_app.errors import CinnError
from cinn_app.studio.language import tr
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.studio.controls import Controls
from cinn_app.systems.colorization.studio.history import Album, Sheet
from cinn_app.systems.colorization.studio.pictures import save_whole
from cinn_app.systems.colorization.studio.visits import Reference, Visit, close_visit, open_visit, wake_visit

__all__ = ["Packing", "pack"]

NAME = "colourised.zip"


class Packing(NamedTuple):
    """How far the packing is.

    Attributes:
        path: of the file, once it is whole; None before, and if there is nothing in it.
        done: how many photographs have been seen to.
        problems: a sentence for each that could not be painted.
    """

    path: Path | None
    done: int
    problems: tuple[str, ...]


def pack(
    album: Album,
    colorizer: Colorizer,
    controls: Controls,
    reference: Reference | None,
    wish: Callable[[Visit, Controls], Steering],
) -> Iterator[Packing]:
    """Paint every photograph and say after each how far it is; only one is in memory at a time.

    Args:
        album: whose photographs. Those seen already are as they were left, the others as the controls are now.
        colorizer: draws those not seen yet, or seen with another reference.
        controls: the present ones.
        reference: whose colours all of them take on.
        wish: reads what is asked of the colours of a photograph.

    Raises:
        CinnError: if the file cannot be written.
    """
    path, partial = album.folder / NAME, album.folder / f"{NAME}.part"
    names: set[str] = set()
    problems: list[str] = []
    fresh = controls._replace(drawn=None)
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed as they are
            for done, sheet in enumerate(album.sheets, start=1):
                try:
                    _add(archive, sheet, album.folder, colorizer, fresh, reference, wish, names)
                except CinnError as error:
                    problems.append(error.message)
                yield Packing(None, done, tuple(problems))
        if names:
            partial.replace(path)
    except OSError as error:
        sentence = tr(
            "The pictures cannot be written ({reason}): make room on the disk, and try again.", reason=error.strerror
        )
        raise CinnError(sentence) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    yield Packing(path if names else None, len(album.sheets), tuple(problems))


def _add(
    archive: zipfile.ZipFile,
    sheet: Sheet,
    folder: Path,
    colorizer: Colorizer,
    fresh: Controls,
    reference: Reference | None,
    wish: Callable[[Visit, Controls], Steering],
    names: set[str],
) -> None:
    moment = sheet.moment
    controls = moment.controls if moment else fresh
    visit = moment.visit if moment else open_visit(sheet.upload, folder)
    visit = dataclasses.replace(visit, reference=reference)
    picture = folder / f"painting{sheet.upload.suffix}"
    try:
        colouring = _chosen(visit, colorizer, controls, wish(visit, controls))
        name = _free(visit.download(colouring), names)
        picture = folder / f"painting{Path(name).suffix}"
        save_whole(visit.upload, colouring, picture, controls.vividness)
        archive.write(picture, name)
        names.add(name.casefold())
    finally:
        picture.unlink(missing_ok=True)
        if moment is None:
            close_visit(visit)


def _chosen(visit: Visit, colorizer: Colorizer, controls: Controls, steering: Steering) -> Colouring:
    """Take the chosen colouring as it is, if it is what is wished for, or else draw it."""
    number = visit.first + visit.chosen
    wanted = colorizer.settings(controls.seed, number, controls.variety, steering)
    if visit.colourings and dict(visit.colourings[visit.chosen].settings) == wanted:
        return visit.colourings[visit.chosen]
    awake = wake_visit(visit) if visit.colourings else visit
    return colorizer.colorize(awake.large, [number], controls.variety, controls.seed, steering)[0]


def _free(name: str, names: set[str]) -> str:
    """Number a name that is taken; on many systems capitals do not tell files apart."""
    stem, suffix = Path(name).stem, Path(name).suffix
    number, free = 1, name
    while free.casefold() in names:
        number += 1
        free = f"{stem} ({number}){suffix}"
    return free
