"""What `cinn colorize` does with one picture: check earlier outputs, read, colour, write."""

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

from cinn_app.cli.files import STREAM, make_folder
from cinn_app.errors import DiskFullError, ImageError
from cinn_app.systems.colorization.commands.plan import Job, ProtectedInputs
from cinn_app.systems.colorization.temperatures import Temperature

if TYPE_CHECKING:
    from cinn_app.imaging import Photograph
    from cinn_app.systems.colorization.colorizer import Colorizer
    from cinn_app.systems.colorization.colouring import Colouring
    from cinn_app.systems.colorization.steering import Steering

__all__ = ["Outcome", "Request", "State", "Worker", "is_colouring"]

#: Keys of a provenance record that the report leaves out; it names the input itself.
NOT_REPORTED = ("program", "source", "source_bytes", "quality")


@dataclass(frozen=True)
class Request:
    """What is asked for, of every picture alike.

    Attributes:
        samples, temperature, seed, steering: as in `Colorizer.colorize`.
        diverse: draw several times as many and keep those that represent them best.
        strength, quality: as in `Colouring.save`.
        mark: whether files get a provenance record.
        format: of standard output; "keep" for the picture's own.
        overwrite: replace existing outputs.
        strict: refuse pictures that are damaged or cut short.
        trim: cut the dark rims of films off.
        report: whether outcomes have lines for a report, which need the likelihood of each colouring.
    """

    samples: int
    diverse: bool
    temperature: Temperature | None
    seed: int
    steering: "Steering"
    strength: float
    format: str
    quality: int | None
    mark: bool
    overwrite: bool
    strict: bool
    trim: bool
    report: bool

    @property
    def drawn(self) -> int:
        """The number of colourings that are drawn of each picture."""
        from cinn_app.systems.colorization.selection import CANDIDATES

        return self.samples * (CANDIDATES if self.diverse else 1)


class State(Enum):
    """The result of a run for a picture."""

    COLOURED = "coloured"
    FINISHED_BEFORE = "finished before"
    LEFT = "left as it was"


@dataclass(frozen=True)
class Outcome:
    """The outcome for one picture.

    Attributes:
        state: the result.
        warnings: sentences about the picture.
        lines: of the report, one per colouring, also of those that were finished before.
        conflict: why the picture was left.
        trimmed: whether the rim of a film was cut off.
    """

    state: State
    warnings: tuple[str, ...] = ()
    lines: tuple[Mapping[str, Any], ...] = ()
    conflict: str = ""
    trimmed: bool = False


@dataclass(frozen=True)
class _Coloured:
    colourings: "list[Colouring]"
    seconds: float


