"""Which files a run of `cinn colorize` reads. Knows paths only."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cinn_app.errors import CinnError

__all__ = ["STREAM", "Found", "Picture", "find_pictures", "identity"]

#: In place of a file or folder: standard input or output.
STREAM = Path("-")

# What systems strew about folders, and `folder/*` in a shell picks up.
JUNK = ("desktop.ini", "thumbs.db", "ehthumbs.db", ".ds_store")


@dataclass(frozen=True)
class Picture:
    """One file to colour.

    Attributes:
        source: where it lies, or `STREAM`.
        place: its path relative to the folder that was given, so that the output keeps the tree.
        root: the folder that was given, or the one that the file lies in.
    """

    source: Path
    place: Path
    root: Path = Path()


@dataclass
class Found:
    """What the inputs of a command line came to.

    Attributes:
        pictures: in the order given, folders sorted, each file once.
        problems: a sentence per input that cannot be searched.
    """

    pictures: list[Picture] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_pictures(
    inputs: Sequence[Path],
    recursive: bool,
    output: Path,
    wanted: Callable[[str], bool],
    is_colouring: Callable[[Path], bool],
) -> Found:
    """Find the pictures that the inputs name.

    A file is taken whatever its name says, but for the junk that systems strew about. Of a folder the files with
    a wanted name are taken, hidden ones left out; with `recursive` its subfolders are searched too, but never the
    output folder. Where colourings go into the very folder that is searched, those of earlier runs are left out.

    Args:
        inputs: files, folders, `STREAM`.
        recursive: search subfolders, too.
        output: where colourings go.
        wanted: says of a file's name whether it is one of a picture.
        is_colouring: says of a file whether this program made it.

    Raises:
        CinnError: if there is not one picture.
    """
    found = Found()
    missing = [path for path in inputs if path != STREAM and identity(path) is None]
    if len(missing) == len(inputs):
        raise CinnError(f"There is nothing at {_listed(missing)}: give pictures or folders that exist.")
    found.problems += [f"There is nothing at {path}: check the folder and the spelling." for path in missing]
    written = os.path.realpath(output)  # unlike Path.resolve it minds no links that go round in circles
    seen = set()
    for path in inputs:
        if path == STREAM:
            found.pictures.append(Picture(STREAM, Path("stdin")))
            continue
        if path in missing or _is_junk(path.name):
            continue
        folder = path if path.is_dir() else path.parent
        for source in _walk(path, recursive, written, wanted, found.problems) if path.is_dir() else [path]:
            picture = Picture(source, source.relative_to(folder), folder)
            key = (os.path.realpath(source), picture.place)
            if key in seen or (path.is_dir() and _is_under(written, source) and is_colouring(source)):
                continue
            seen.add(key)
            found.pictures.append(picture)
    if not found.pictures and len(found.problems) > len(missing):
        raise CinnError(found.problems[-1])
    if not found.pictures:
        deeper = "" if recursive else ", or search subfolders too with --recursive"
        existing = [path for path in inputs if path not in missing]
        raise CinnError(f"There are no pictures in {_listed(existing)}: give pictures or folders with some{deeper}.")
    return found


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and number of a file, or None if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _walk(
    folder: Path, recursive: bool, written: str, wanted: Callable[[str], bool], problems: list[str]
) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        problems.append(f"The folder {error.filename} cannot be searched ({error.strerror}): check its permissions.")

    def searched(subfolder: Path) -> bool:
        return not subfolder.name.startswith(".") and os.path.realpath(subfolder) != written

    for here, subfolders, files in os.walk(folder, onerror=refuse):
        place = Path(here)
        subfolders[:] = sorted(name for name in subfolders if recursive and searched(place / name))
        for name in sorted(files):
            if not name.startswith(".") and not _is_junk(name) and wanted(name):
                yield place / name


def _is_under(folder: str, path: Path) -> bool:
    return Path(os.path.realpath(path.parent)).is_relative_to(folder)


def _is_junk(name: str) -> bool:
    return name.startswith("._") or name.lower() in JUNK


def _listed(paths: Sequence[Path], most: int = 3) -> str:
    names = ", ".join(str(path) for path in paths[:most])
    return f"{names} and {len(paths) - most} more" if len(paths) > most else names
