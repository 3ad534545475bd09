"""What `cinn colorize` does with one picture: look what is there already, read, colour, write."""

import io
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cinn_app.cli.destinations import make_folder
from cinn_app.cli.inputs import STREAM
from cinn_app.errors import DiskFullError, ImageError
from cinn_app.systems.colorization.commands.plan import Claims, Job

if TYPE_CHECKING:
    from cinn_app.imaging import Photograph
    from cinn_app.systems.colorization.colorizer import Colorizer
    from cinn_app.systems.colorization.colouring import Colouring
    from cinn_app.systems.colorization.steering import Steering

__all__ = ["Done", "Order", "State", "Worker", "is_colouring"]

#: What a mark says beyond a line of the report, which names the input itself.
NOT_REPORTED = ("program", "source", "source_bytes", "quality")


@dataclass(frozen=True)
class Order:
    """What is asked of every picture.

    Attributes:
        samples, temperature, seed, steering: as in `Colorizer.colorize`.
        diverse: draw several times as many and keep those that differ most.
        strength, quality, mark: as in `Colouring.save`.
        format: of what goes to standard output; "keep" for the picture's own.
        overwrite: make anew what is there already.
    """

    samples: int
    diverse: bool
    temperature: float | None
    seed: int
    steering: "Steering"
    strength: float
    format: str
    quality: int | None
    mark: bool
    overwrite: bool

    @property
    def drawn(self) -> int:
        """How many colourings are drawn of each picture."""
        from cinn_app.systems.colorization.selection import DRAWN_FOR_EACH

        return self.samples * (DRAWN_FOR_EACH if self.diverse else 1)


class State(Enum):
    """How a picture came out of a run."""

    COLOURED = "coloured"
    FINISHED = "finished before"
    LEFT = "left as it was"


@dataclass(frozen=True)
class Done:
    """What became of one picture.

    Attributes:
        state: how it came out.
        warnings: sentences about the picture.
        lines: for the report, one per colouring, of those that were finished before, too.
        why: why it was left.
    """

    state: State
    warnings: tuple[str, ...] = ()
    lines: tuple[Mapping[str, Any], ...] = ()
    why: str = ""


@dataclass(frozen=True)
class _Coloured:
    colourings: "list[Colouring]"
    drawn: "list[Colouring]"
    seconds: float


