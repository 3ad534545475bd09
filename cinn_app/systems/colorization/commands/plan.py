"""Which files a run of `cinn colorize` writes: named before it starts, each for one picture. Knows paths only."""

import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cinn_app.cli.files import KEPT_SUFFIXES, STREAM, Picture, identity
from cinn_app.errors import CinnError, ImageError
from cinn_app.files import LONGEST_NAME, name_key, shortened

__all__ = ["Extras", "Job", "Plan", "ProtectedInputs", "make_plan", "output_names"]


@dataclass(frozen=True)
class Extras:
    """What is written in addition to the colourings: a contact sheet, a map of where they differ."""

    sheet: bool = False
    uncertainty: bool = False


@dataclass(frozen=True)
class Job:
    """One picture, and its outputs.

    Attributes:
        source: the picture's file, or `STREAM`.
        targets: the colourings' files, one per sample; `STREAM` for standard output.
        sheet: the contact sheet's file.
        uncertainty: the file of the map of where the samples differ.
    """

    source: Path
    targets: tuple[Path, ...]
    sheet: Path | None = None
    uncertainty: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All outputs."""
        return (*self.targets, *(path for path in (self.sheet, self.uncertainty) if path))


@dataclass(frozen=True)
class Plan:
    """The jobs of a run.

    Attributes:
        jobs: in the order of the pictures.
        problems: an error per picture that is left out.
        nested: whether outputs are under the names of the folders given, since they would clash otherwise.
    """

    jobs: tuple[Job, ...]
    problems: tuple[CinnError, ...] = ()
    nested: bool = False


def make_plan(pictures: Sequence[Picture], output: Path, chosen: str, samples: int, extras: Extras) -> Plan:
    """Name every output, so that no two pictures share one.

    Pictures of different folders that would share a name are nested under the folders' names, and `a.gif` beside
    `a.png` becomes `a.gif.png`. Names that some systems take for one are numbered: `A.jpg` and `a.jpg` become `A.jpg`
    and `a (2).jpg`, and so are names that are too long and the same when they are cut. What still clashes is left out,
    with an error.
    """

    def job_of(picture: Picture, number: str = "") -> Job:
        """Name the outputs of a picture; where file systems allow no such long names, its own name is cut."""
        place = picture.place

        def named(stem: str) -> Job:
            numbered = replace(picture, place=place.with_name(f"{stem}{number}{place.suffix}"))
            return _job(numbered, output, chosen, samples, extras)

        job = named(place.stem)
        longest = max(len(os.fsencode(file.name)) for file in job.files)
        fits = len(os.fsencode(place.stem)) + LONGEST_NAME - longest
        return job if longest <= LONGEST_NAME else named(shortened(place.stem, fits))

    nested = any(len({picture.root for picture in group}) > 1 for group in _by_name(pictures, job_of).values())
    if nested:
        pictures = _nest(pictures)
    groups = _by_name(pictures, job_of)
    jobs, problems = [], []
    makers: dict[str, Job] = {}
    for picture in pictures:
        job, place = job_of(picture), picture.place
        suffix = job.targets[0].suffix
        if len(groups[_key(job.targets[0])]) > 1 and suffix != place.suffix:
            place = place.with_name(f"{place.name}{suffix}")
            job = job_of(replace(picture, place=place))
        first = _clash(job, makers)
        if first and identity(first.source) == identity(job.source):
            continue  # named twice
        is_cut = not job.targets[0].name.startswith(place.stem)
        if first and (is_cut or {*first.files}.isdisjoint(job.files)):
            numbered = (job_of(replace(picture, place=place), f" ({number})") for number in itertools.count(2))
            job = next(other for other in numbered if not _clash(other, makers))
        elif first:
            problems.append(
                CinnError(
                    "{source} was left out, since {target} will be made from {other}: colour it into another folder, "
                    "or with another --format.",
                    source=job.source,
                    target=next(file for file in job.files if file in first.files),
                    other=first.source,
                )
            )
            continue
        makers |= dict.fromkeys(map(_key, job.files), job)
        jobs.append(job)
    return Plan(tuple(jobs), tuple(problems), nested)


def output_names(place: Path, chosen: str, samples: int) -> list[Path]:
    """Name a picture's colourings, relative to the output folder.

    >>> [name.as_posix() for name in output_names(Path("1950/aunt.JPG"), "keep", 2)]
    ['1950/aunt-1.JPG', '1950/aunt-2.JPG']
    >>> [name.as_posix() for name in output_names(Path("uncle.gif"), "keep", 1)]
    ['uncle.png']
    """
    if chosen != "keep":
        suffix = f".{chosen}"
    elif place.suffix.lower() == ".mpo":  # several JPEGs in a file
        suffix = ".jpg"
    else:
        suffix = place.suffix if place.suffix.lower() in KEPT_SUFFIXES else ".png"
    numbers = [""] if samples == 1 else [f"-{number}" for number in range(1, samples + 1)]
    return [place.with_name(f"{place.stem}{number}{suffix}") for number in numbers]


class ProtectedInputs:
    """The inputs of a run, which it must not replace.

    Files are compared by their identity on the disk, so that links and other spellings are recognised.
    """

    def __init__(self, pictures: Iterable[Picture]) -> None:
        self._identities = {known for picture in pictures if (known := identity(picture.source))}

    def check(self, job: Job) -> None:
        """Refuse to write over an input.

        Raises:
            ImageError: if an output of the job is an input of this run.
        """
        for target in job.files:
            if identity(target) in self._identities:
                raise ImageError(
                    "{source} was left out, since {target} is an input and is not overwritten: choose another output "
                    "folder or --format.",
                    source=job.source,
                    target=target,
                )


def _job(picture: Picture, output: Path, chosen: str, samples: int, extras: Extras) -> Job:
    if output == STREAM:
        return Job(picture.source, (STREAM,) * samples)
    place = picture.place
    return Job(
        picture.source,
        tuple(output / name for name in output_names(place, chosen, samples)),
        output / place.with_name(f"{place.stem}-sheet.jpg") if extras.sheet else None,
        output / place.with_name(f"{place.stem}-uncertainty.png") if extras.uncertainty else None,
    )


def _clash(job: Job, makers: Mapping[str, Job]) -> Job | None:
    """Return the job that writes one of the same files, on some file system."""
    return next((makers[key] for key in map(_key, job.files) if key in makers), None)


def _by_name(pictures: Sequence[Picture], job_of: Callable[[Picture], Job]) -> dict[str, list[Picture]]:
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(_key(job_of(picture).targets[0]), []).append(picture)
    return groups


def _nest(pictures: Sequence[Picture]) -> list[Picture]:
    """Put each picture under its folder's name; under more of the path where two folders are called the same."""
    roots = {picture.root: Path(os.path.abspath(picture.root)) for picture in pictures}  # noqa: PTH100, minds no links
    try:
        common = Path(os.path.commonpath(list(roots.values())))
    except ValueError:  # on different drives
        return [replace(picture, place=picture.root.name / picture.place) for picture in pictures]
    return [replace(picture, place=roots[picture.root].relative_to(common) / picture.place) for picture in pictures]


def _key(path: Path) -> str:
    return name_key(str(path))
