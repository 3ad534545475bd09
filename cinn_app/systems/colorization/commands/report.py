"""What a run of `cinn colorize` reports: sentences while it runs, a summary, and a line of JSON per colouring."""

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from cinn_app.cli.console import count, explain, report, say, say_error, say_warning
from cinn_app.cli.files import STREAM
from cinn_app.errors import DiskFullError
from cinn_app.files import check_names, locked, unwritable
from cinn_app.systems.colorization.commands.plan import Job
from cinn_app.systems.colorization.commands.work import Outcome, State

__all__ = ["JsonLines", "RunSummary", "open_report"]


class RunSummary:
    """Collects and reports the outcome of each picture.

    Args:
        total: pictures of the run.
        problems: inputs that failed before it started.
        lines: the report file.
        quiet: report only what went wrong.
    """

    def __init__(self, total: int, problems: int, lines: "JsonLines", quiet: bool) -> None:
        self.total, self.failed, self.lines, self.quiet = total, problems, lines, quiet
        self.states: Counter[State] = Counter()
        self.first_conflict, self.trimmed = "", 0

    def add(self, job: Job, outcome: Outcome | Exception) -> None:
        """Report the outcome of one picture.

        Raises:
            DiskFullError: if that is the outcome, since the next picture would fail, too.
        """
        if isinstance(outcome, Exception):
            self.lines.add({"input": str(job.source), "error": explain(outcome, str(job.source))})
            if isinstance(outcome, DiskFullError):
                raise outcome
            report(outcome, str(job.source))
            self.failed += 1
            return
        self.states[outcome.state] += 1
        self.first_conflict = self.first_conflict or outcome.conflict
        self.trimmed += outcome.trimmed
        for line in outcome.lines:
            self.lines.add(line, again=outcome.state is not State.FINISHED_BEFORE)
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
            if self.trimmed:
                say(f"Cut the dark rim of a film off {count(self.trimmed, 'picture')}.")
        return not (left or self.failed)


class JsonLines:
    """A file with an object per line, which several runs may share; each line reaches the operating system at once.

    Args:
        path: of the file, for errors.
        file: open for reading and appending; None to write nothing. A last line that a killed run cut short is removed.
    """

    def __init__(self, path: Path, file: BinaryIO | None) -> None:
        self._path, self._file, self._read_to = path, file, 0
        self._before: set[Any] = set()  # what there are lines about from earlier runs, and from others at the same time
        self._meanwhile: set[Any] = set()
        if file is not None:
            with _explained(path), locked(file):
                self._before = {_subject(line) for line in self._new_lines(file)}

    def add(self, line: Mapping[str, Any], again: bool = True) -> None:
        """Add a line, unless this run, or another one since this one began, has one about the same.

        Args:
            line: about an output or, with an error, an input.
            again: even if an earlier run has a line about the same.

        Raises:
            CinnError: if it cannot be written.
        """
        if self._file is None:
            return
        with _explained(self._path), locked(self._file):
            self._meanwhile |= {_subject(other) for other in self._new_lines(self._file)}
            if _subject(line) in self._meanwhile or (not again and _subject(line) in self._before):
                return
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            self._read_to = self._file.tell()
            self._meanwhile.add(_subject(line))

    def _new_lines(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """Yield the objects behind what was read, and mend the last line; the lock shows that nobody is writing it."""
        file.seek(self._read_to)
        line = b"\n"
        for line in file:
            try:
                read = json.loads(line)
            except ValueError:  # cut short, or not written by this program
                if not line.endswith(b"\n"):
                    file.truncate(file.tell() - len(line))
                    break
                continue
            if isinstance(read, dict):
                yield read
        else:
            if not line.endswith(b"\n"):
                file.write(b"\n")
                file.flush()
        self._read_to = file.seek(0, os.SEEK_END)


def _subject(line: Mapping[str, Any]) -> tuple[Any, Any]:
    return line.get("output"), line.get("input") if "error" in line else None


@contextlib.contextmanager
def open_report(path: Path | None) -> Iterator[JsonLines]:
    """Open a report file, and make its folder; without a path nothing is written.

    Raises:
        CinnError: if the file cannot be written.
    """
    if path is None:
        yield JsonLines(Path(), None)
        return
    with contextlib.ExitStack() as stack:
        with _explained(path):
            check_names(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+b"))
        yield JsonLines(path, file)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