class Worker:
    """The three stages of one picture; the first and the last may run in any thread.

    A colouring that is there already is known by the mark in its metadata (`imaging.read_provenance`): it goes wherever
    the file goes, cannot disagree with it as a list of files beside it would, and several runs may share a folder.
    """

    def __init__(self, colorizer: "Colorizer", order: Order, claims: Claims) -> None:
        self.colorizer, self.order, self.claims = colorizer, order, claims
        # Through JSON, as the marks that they are compared with.
        self._settings = [
            json.loads(json.dumps(colorizer.settings(order.seed, sample, order.temperature, order.steering)))
            for sample in range(order.samples)
        ]

    def read(self, job: Job) -> "tuple[Photograph, float] | Done":
        """Read the picture, unless its colourings are there."""
        from cinn_app.imaging import read_photograph

        start = time.perf_counter()
        self.claims.check(job)
        if not self.order.overwrite and (done := self._standing(job)):
            return done
        source = io.BytesIO(sys.stdin.buffer.read()) if job.source == STREAM else job.source
        return read_photograph(source), time.perf_counter() - start

    def colour(self, job: Job, found: "tuple[Photograph, float] | Done") -> "_Coloured | Done":
        """Draw the colourings."""
        if isinstance(found, Done):
            return found
        from cinn_app.systems.colorization.selection import keep_diverse

        photograph, seconds = found
        start = time.perf_counter()
        order = self.order
        drawn = self.colorizer.colorize(photograph, order.drawn, order.temperature, order.seed, order.steering)
        chosen = keep_diverse(drawn, order.samples) if order.diverse else drawn
        return _Coloured(chosen, drawn, seconds + time.perf_counter() - start)

    def pixels(self, work: "_Coloured | Done") -> int:
        """Say how large the picture is that is about to be written."""
        if isinstance(work, Done):
            return 0
        height, width = work.colourings[0].photograph.size
        return height * width

    def write(self, job: Job, work: "_Coloured | Done") -> Done:
        """Write all that is made of the picture."""
        if isinstance(work, Done):
            return work
        from cinn_app.systems.colorization.selection import save_sheet, save_uncertainty

        start = time.perf_counter()
        for target, colouring in zip(job.targets, work.colourings, strict=True):
            self._write(job, target, colouring)
        if job.sheet:
            save_sheet(job.sheet, work.colourings, self.order.strength, _file(job), self.order.mark)
        if job.uncertainty:
            save_uncertainty(job.uncertainty, work.drawn, _file(job), self.order.mark)
        seconds = (work.seconds + time.perf_counter() - start) / len(job.targets)
        warnings = work.colourings[0].warnings
        lines = [
            {
                "input": str(job.source),
                "output": str(target),
                **colouring.settings,
                "strength": self.order.strength,
                "log_likelihood": colouring.log_prob,
                "bits_per_dim": colouring.bits_per_dim,
                "seconds": round(seconds, 3),
                "warnings": list(warnings),
            }
            for target, colouring in zip(job.targets, work.colourings, strict=True)
        ]
        return Done(State.COLOURED, warnings, tuple(lines))

    def _write(self, job: Job, target: Path, colouring: "Colouring") -> None:
        order = self.order
        if target == STREAM:
            chosen = None if order.format == "keep" else order.format
            _to_stdout(colouring.encode(chosen, order.strength, order.mark, order.quality))
            return
        make_folder(target.parent)
        colouring.save(target, order.strength, _file(job), order.mark, order.quality)

    def _standing(self, job: Job) -> Done | None:
        """Say whether the job is done already, or something else is where its files would go."""
        from cinn_app.systems.colorization.colouring import name_source

        order, source = self.order, name_source(_file(job))
        marks = {file: _mark(file) for file in job.files if file != STREAM and file.exists()}
        for file, mark in marks.items():
            if mark is None:
                return Done(State.LEFT, why=f"{file} does not say how it was made")
            wanted = {**self._wanted(job, file), **source}
            # A setting that only one of both has counts as well; which of many samples are chosen shows in colouring.
            for key in sorted((wanted.keys() | mark.keys()) - {"program", *(["sample"] if order.diverse else [])}):
                if mark.get(key) != wanted.get(key):
                    return Done(State.LEFT, why=f"{file} was made with {key} {mark.get(key)}, not {wanted.get(key)}")
        if len(marks) < len(job.files):
            return None
        # Of an earlier run likelihood and seconds are not known.
        made = [(target, (marks[target] or {}).items()) for target in job.targets]
        lines = [
            {
                "input": str(job.source),
                "output": str(target),
                **{key: value for key, value in mark if key not in NOT_REPORTED},
                "finished_before": True,
            }
            for target, mark in made
        ]
        return Done(State.FINISHED, lines=tuple(lines))

    def _wanted(self, job: Job, file: Path) -> dict[str, Any]:
        """Say what the mark of a file of the job would hold."""
        order = self.order
        if file == job.uncertainty:
            return {**self._settings[0], "samples": order.drawn}
        chosen = {"chosen_of": order.drawn} if order.diverse else {}
        drawn = {"strength": order.strength, **chosen}
        if file == job.sheet:
            return {**self._settings[0], **drawn, "samples": order.samples}
        return {**self._settings[job.targets.index(file)], **drawn, "quality": order.quality}


def is_colouring(path: Path) -> bool:
    """Tell a file that this program made, by its mark."""
    return _mark(path) is not None


def _mark(path: Path) -> dict[str, Any] | None:
    """Read the mark of a file that may be anything."""
    from cinn_app.imaging import read_provenance

    try:
        return read_provenance(path)
    except ImageError:
        return None


def _file(job: Job) -> Path | None:
    return None if job.source == STREAM else job.source


def _to_stdout(content: bytes) -> None:
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more as it ends
        if isinstance(error, BrokenPipeError):
            raise ImageError("Whoever reads standard output closed it before the picture was whole.") from error
        raise DiskFullError(
            f"Standard output cannot be written ({error.strerror}): make room, or write elsewhere."
        ) from error
