"""Which files a command reads, and where it may write: checked before the work starts. Knows paths only."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from cinn_app.cli.options import WrongUsage
from cinn_app.errors import CinnError, DiskFullError, ImageError
from cinn_app.files import DISK_FULL, check_names, check_output, is_junk, is_junk_folder, is_pattern, try_output

__all__ = [
    "KEPT_SUFFIXES",
    "STREAM",
    "Found",
    "Picture",
    "check_file",
    "check_folder",
    "check_new_folder",
    "find_pictures",
    "identity",
    "listed_suffixes",
    "make_folder",
]

#: In place of a file or folder: standard input or output.
STREAM = Path("-")
#: Suffixes that outputs keep; any other becomes png, which loses nothing.
KEPT_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Picture:
    """One file to work on.

    Attributes:
        source: its path, or `STREAM`.
        place: its path relative to the folder that was given, so that the output keeps the tree.
        root: the folder that was given, or the one that contains the file.
    """

    source: Path
    place: Path
    root: Path = Path()


@dataclass
class Found:
    """The pictures of a command line.

    Attributes:
        pictures: in the order given, folders sorted, each file once.
        problems: an error per input that cannot be searched.
        passed_over: how many files there are in the folders of which the program knows that it cannot read them, by
            suffix.
    """

    pictures: list[Picture] = field(default_factory=list)
    problems: list[CinnError] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


def find_pictures(
    inputs: Sequence[Path],
    recursive: bool,
    output: Path,
    wanted: Callable[[str], bool],
    is_output: Callable[[Path], bool],
    advice: str = "",
    other: Callable[[str], bool] = lambda name: False,
) -> Found:
    """Find the pictures that the inputs name.

    A file is taken whatever its name, unless an operating system added it. Of a folder, the files with a wanted name
    are taken, without hidden ones; with `recursive` its subfolders are searched, too, but never the output folder.
    When the outputs go into the folder that is searched, those of earlier runs are left out.

    Args:
        inputs: files, folders, `STREAM`.
        recursive: search subfolders, too.
        output: folder of the outputs.
        wanted: tells by a file's name whether it is a picture.
        is_output: tells whether this program made a file.
        advice: ends the error if folders hold no such picture.
        other: tells by a file's name whether it is a picture that cannot be read.

    Raises:
        CinnError: if there is no picture.
    """
    found = Found()
    missing = [path for path in inputs if path != STREAM and identity(path) is None]
    if len(missing) == len(inputs):
        raise _missing(missing)
    found.problems += [_missing([path]) for path in missing]
    output_folder = os.path.realpath(output)  # unlike Path.resolve, it accepts links that form a circle
    seen = set()
    for path in inputs:
        if path == STREAM:
            found.pictures.append(Picture(STREAM, Path("stdin")))
            continue
        if path in missing or is_junk(path.name):
            continue
        folder = path if path.is_dir() else path.parent
        sources = _walk(path, recursive, output_folder, found.problems) if path.is_dir() else [path]
        for source in sources:
            if path.is_dir() and not wanted(source.name):
                found.passed_over.update([source.suffix.lower()] * other(source.name))
                continue
            picture = Picture(source, source.relative_to(folder), folder)
            key = (os.path.realpath(source), picture.place)
            if key in seen or (path.is_dir() and _is_under(output_folder, source) and is_output(source)):
                continue
            seen.add(key)
            found.pictures.append(picture)
    if not found.pictures and len(found.problems) > len(missing):
        raise found.problems[-1]
    if not found.pictures:
        existing = _listed([path for path in inputs if path not in missing])
        deeper = "" if recursive else ", or search subfolders, too, with --recursive"
        deeper += f" ({listed_suffixes(found.passed_over)} cannot be read)" * bool(found.passed_over)
        raise CinnError(
            "There are no pictures in {paths}: give pictures or folders with some{advice}.",
            paths=existing,
            advice=deeper + advice,
        )
    return found


def listed_suffixes(numbers: Mapping[str, int]) -> str:
    """Return numbers of files by suffix as text.

    >>> listed_suffixes({".svg": 1, ".cr2": 1200})
    '1,200 .cr2, 1 .svg'
    """
    return ", ".join(f"{numbers[suffix]:,} {suffix}" for suffix in sorted(numbers))


def identity(path: Path) -> tuple[int, int] | None:
    """Return the device and number of a file, or None if there is no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def check_file(output: Path, context: typer.Context) -> None:
    """Check that a picture can be written to a file.

    Raises:
        WrongUsage: if it is a folder, or does not end like a picture.
        CinnError: if it cannot be written.
    """
    if _is_folder(output):
        raise WrongUsage(f"{output} is a folder: name a picture inside it, such as digits.png.", context)
    if output.suffix.lower() not in KEPT_SUFFIXES:
        known = ", ".join(KEPT_SUFFIXES)
        raise WrongUsage(f"{output} does not end like a picture: name it with one of {known}.", context)
    check_output(output)


def check_folder(output: Path, context: typer.Context) -> None:
    """Refuse a file, and a name that looks like one, in place of a folder.

    Raises:
        WrongUsage: naming it.
        ImageError: as :func:`check_new_folder`.
    """
    if not _is_folder(output) and (_answers(output.exists) or output.suffix.lower() in KEPT_SUFFIXES):
        raise WrongUsage(f"--separate writes into a folder, but {output} is none: name a folder with -o.", context)
    check_new_folder(output)


def check_new_folder(output: Path) -> None:
    """Check, before the work, that files can be written into a folder, which will be made if it does not exist.

    Raises:
        ImageError: if not.
    """
    with _explained(output):
        try_output(output / ".new", new_folders=True)


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, and those above it.

    Raises:
        ImageError: if it cannot be made; a DiskFullError if there is no room.
    """
    with _explained(folder):
        check_names(folder)
        folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno in DISK_FULL else ImageError
        raise kind(
            "The folder {folder} cannot be made ({reason}): choose another one with -o.",
            folder=folder,
            reason=error.strerror,
        ) from error


def _walk(folder: Path, recursive: bool, output_folder: str, problems: list[CinnError]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        problems.append(
            CinnError(
                "The folder {folder} cannot be searched ({reason}): check its permissions.",
                folder=error.filename,
                reason=error.strerror,
            )
        )

    def searched(subfolder: Path) -> bool:
        return not is_junk_folder(subfolder.name) and os.path.realpath(subfolder) != output_folder

    for here, subfolders, files in os.walk(folder, onerror=refuse):
        place = Path(here)
        subfolders[:] = sorted(name for name in subfolders if recursive and searched(place / name))
        for name in sorted(files):
            if not name.startswith(".") and not is_junk(name):
                yield place / name


def _missing(paths: Sequence[Path]) -> CinnError:
    listed = _listed(paths)
    if any(map(is_pattern, paths)):
        return CinnError(
            "There is nothing at {paths}, since patterns are not expanded: give the folder, with the pattern as "
            "--pattern.",
            paths=listed,
        )
    return CinnError("There is nothing at {paths}: check the spelling and the folder.", paths=listed)


def _is_under(folder: str, path: Path) -> bool:
    return Path(os.path.realpath(path.parent)).is_relative_to(folder)


def _listed(paths: Sequence[Path], most: int = 3) -> str:
    names = ", ".join(str(path) for path in paths[:most])
    return f"{names} and {len(paths) - most} more" if len(paths) > most else names


def _is_folder(path: Path) -> bool:
    return _answers(path.is_dir)


def _answers(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name that is too long, or a folder that must not be searched
        return False
