"""What a run of `cinn colorize` reports: sentences while it runs, a summary, and a line of JSON per colouring."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from cinn_app.cli.console import count, explain, report, say, say_error, say_warning
from cinn_app.cli.files import STREAM
from cinn_app.errors import CinnError, DiskFullError
from cinn_app.systems.colorization.commands.plan import Job
from cinn_app.systems.colorization.commands.work import Outcome, State

__all__ = ["RunSummary", "json_lines"]


class RunSummary:
    """Collects and reports the outcome of each picture.

    Args:
        total: pictures of the run.
        problems: inputs that failed before it started.
        write_line: adds a line to the report file.
        reported: lines of that file from earlier runs.
        quiet: report only what went wrong.
    """

    def __init__(
        self,
        total: int,
        problems: int,
        write_line: Callable[[Mapping[str, Any]], None],
        reported: Iterable[Mapping[str, Any]],
        quiet: bool,
    ) -> None:
        self.total, self.failed, self.write_line, self.quiet = total, problems, write_line, quiet
        self.reported = {line.get("output") for line in reported}
        self.states: Counter[State] = Counter()
        self.first_conflict = ""

    def add(self, job: Job, outcome: Outcome | Exception) -> None:
        """Report the outcome of one picture.

        Raises:
            DiskFullError: if that is the outcome, since the next picture would fail, too.
        """
        if isinstance(outcome, Exception):
            self.write_line({"input": str(job.source), "error": explain(outcome, str(job.source))})
            if isinstance(outcome, DiskFullError):
                raise outcome
            report(outcome, str(job.source))
            self.failed += 1
            return
        self.states[outcome.state] += 1
        self.first_conflict = self.first_conflict or outcome.conflict
        for line in outcome.lines:
            if outcome.state is not State.FINISHED_BEFORE or line["output"] not in self.reported:
                self.write_line(line)
        for warning in outcome.warnings if not self.quiet else ():
            say_warning(f"{job.source}: {warning}")

    def say_stopped(self) -> None:
        """Sum up a run that Ctrl-C ended."""
        coloured = f"{self.states[State.COLOURED]:,} of {count(self.total, 'picture')} coloured"
        say_warning(f"Stopped: {coloured}, and no file is half written; the same command continues from here.")

    def say_finished(self, output: Path) -> bool:
        """Sum up a run that reached its end.

        Returns:
            Whether all outputs exist as they were asked for.
        """
        finished, left = self.states[State.FINISHED_BEFORE], self.states[State.LEFT]
        if left:
            pictures = count(left, "picture")
            say_error(f"{pictures} left as before, since {self.first_conflict}: --overwrite replaces such files.")
        if not self.quiet and output != STREAM:
            parts = [f"Coloured {count(self.states[State.COLOURED], 'picture')} into {output}"]
            parts += [f"{finished:,} finished before"] * bool(finished)
            parts += [f"{left:,} left as before"] * bool(left)
            parts += [f"{self.failed:,} failed"] * bool(self.failed)
            say("; ".join(parts) + ".")
        return not (left or self.failed)


@contextlib.contextmanager
def json_lines(path: Path | None) -> Iterator[tuple[list[dict[str, Any]], Callable[[Mapping[str, Any]], None]]]:
    """Open a file with an object per line; each line reaches the operating system as soon as it is written.

    Args:
        path: of the file, or None to write nothing.

    Yields:
        The objects that the file holds already, and a function that adds one. A line that was cut short is removed.

    Raises:
        CinnError: if the file cannot be written.
    """
    if path is None:
        yield [], lambda line: None
        return
    with contextlib.ExitStack() as stack:
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+b"))
            lines = _read(file)

        def write(line: Mapping[str, Any]) -> None:
            with _explained(path):
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()

        yield lines, write


def _read(file: BinaryIO) -> list[dict[str, Any]]:
    """Read the lines that are objects, and remove the part of a last line that a killed run left."""
    objects, line = [], b"\n"
    file.seek(0)
    for line in file:
        try:
            objects.append(json.loads(line))
        except ValueError:  # cut short, or not written by this program
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
        raise CinnError(
            "The report {path} cannot be written ({reason}): name another file.", path=path, reason=error.strerror
        ) from error
