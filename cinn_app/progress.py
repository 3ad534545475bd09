"""How long work reports its progress, whatever shows it."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeAlias

__all__ = ["Progress", "no_progress"]

#: Opens a bar with a label and, if known, a total, and yields the function that advances it by a number of items.
Progress: TypeAlias = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]


@contextlib.contextmanager
def no_progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    yield lambda done: None
