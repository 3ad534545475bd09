"""Progress bars for long work."""

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cinn_app.cli.console import err

__all__ = ["rich_progress"]

#: Seconds over which the rate is averaged: many, since a single large picture may take a minute.
RATE_SECONDS = 300


@contextlib.contextmanager
def rich_progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs, if stderr is a terminal, and yield the function that advances it.

    Sentences printed through :mod:`cinn_app.cli.console` appear above the bar.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal, speed_estimate_period=RATE_SECONDS) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.advance(task, done)


class _Rate(ProgressColumn):
    """Items per second, or seconds per item, whichever is the larger number."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", "progress.data.speed")
