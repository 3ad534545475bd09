"""How long work tells of its progress without knowing who shows it."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeAlias

__all__ = ["Progress", "no_progress"]

#: Opens a bar with a label and, if known, a total; what it yields is called with how much was just done.
Progress: TypeAlias = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]


@contextlib.contextmanager
def no_progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    yield lambda done: None
