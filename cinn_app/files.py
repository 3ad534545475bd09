"""Writing files atomically and never over what is read, and locks between processes."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cinn_app.errors import CinnError

try:
    import fcntl
except ImportError:  # on Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

__all__ = ["JUNK_FOLDERS", "atomic_write", "keep_inputs", "locked", "sweep"]

#: Folders, in lower case, that storage servers (Synology) and archives (macOS) add; nothing in them is by a person.
JUNK_FOLDERS = ("@eadir", "__macosx")

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.part")


def keep_inputs(output: Path, *inputs: str | Path) -> None:
    """Check that an output would not replace what is read, also by a link or under another spelling.

    Args:
        output: path of the file that will be written.
        inputs: paths of files or folders; what does not exist is passed over.

    Raises:
        CinnError: if the output is one of them.
    """
    for given in inputs:
        with contextlib.suppress(OSError, ValueError):  # values of an observation are no possible path
            if output.samefile(given):
                raise CinnError("{path} is read, and would be overwritten: name another output.", path=output)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces `path` when the block ends without an error.

    The bytes go to a hidden file `.NAME.XXXXXXXX.part` in the same folder (a rename is atomic only within a file
    system), reach the disk, and are renamed to `path`. If the block raises, the temporary file is removed and `path`
    is unchanged. A symbolic link is followed: its target is replaced, not the link.

    Args:
        path: of the file.
        durable: wait until bytes and name have reached the disk, so that they survive a power cut.

    Raises:
        OSError: from the operating system (no such folder, no permission, no space left); callers know what was being
            saved, and explain it.
    """
    target = Path(path).resolve()
    # A long name is cut, since the temporary one is longer and file systems allow 255 bytes.
    stem = os.fsdecode(os.fsencode(target.name)[:200])
    temporary, file = _open_temporary(target.with_name(f".{stem}"))
    with file:
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows does not move an open file
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                file.close()
            temporary.unlink(missing_ok=True)
            raise
    if durable:
        _sync_folder(target.parent)


def _open_temporary(stem: Path) -> tuple[Path, BinaryIO]:
    """Open a new file, locked until it is closed, so that nobody sweeps it away."""
    while True:
        path = Path(f"{stem}.{secrets.token_hex(4)}.part")
        # "x": two writers never share a file. Not tempfile.mkstemp, whose files only their owner may read.
        file = path.open("xb")
        _lock(file)
        if fcntl is None or os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # it was swept away before it was locked


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed writers left in a folder; those of living writers stay."""
    with contextlib.suppress(OSError):
        for path in Path(folder).iterdir():
            if TEMPORARY.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    if fcntl is None:  # Windows refuses to remove an open file
        path.unlink()
        return
    with path.open("rb") as file:
        if _lock(file, wait=False):
            path.unlink()


@contextlib.contextmanager
def locked(file: BinaryIO) -> Iterator[None]:
    """Hold the lock of an open file, which other processes wait for; on systems without such locks do nothing."""
    held = _lock(file)
    try:
        yield
    finally:
        if held:
            fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: BinaryIO, wait: bool = True) -> bool:
    """Lock an open file until it is closed, and return whether that was possible."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process holds it, or the file system has no locks
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power cut, on systems that can sync a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
