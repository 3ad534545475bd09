"""All photographs of an album in one file, each as it was chosen, at full resolution."""

import contextlib
import dataclasses
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cinn_app.errors import CinnError
from cinn_app.files import name_key
from cinn_app.studio.files import delete_soon
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.studio.album import Album, AlbumPhotograph
from cinn_app.systems.colorization.studio.pictures import save_whole
from cinn_app.systems.colorization.studio.session import Controls, Session

__all__ = ["Archive", "Progress"]

#: Of the file, and the beginning of the name of its folder.
NAME, FOLDER = "coloured.zip", "archive-"


class Progress(NamedTuple):
    """How far the writing of an archive is.

    Attributes:
        path: of the finished file; None before, and if it would be empty.
        done: how many photographs are finished.
        problems: an error for each photograph that cannot be coloured.
    """

    path: Path | None
    done: int
    problems: tuple[CinnError, ...]


@dataclasses.dataclass
class Archive:
    """Writes all photographs of an album into one file; only one of them is in memory at a time.

    Attributes:
        album: photographs that were coloured keep their last state, the others get the present settings.
        colorizer: draws what has not been drawn yet, or with another reference.
        controls: their present settings.
        constraints: reads the constraints of a session from the settings of its controls.
    """

    album: Album
    colorizer: Colorizer
    controls: Controls
    constraints: Callable[[Session, Controls], Steering]

    def __post_init__(self) -> None:
        self._names: set[str] = set()

    def write(self) -> Iterator[Progress]:
        """Write the file into a folder of its own, and report after each photograph. Earlier files are deleted soon.

        Raises:
            CinnError: if the file cannot be written.
        """
        photographs = self.album.photographs
        problems: list[CinnError] = []
        for earlier in self.album.folder.glob(f"{FOLDER}*"):
            delete_soon(earlier)
        try:
            with contextlib.ExitStack() as unless_finished:
                folder = Path(tempfile.mkdtemp(prefix=FOLDER, dir=self.album.folder))
                unless_finished.callback(shutil.rmtree, folder, ignore_errors=True)
                path = folder / NAME
                with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:  # pictures are compressed already
                    for done, photograph in enumerate(photographs, start=1):
                        try:
                            self._add(file, photograph, folder)
                        except CinnError as error:
                            problems.append(error)
                        yield Progress(None, done, tuple(problems))
                if self._names:
                    unless_finished.pop_all()
        except OSError as error:
            raise CinnError(
                "The pictures cannot be written ({reason}): make room on the disk, and try again.",
                reason=error.strerror,
            ) from error
        yield Progress(path if self._names else None, len(photographs), tuple(problems))

    def _add(self, file: zipfile.ZipFile, photograph: AlbumPhotograph, folder: Path) -> None:
        """Add a photograph, by way of a file in a folder."""
        wanted = self.album.wanted(photograph)
        if wanted:
            session, controls = wanted
            session = session if session.colourings else session.resume()
        else:
            session = Session.open(photograph.upload, self.album.folder, self.colorizer, self.album.reference)
            if photograph.frame is not None:
                session = session.reframed(photograph.frame).resume()
            controls = photograph.controls or self.controls._replace(drawn=None)
        picture = None
        try:
            colouring = self._colouring(session, controls)
            name = self._free(session.download_name(colouring))
            picture = folder / f"picture{Path(name).suffix}"
            save_whole(session, colouring, picture, controls.vividness)
            file.write(picture, name)
            self._names.add(name_key(name))
        finally:
            if picture:
                picture.unlink(missing_ok=True)
            if wanted is None:
                session.delete_files()

    def _colouring(self, session: Session, controls: Controls) -> Colouring:
        """Return the chosen colouring if it is as wanted, or draw it; of a photograph without any, the best of four."""
        wanted = controls.temperature, controls.seed, self.constraints(session, controls), [session.chosen]
        if session.missing(self.colorizer, *wanted):
            session = (session.resume() if session.colourings else session).draw(self.colorizer, *wanted)
        return session.colourings[session.chosen]

    def _free(self, name: str) -> str:
        """Add a number to a name that is taken, on some file system."""
        stem, suffix = Path(name).stem, Path(name).suffix
        number, free = 1, name
        while name_key(free) in self._names:
            number += 1
            free = f"{stem} ({number}){suffix}"
        return free
