"""The studio's files: uploads of visitors and results of programs, and when they are deleted."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cinn_app.errors import CinnError
from cinn_app.files import in_use, remove_unless_in_use

__all__ = [
    "delete_old_results",
    "delete_partial_uploads",
    "delete_upload",
    "inside",
    "naming",
    "new_results_folder",
    "private_folder",
    "upload_folder",
    "without_folder",
]

RESULTS_PREFIX = "results-"
#: Of the folders of running studios, in the system's folder of temporary files; in each a file shows that it runs.
STUDIO_PREFIX, RUNNING = "cinn-studio-", "running"
# Seconds after which a folder without that file is left over: from an older version, or a kill at the very start.
LEFT_OVER = 86_400


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Keep all files of a running studio in a folder that only this user can read, and delete it at the end.

    Folders of studios that were killed are deleted, too.
    """
    _delete_left_over(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=STUDIO_PREFIX, ignore_cleanup_errors=True) as folder:
        files = Path(folder).resolve() / "files"
        with in_use(files.with_name(RUNNING)):
            files.mkdir()
            os.environ["GRADIO_TEMP_DIR"] = str(files)
            try:
                yield files
            finally:
                del os.environ["GRADIO_TEMP_DIR"]


def _delete_left_over(folder: Path) -> None:
    """Delete the folders of this user's studios that run no more."""
    for studio in folder.glob(f"{STUDIO_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = studio.lstat()  # of others, a link might lead anywhere
            if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
                continue
            running = studio / RUNNING
            is_old = time.time() - status.st_mtime > LEFT_OVER
            if remove_unless_in_use(running) if running.exists() else is_old:
                shutil.rmtree(studio, ignore_errors=True)


def upload_folder() -> Path:
    """Return the folder of the uploads: gradio's own default if no studio runs."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio")


def inside(folder: Path, path: str) -> Path | None:
    """Return the file at a path that a client gave, resolved, if it is in a folder; None for any other path.

    The path is compared as text first: to resolve `//host/share/file`, Windows would log on to that host.

    Args:
        folder: resolved.
        path: whole, not relative to anything.
    """
    if "\0" in path or folder not in Path(os.path.normpath(path)).parents:
        return None
    try:
        found = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):  # a loop of links
        return None
    return found if folder in found.parents else None


def without_folder(sentence: str) -> str:
    """Leave out the folders in which the studio keeps files: visitors know a file by its name."""
    return re.sub(rf"{re.escape(str(upload_folder()))}[/\\](?:[\w.-]+[/\\])*", "", sentence)


def new_results_folder() -> Path:
    """Make a folder for the results of one call of an endpoint; :func:`delete_old_results` deletes it."""
    upload_folder().mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=RESULTS_PREFIX, dir=upload_folder()))


def delete_old_results(folder: Path, age: float) -> None:
    """Delete the results of past calls. A download that has begun is completed, where the operating system allows it.

    Args:
        folder: that has the results' folders.
        age: seconds since the last write into a results' folder, so that no running call loses its own.
    """
    for results in folder.glob(f"{RESULTS_PREFIX}*"):
        with contextlib.suppress(OSError):  # a file that is being written changes its name
            latest = max(path.stat().st_mtime for path in (results, *results.iterdir()))
            if time.time() - latest > age:
                shutil.rmtree(results, ignore_errors=True)


def delete_partial_uploads(folder: Path, age: float) -> None:
    """Delete what remains of uploads that broke off, for example because the disk is full or the visitor left.

    Args:
        folder: where gradio writes an upload before it moves it into a folder of its own.
        age: seconds since the last write.
    """
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if file.is_file() and time.time() - file.stat().st_mtime > age:
                file.unlink()


def delete_upload(file: Path) -> None:
    """Delete an upload and the folder that gradio made for it."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
        file.parent.rmdir()  # unless something else is in it


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """Let errors name a visitor's file without the folder in which the studio keeps it.

    Raises:
        CinnError: of the same class as one that is raised inside.
    """
    try:
        yield
    except CinnError as error:
        values = {
            name: str(value).replace(str(file), file.name) if type(value) is str or isinstance(value, Path) else value
            for name, value in error.values.items()
        }
        raise type(error)(error.template.replace(str(file), file.name), **values) from error
