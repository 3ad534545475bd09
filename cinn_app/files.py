"""Writing files atomically."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_write"]


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
    temporary = target.with_name(f".{stem}.{secrets.token_hex(4)}.part")
    # "x": two writers never share a file. Not tempfile.mkstemp, whose files only their owner may read.
    with temporary.open("xb") as file:
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            file.close()  # before the rename: Windows does not move an open file
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                file.close()
            temporary.unlink(missing_ok=True)
            raise
    if durable:
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power cut, on systems that can sync a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