class Worker:
    """The three stages of one picture; the first and the last may run in any thread.

    An existing colouring is recognised by the provenance record in its metadata (`imaging.read_provenance`): the record
    moves with the file and cannot disagree with it, and several runs may share a folder.
    """

    def __init__(self, colorizer: "Colorizer", request: Request, inputs: ProtectedInputs) -> None:
        self.colorizer, self.request, self.inputs = colorizer, request, inputs
        self.steering = request.steering

    def read(self, job: Job) -> "tuple[Photograph, float] | Outcome":
        """Read the picture, unless its colourings exist."""
        start, request = time.perf_counter(), self.request
        self.inputs.check(job)
        photograph = None
        if request.trim and (request.steering.hints or request.steering.thing):  # what is cut off moves their places
            photograph = self._photograph(job)
            whole = photograph.whole_size or photograph.size
            self.steering = request.steering.on_part(photograph.frame, whole)
        if not request.overwrite and (done := self._existing(job)):
            return done
        return photograph or self._photograph(job), time.perf_counter() - start

    def colour(self, job: Job, found: "tuple[Photograph, float] | Outcome") -> "_Coloured | Outcome":
        """Draw the colourings."""
        if isinstance(found, Outcome):
            return found
        photograph, seconds = found
        start = time.perf_counter()
        request = self.request
        colourings = self.colorizer.colorize(
            photograph, request.samples, request.temperature, request.seed, self.steering, request.diverse
        )
        return _Coloured(colourings, seconds + time.perf_counter() - start)

    def _photograph(self, job: Job) -> "Photograph":
        from cinn_app.imaging import read_photograph

        source = io.BytesIO(sys.stdin.buffer.read()) if job.source == STREAM else job.source
        photograph = read_photograph(source, strict=self.request.strict)
        return photograph.without_rim() if self.request.trim else photograph

    def pixels(self, work: "_Coloured | Outcome") -> int:
        """Return the size of the picture that waits to be written."""
        if isinstance(work, Outcome):
            return 0
        height, width = work.colourings[0].photograph.size
        return height * width

    def write(self, job: Job, work: "_Coloured | Outcome") -> Outcome:
        """Write the outputs of the picture."""
        if isinstance(work, Outcome):
            return work
        from cinn_app.systems.colorization.selection import save_contact_sheet, save_uncertainty

        start = time.perf_counter()
        for target, colouring in zip(job.targets, work.colourings, strict=True):
            self._write(job, target, colouring)
        if job.sheet:
            save_contact_sheet(job.sheet, work.colourings, self.request.strength, _file(job), self.request.mark)
        if job.uncertainty:
            save_uncertainty(job.uncertainty, work.colourings, _file(job), self.request.mark)
        seconds = (work.seconds + time.perf_counter() - start) / len(job.targets)
        warnings = work.colourings[0].warnings
        lines = [
            {
                "input": str(job.source),
                "output": str(target),
                "seconds": round(seconds, 3),
                **colouring.report(self.request.strength),
            }
            for target, colouring in zip(job.targets, work.colourings, strict=True)
            if self.request.report
        ]
        trimmed = bool(work.colourings[0].photograph.cut_out)
        return Outcome(State.COLOURED, warnings, tuple(lines), trimmed=trimmed)

    def _write(self, job: Job, target: Path, colouring: "Colouring") -> None:
        request = self.request
        if target == STREAM:
            chosen = None if request.format == "keep" else request.format
            _to_stdout(colouring.encode(chosen, request.strength, request.mark, request.quality))
            return
        make_folder(target.parent)
        colouring.save(target, request.strength, _file(job), request.mark, request.quality)

    def _existing(self, job: Job) -> Outcome | None:
        """Return the outcome if the outputs exist, whole, or other files are in their place."""
        from cinn_app.imaging import is_unfinished
        from cinn_app.systems.colorization.colouring import source_record

        request, source = self.request, source_record(_file(job))
        existing = [file for file in job.files if file != STREAM and file.exists()]
        records = {file: _record(file) for file in existing if not (file.is_file() and is_unfinished(file))}
        for file, record in records.items():
            if record is None:
                return Outcome(State.LEFT, conflict=f"{file} has no record of how it was made")
            wanted = {**self._wanted(job, file), **source}
            # A setting that only one of the two has counts, too, but not what is known after reading or drawing alone.
            later = {"sample": request.diverse, "crop": request.trim}
            for key in sorted((wanted.keys() | record.keys()) - {"program", *(key for key in later if later[key])}):
                if record.get(key) != wanted.get(key):
                    return Outcome(
                        State.LEFT, conflict=f"{file} was made with {key} {record.get(key)}, not {wanted.get(key)}"
                    )
        if len(records) < len(job.files):
            return None
        # The likelihood and the seconds of an earlier run are not known.
        made = [(target, (records[target] or {}).items()) for target in job.targets]
        lines = [
            {
                "input": str(job.source),
                "output": str(target),
                **{key: value for key, value in record if key not in NOT_REPORTED},
                "finished_before": True,
            }
            for target, record in made
        ]
        return Outcome(State.FINISHED_BEFORE, lines=tuple(lines))

    def _wanted(self, job: Job, file: Path) -> dict[str, Any]:
        """Return what the record of an output would hold."""
        request = self.request
        sample = job.targets.index(file) if file in job.targets else 0
        settings = self.colorizer.settings(request.seed, sample, request.temperature, self.steering)
        settings = json.loads(json.dumps(settings))  # as the records that they are compared with
        if file == job.uncertainty:
            return {**settings, "samples": request.drawn}
        chosen = {"chosen_of": request.drawn} if request.diverse else {}
        drawn = {"strength": request.strength, **chosen}
        if file == job.sheet:
            return {**settings, **drawn, "samples": request.samples}
        return {**settings, **drawn, "quality": request.quality}


def is_colouring(path: Path) -> bool:
    """Recognise a file that this program made, by its provenance record."""
    return _record(path) is not None


def _record(path: Path) -> dict[str, Any] | None:
    """Read the provenance record of a file of any kind."""
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at its exit
        if isinstance(error, BrokenPipeError):
            raise ImageError("The reader of standard output closed it before the picture was complete.") from error
        raise DiskFullError(
            "Standard output cannot be written ({reason}): make room, or write elsewhere.", reason=error.strerror
        ) from error
