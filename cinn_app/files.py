"""Writing a file so that nobody ever sees half of it."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_write"]


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that takes the place of `path` only once the block has ended without an error.

    The bytes go to a hidden `.NAME.XXXXXXXX.part` beside the target (a rename is atomic only inside one file
    system), reach the disk, and are renamed over `path`. If the block raises, the temporary file is removed
    and whatever stood at `path` before still stands there. A symbolic link is followed, so that its target is
    replaced and not the link.

    Args:
        path: of the file.
        durable: wait until bytes and name have reached the disk, so that they survive a power cut.

    Raises:
        OSError: as the operating system gave it (no such folder, no permission, no space left); callers know
            what was being saved and say it in their own words.
    """
    target = Path(path).resolve()
    # A long name is cut, since the temporary one is longer and a file system takes 255 bytes.
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
    """Let the rename itself survive a power cut, where the system can sync a folder at all."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
