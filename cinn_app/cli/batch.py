"""Which files a run of `cinn colorize` reads, and which it may write. Knows paths only."""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cinn_app.errors import CinnError, DiskFullError, ImageError

__all__ = ["Claims", "Found", "Picture", "find_pictures", "make_folder", "output_names"]

# What systems strew about folders, and `folder/*` in a shell picks up.
JUNK = ("desktop.ini", "thumbs.db", "ehthumbs.db", ".ds_store")
# Photographs that cannot be read yet: better told about than passed over in silence.
UNREADABLE_SUFFIXES = (".heic", ".heif")
# A suffix that is kept as it stands; any other becomes png, which loses nothing.
KEPT_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Picture:
    """One file to colour.

    Attributes:
        source: where it lies.
        place: its path relative to the folder that was given, so that the output keeps the tree.
    """

    source: Path
    place: Path


@dataclass
class Found:
    """What the inputs of a command line came to.

    Attributes:
        pictures: in the order given, folders sorted, each file once.
        problems: a sentence per input that cannot be searched.
    """

    pictures: list[Picture] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_pictures(inputs: Sequence[Path], recursive: bool, output: Path, suffixes: Iterable[str]) -> Found:
    """Find the pictures that the inputs name.

    A file is taken whatever its name says, but for the junk that systems strew about. Of a folder the files with
    one of the suffixes are taken, hidden ones left out; with `recursive` its subfolders are searched too, but
    never the output folder.

    Raises:
        CinnError: if there is not one picture.
    """
    found, kinds = Found(), (*suffixes, *UNREADABLE_SUFFIXES)
    missing = [path for path in inputs if _identity(path) is None]
    if len(missing) == len(inputs):
        raise CinnError(f"There is nothing at {_listed(missing)}: give pictures or folders that exist.")
    found.problems += [f"There is nothing at {path}: check the folder and the spelling." for path in missing]
    seen = set()
    for path in inputs:
        if path in missing or _is_junk(path.name):
            continue
        walked = _walk(path, recursive, output, kinds, found.problems) if path.is_dir() else [path]
        for source in walked:
            picture = Picture(source, Path(source.name) if source == path else source.relative_to(path))
            key = (os.path.realpath(source), picture.place)
            if key not in seen:
                seen.add(key)
                found.pictures.append(picture)
    if not found.pictures and len(found.problems) > len(missing):
        raise CinnError(found.problems[-1])
    if not found.pictures:
        deeper = "" if recursive else ", or search subfolders too with --recursive"
        existing = [path for path in inputs if path not in missing]
        raise CinnError(f"There are no pictures in {_listed(existing)}: give pictures or folders with some{deeper}.")
    return found


def output_names(place: Path, chosen: str, samples: int) -> list[Path]:
    """Name a picture's colourings, relative to the output folder.

    >>> [name.as_posix() for name in output_names(Path("1950/aunt.JPG"), "keep", 2)]
    ['1950/aunt-1.JPG', '1950/aunt-2.JPG']
    >>> [name.as_posix() for name in output_names(Path("uncle.gif"), "keep", 1)]
    ['uncle.png']
    """
    if chosen != "keep":
        suffix = f".{chosen}"
    else:
        suffix = place.suffix if place.suffix.lower() in KEPT_SUFFIXES else ".png"
    numbers = [""] if samples == 1 else [f"-{number}" for number in range(1, samples + 1)]
    return [place.with_name(f"{place.stem}{number}{suffix}") for number in numbers]


class Claims:
    """The files that a run must not replace: its inputs, and what it has written itself.

    Files are known by their identity on the disk, so that links and spellings in other letter cases do not deceive.
    """

    def __init__(self, pictures: Iterable[Picture]) -> None:
        self._inputs = {identity for picture in pictures if (identity := _identity(picture.source))}
        self._made: dict[tuple[int, int], Path] = {}

    def check(self, targets: Iterable[Path], source: Path) -> None:
        """Refuse to write where something is that must stay.

        Raises:
            ImageError: if a target is an input of this run, or has been made in it from another picture.
        """
        for target in targets:
            identity = _identity(target)
            if identity in self._inputs:
                raise ImageError(
                    f"{source} was left out, since {target} is an input and is not overwritten: "
                    "choose another output folder or --format."
                )
            if identity in self._made:
                raise ImageError(
                    f"{source} was left out, since {target} was just made from {self._made[identity]}: "
                    "colour it into another folder, or with another --format."
                )

    def add(self, target: Path, source: Path) -> None:
        """Remember what was made, and from what."""
        if identity := _identity(target):
            self._made[identity] = source


def make_folder(folder: Path) -> None:
    """Make a folder for colourings, and those above it.

    Raises:
        ImageError: if there cannot be one; a DiskFullError if there is no room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else ImageError
        raise kind(f"The folder {folder} cannot be made ({error.strerror}): choose another one with -o.") from error


def _walk(
    folder: Path, recursive: bool, output: Path, suffixes: tuple[str, ...], problems: list[str]
) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        problems.append(f"The folder {error.filename} cannot be searched ({error.strerror}): check its permissions.")

    written = os.path.realpath(output)  # unlike Path.resolve it minds no links that go round in circles

    def searched(subfolder: Path) -> bool:
        return not subfolder.name.startswith(".") and os.path.realpath(subfolder) != written

    for here, subfolders, files in os.walk(folder, onerror=refuse):
        place = Path(here)
        subfolders[:] = sorted(name for name in subfolders if recursive and searched(place / name))
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(suffixes):
                yield place / name


def _is_junk(name: str) -> bool:
    return name.startswith("._") or name.lower() in JUNK


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and number of a file, or None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _listed(paths: Sequence[Path], most: int = 3) -> str:
    names = ", ".join(str(path) for path in paths[:most])
    return f"{names} and {len(paths) - most} more" if len(paths) > most else names
