"""Progress bars for long work."""

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["rich_progress"]


@contextlib.contextmanager
def rich_progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs; it yields what advances the bar."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.advance(task, done)
