"""The studio's files: uploads of visitors and results of programs, and when they are deleted."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cinn_app.errors import CinnError
from cinn_app.files import in_use, remove_unless_in_use

__all__ = [
    "KEPT",
    "RESULTS",
    "delete_old_folders",
    "delete_partial_uploads",
    "delete_soon",
    "delete_unused_kept",
    "delete_upload",
    "inside",
    "naming",
    "new_kept_folder",
    "new_results_folder",
    "private_folder",
    "upload_folder",
    "without_folder",
]

#: Beginnings of the names of folders for the results of programs, and for what visitors come back to.
RESULTS, KEPT = "results-", "kept-"
#: Of the folders of running studios, in the system's folder of temporary files; in each a file shows that it runs.
STUDIO_PREFIX, RUNNING = "cinn-studio-", "running"
# Seconds after which a folder without that file is left over: from an older version, or a kill at the very start.
LEFT_OVER = 86_400
# Seconds in which a page may still load pictures that it is about to replace.
LOADING = 30


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
    """Make a folder for the results of one call of an endpoint."""
    return _new_folder(RESULTS)


def new_kept_folder() -> Path:
    """Make a folder for what a visitor comes back to, whichever page is closed in the meantime."""
    return _new_folder(KEPT)


def delete_old_folders(folder: Path, prefix: str, age: float) -> None:
    """Delete results or what was kept. A download that has begun is completed, where the operating system allows it.

    Args:
        folder: that has these folders.
        prefix: their names begin with it, :data:`RESULTS` or :data:`KEPT`.
        age: seconds since the last write into one of them, so that nobody loses what is in use.
    """
    for old in folder.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # a file that is being written changes its name
            if time.time() - _last_write(old) > age:
                shutil.rmtree(old, ignore_errors=True)


def delete_unused_kept(folder: Path, most: int, age: float) -> None:
    """Delete what was kept, the longest unused first, until the rest has at most so many bytes.

    Args:
        folder: that has these folders.
        most: bytes that they may have together.
        age: seconds since the last write; what is younger stays.
    """
    with contextlib.suppress(OSError):
        kept = sorted(folder.glob(f"{KEPT}*"), key=_last_write)
        sizes = {one: sum(file.stat().st_size for file in one.rglob("*") if file.is_file()) for one in kept}
        excess = sum(sizes.values()) - most
        for one in kept:
            if excess > 0 and time.time() - _last_write(one) > age:
                shutil.rmtree(one, ignore_errors=True)
                excess -= sizes[one]


def delete_soon(folder: Path) -> None:
    """Delete a folder of pictures in half a minute, when pages that were loading some of them have them."""
    timer = threading.Timer(LOADING, shutil.rmtree, [folder], {"ignore_errors": True})
    timer.daemon = True
    timer.start()


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


def _new_folder(prefix: str) -> Path:
    upload_folder().mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=upload_folder()))


def _last_write(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


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
