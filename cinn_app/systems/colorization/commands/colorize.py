"""`cinn colorize`: from photographs and folders of them to colourings."""

import contextlib
import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cinn_app.cli.console import err, say_error, say_warning
from cinn_app.cli.inputs import STREAM, find_pictures
from cinn_app.cli.jsonl import json_lines
from cinn_app.cli.options import Device, Model, WrongUsage, read_steps
from cinn_app.cli.pipeline import in_stages
from cinn_app.systems.colorization.commands import options as option
from cinn_app.systems.colorization.commands.plan import Claims, Extras, make_plan
from cinn_app.systems.colorization.commands.report import Tally
from cinn_app.systems.colorization.commands.work import Done, Order, State, Worker, is_colouring

if TYPE_CHECKING:
    from cinn_app.systems.colorization.hints import Hints

__all__ = ["colorize"]

#: Pixels of pictures that may wait to be written at once: each takes some 20 bytes until it is.
MOST_PIXELS = 60_000_000


def colorize(
    inputs: option.Inputs,
    output: option.Output,
    samples: option.Samples = 1,
    diverse: option.Diverse = False,
    temperature: option.Temperature = None,
    strength: option.Strength = 1.0,
    seed: option.Seed = 0,
    axis: option.Axis = None,
    hint: option.Hint = None,
    reference: option.Reference = None,
    recursive: option.Recursive = False,
    pattern: option.Pattern = "*",
    format: option.Format = "keep",
    quality: option.Quality = None,
    overwrite: option.Overwrite = False,
    mark: option.Mark = True,
    sheet: option.Sheet = False,
    uncertainty: option.Uncertainty = False,
    report: option.Report = None,
    model: Model = "colorize",
    device: Device = "auto",
    jobs: option.Jobs = option.JOBS,
    quiet: option.Quiet = False,
) -> None:
    """Colour photographs, in one plausible way or in several.

    [dim]cinn colorize grandma.jpg -o coloured --samples 4[/dim]

    [dim]cinn colorize grandma.jpg -o coloured --hint 120,80=#8b1a1a --overwrite[/dim]

    [dim]cinn colorize album/ -o coloured --recursive --report album.jsonl[/dim]

    A picture NAME.jpg becomes NAME.jpg in the output folder, or NAME-1.jpg and on if there are several samples.
    Folders keep their tree, and inputs are never changed. A run that was stopped goes on when it is started again.
    What cannot be coloured is reported while the rest goes on; the exit code is then 1.
    """
    from cinn_app.cli.bars import rich_progress
    from cinn_app.imaging import INPUT_SUFFIXES
    from cinn_app.progress import no_progress

    def wanted(name: str) -> bool:
        return name.lower().endswith(INPUT_SUFFIXES) and fnmatch.fnmatch(name.lower(), pattern.lower())

    if inputs.count(STREAM) > 1:
        raise WrongUsage("Standard input holds one picture: give - once.")
    found = find_pictures(inputs, recursive, output, wanted, is_colouring)
    if output == STREAM and (len(found.pictures) > 1 or samples > 1 or sheet or uncertainty):
        raise WrongUsage("Standard output takes one colouring: give one picture, one sample, and nothing beside it.")
    if uncertainty and samples == 1 and not diverse:
        raise WrongUsage("One sample differs from no other: give --uncertainty with --samples 2 or more.")
    if hint and len(found.pictures) > 1:
        raise WrongUsage("A --hint names a place of one picture: give one picture.")
    steps = read_steps(axis or [], option.MAX_STEP)
    plan = make_plan(found.pictures, output, format, samples, Extras(sheet, uncertainty))
    problems = [*found.problems, *plan.problems]
    for problem in problems:
        say_error(problem)
    if plan.nested and not quiet:
        say_warning("Some pictures of different folders have one name: colourings go under the folders' names.")
    with json_lines(report) as (reported, note):
        with err.status("Loading the model"):
            from cinn_app import Colorizer
            from cinn_app.systems.colorization.reference import Palette
            from cinn_app.systems.colorization.steering import Steering

            palette = Palette.of(reference) if reference else None
            steering = Steering(steps, _read_hints(hint) if hint else None, palette)
            colorizer = Colorizer.load(model, device)
            colorizer.check(steering)
        order = Order(
            samples=samples,
            diverse=diverse,
            temperature=temperature,
            seed=seed,
            steering=steering,
            strength=strength,
            format=format,
            quality=quality,
            mark=mark,
            overwrite=overwrite,
        )
        worker = Worker(colorizer, order, Claims(found.pictures))
        tally = Tally(len(plan.jobs), len(problems), note, reported, quiet)
        threads = min(jobs, max(1, len(plan.jobs)))
        stages = in_stages(plan.jobs, worker.read, worker.colour, worker.write, threads, worker.pixels, MOST_PIXELS)
        progress = no_progress if quiet else rich_progress
        try:
            with contextlib.closing(stages), progress("Colouring", len(plan.jobs)) as advance:
                passed = 0
                for job, outcome in stages:
                    tally.add(job, outcome)
                    passed += 1
                    # What was finished before counts in one go, or it would spoil the rate and the time left.
                    if not (isinstance(outcome, Done) and outcome.state is State.FINISHED):
                        advance(passed)
                        passed = 0
                advance(passed)
        except KeyboardInterrupt:
            tally.say_stopped()
            raise typer.Exit(130) from None
    if not tally.say_all(output):
        raise typer.Exit(1)


def _read_hints(given: Sequence[str]) -> "Hints":
    """Read hints that are typed, and files of them, all of one picture."""
    from cinn_app.systems.colorization.hints import Hints

    parts = [Hints.load(Path(one)) if one.lower().endswith(".json") else Hints.parse([one]) for one in given]
    sizes = {(part.width, part.height) for part in parts if part.width is not None}
    if len(sizes) > 1:
        raise WrongUsage("The files of hints are of pictures of different sizes: give those of one picture.")
    width, height = sizes.pop() if sizes else (None, None)
    return Hints(tuple(hint for part in parts for hint in part.hints), width, height)
