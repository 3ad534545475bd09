"""A file with a JSON object per line, each on its way to the disk as soon as it is written."""

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from cinn_app.errors import CinnError

__all__ = ["json_lines", "read_json_lines"]


@contextlib.contextmanager
def json_lines(path: Path | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield what adds a line to a file; a file that is there already goes on where it ends, or where it was cut short.

    Args:
        path: of the file, or None to write nothing.

    Raises:
        CinnError: if it cannot be written.
    """
    if path is None:
        yield lambda line: None
        return
    with contextlib.ExitStack() as stack:
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+b"))
            _end_last_line(file)

        def write(line: Mapping[str, Any]) -> None:
            with _explained(path):
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()

        yield write


def read_json_lines(path: Path | None) -> list[dict[str, Any]]:
    """Read the objects in a file of such lines; what is no object, or no file, counts for nothing."""
    if path is None or not path.is_file():
        return []
    objects = []
    with _explained(path), path.open("rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):  # a line cut short, or not one of ours
                objects.append(json.loads(line))
    return [one for one in objects if isinstance(one, dict)]


def _end_last_line(file: BinaryIO) -> None:
    """Take away what a killed run had written of a line."""
    file.seek(0)
    last = next(iter(deque(file, maxlen=1)), b"\n")
    if last.endswith(b"\n"):
        return
    try:
        json.loads(last)
        file.write(b"\n")
    except ValueError:
        file.truncate(file.seek(0, os.SEEK_END) - len(last))


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CinnError(f"The report {path} cannot be written ({error.strerror}): name another file.") from error
