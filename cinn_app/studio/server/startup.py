"""What lets the page be there soon: work of importing that nobody needs is left out, or done behind the page."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

__all__ = ["without_stubs"]


@contextlib.contextmanager
def without_stubs() -> Iterator[None]:
    """Let gradio be imported without a look at the stubs beside its source.

    It parses and rewrites a `.pyi` for each of its components whenever it is imported, which takes longer than all the
    rest of it together. What has no file it spares; so, meanwhile, no class has one.
    """

    def getfile(thing: Any) -> str:
        if isinstance(thing, type):
            raise OSError
        return true_getfile(thing)

    true_getfile = inspect.getfile
    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = true_getfile
