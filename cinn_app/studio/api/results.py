"""The files that calls of the named endpoints make: a folder for each call, which goes some time after."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from gradio.utils import get_upload_folder

__all__ = ["delete_results", "new_folder"]

PREFIX = "made-"


def new_folder() -> Path:
    """Make a folder for what one call makes; :func:`delete_results` deletes it."""
    cache = Path(get_upload_folder())
    cache.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=cache))


def delete_results(folder: Path, age: float) -> None:
    """Delete what calls have made. Who is downloading a file meanwhile gets it whole, as long as the system allows it.

    Args:
        folder: in which the calls have theirs.
        age: seconds for which nothing has been written into a call's folder, so none of a call that still runs.
    """
    for made in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # a file that is being written changes its name
            latest = max(path.stat().st_mtime for path in (made, *made.iterdir()))
            if time.time() - latest > age:
                shutil.rmtree(made, ignore_errors=True)
