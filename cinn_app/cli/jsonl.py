"""A file with a JSON object per line, each on its way to the disk as soon as it is written."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from cinn_app.errors import CinnError

__all__ = ["json_lines"]


@contextlib.contextmanager
def json_lines(path: Path | None) -> Iterator[tuple[list[dict[str, Any]], Callable[[Mapping[str, Any]], None]]]:
    """Yield the objects that a file holds already, and what adds a line; a line that was cut short is taken away.

    Args:
        path: of the file, or None to write nothing.

    Raises:
        CinnError: if it cannot be written.
    """
    if path is None:
        yield [], lambda line: None
        return
    with contextlib.ExitStack() as stack:
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+b"))
            said = _read(file)

        def write(line: Mapping[str, Any]) -> None:
            with _explained(path):
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()

        yield said, write


def _read(file: BinaryIO) -> list[dict[str, Any]]:
    """Read what is an object of those lines, and take away what a killed run had written of the last one."""
    objects, line = [], b"\n"
    file.seek(0)
    for line in file:
        try:
            objects.append(json.loads(line))
        except ValueError:  # not one of ours
            if not line.endswith(b"\n"):
                file.truncate(file.tell() - len(line))
                break
    else:
        if not line.endswith(b"\n"):
            file.write(b"\n")
    return [one for one in objects if isinstance(one, dict)]


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CinnError(f"The report {path} cannot be written ({error.strerror}): name another file.") from error
