"""Files of visitors, called as they call them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cinn_app.errors import CinnError

__all__ = ["naming"]


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """Let errors name a visitor's file as he knows it, without the folder in which the studio keeps it.

    Raises:
        CinnError: of the same class as one that is raised inside.
    """
    try:
        yield
    except CinnError as error:
        values = {
            name: value.replace(str(file), file.name) if type(value) is str else value
            for name, value in error.values.items()
        }
        raise type(error)(error.template.replace(str(file), file.name), **values) from error
