"""Where pictures may be written: checked before the work starts."""

import errno
from collections.abc import Callable
from pathlib import Path

import typer

from cinn_app.cli.options import WrongUsage
from cinn_app.errors import DiskFullError, ImageError

__all__ = ["KEPT_SUFFIXES", "check_file", "check_folder", "make_folder"]

#: Suffixes that outputs keep; any other becomes png, which loses nothing.
KEPT_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff")


def check_file(output: Path, context: typer.Context) -> None:
    """See to it, before the work, that a sheet can be written there.

    Raises:
        WrongUsage: if it is a folder or has no picture's suffix.
        ImageError: if its folder does not exist.
    """
    if _is_folder(output):
        raise WrongUsage(f"{output} is a folder: name a picture inside it, such as digits.png.", context)
    if output.suffix.lower() not in KEPT_SUFFIXES:
        known = ", ".join(KEPT_SUFFIXES)
        raise WrongUsage(f"{output} has no suffix that tells a picture's format: end it in one of {known}.", context)
    if not _is_folder(output.parent):
        raise ImageError(f"There is no folder {output.parent} to write {output.name} into: make it first.")


def check_folder(output: Path, context: typer.Context) -> None:
    """Refuse what is, or by its suffix was meant as, a picture."""
    if not _is_folder(output) and (_answers(output.exists) or output.suffix.lower() in KEPT_SUFFIXES):
        raise WrongUsage(f"--separate writes into a folder, and {output} is none: name a folder with -o.", context)


def _is_folder(path: Path) -> bool:
    return _answers(path.is_dir)


def _answers(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name that is too long, or a folder that may not be searched
        return False


def make_folder(folder: Path) -> None:
    """Make a folder for colourings, and those above it.

    Raises:
        ImageError: if there cannot be one; a DiskFullError if there is no room.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else ImageError
        raise kind(
            "The folder {folder} cannot be made ({reason}): choose another one with -o.",
            folder=folder,
            reason=error.strerror,
        ) from error
