"""How a run of `cinn colorize` is getting on: what is said, what is reported, and what it comes to."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cinn_app.cli.console import count, say, say_error, say_warning
from cinn_app.cli.failures import explain, report
from cinn_app.cli.inputs import STREAM
from cinn_app.errors import DiskFullError
from cinn_app.systems.colorization.commands.plan import Job
from cinn_app.systems.colorization.commands.work import Done, State

__all__ = ["Tally"]


class Tally:
    """Takes what became of each picture.

    Args:
        total: pictures of the run.
        problems: inputs that failed before it began.
        note: adds a line to the report.
        reported: what it says already, from earlier runs.
        quiet: speak only of what went wrong.
    """

    def __init__(
        self,
        total: int,
        problems: int,
        note: Callable[[Mapping[str, Any]], None],
        reported: Iterable[Mapping[str, Any]],
        quiet: bool,
    ) -> None:
        self.total, self.failed, self.note, self.quiet = total, problems, note, quiet
        self.reported = {line.get("output") for line in reported}
        self.states: Counter[State] = Counter()
        self.first_left = ""

    def add(self, job: Job, outcome: Done | Exception) -> None:
        """Take what became of one picture.

        Raises:
            DiskFullError: if that is what became of it, since the next one would fare no better.
        """
        if isinstance(outcome, Exception):
            self.note({"input": str(job.source), "error": explain(outcome, str(job.source))})
            if isinstance(outcome, DiskFullError):
                raise outcome
            report(outcome, str(job.source))
            self.failed += 1
            return
        self.states[outcome.state] += 1
        self.first_left = self.first_left or outcome.why
        for line in outcome.lines:
            if outcome.state is not State.FINISHED or line["output"] not in self.reported:
                self.note(line)
        for warning in outcome.warnings if not self.quiet else ():
            say_warning(f"{job.source}: {warning}")

    def say_stopped(self) -> None:
        """Sum up a run that Ctrl-C ended."""
        coloured = f"{self.states[State.COLOURED]:,} of {count(self.total, 'picture')} coloured"
        say_warning(f"Stopped: {coloured}, and no file is half written; the same command goes on from here.")

    def say_all(self, output: Path) -> bool:
        """Sum up a run that came to its end.

        Returns:
            Whether all that was asked for is there.
        """
        finished, left = self.states[State.FINISHED], self.states[State.LEFT]
        if left:
            say_error(f"{count(left, 'picture')} left as before, since {self.first_left}: --overwrite makes anew.")
        if not self.quiet and output != STREAM:
            parts = [f"Coloured {count(self.states[State.COLOURED], 'picture')} into {output}"]
            parts += [f"{finished:,} finished before"] * bool(finished)
            parts += [f"{left:,} left as before"] * bool(left)
            parts += [f"{self.failed:,} failed"] * bool(self.failed)
            say("; ".join(parts) + ".")
        return not (left or self.failed)
