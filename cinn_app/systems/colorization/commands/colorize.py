"""`cinn colorize`: from photographs and folders of them to colourings."""

import contextlib
import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cinn_app.cli.console import err, say_error, say_warning
from cinn_app.cli.files import STREAM, check_new_folder, find_pictures, listed_suffixes
from cinn_app.cli.options import Device, Model, WrongUsage, not_nan, read_steps, seed_option, temperature_option
from cinn_app.cli.pipeline import in_stages
from cinn_app.errors import CinnError
from cinn_app.files import sweep
from cinn_app.limits import MAX_STRENGTH
from cinn_app.process import usable_cpus
from cinn_app.systems.colorization.commands.plan import Extras, ProtectedInputs, make_plan
from cinn_app.systems.colorization.commands.report import RunSummary, open_report
from cinn_app.systems.colorization.commands.work import Outcome, Request, State, Worker, is_colouring
from cinn_app.systems.colorization.temperatures import SCALES, Temperature, read_temperature

if TYPE_CHECKING:
    from cinn_app.systems.colorization.hints import Hints

__all__ = ["colorize"]

#: Pixels of pictures that may wait to be written at once; each pixel takes about 20 bytes.
MAX_PIXELS_WAITING = 60_000_000
#: More threads rarely help: the network computes beside them.
JOBS = min(4, usable_cpus())
COLOURS, READ, WRITTEN = "Which colours", "What is read", "What is written"


def _read_temperature(text: str) -> Temperature | None:
    try:
        return read_temperature(text)
    except CinnError as error:
        raise typer.BadParameter(str(error)) from None


def colorize(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT", allow_dash=True, help="Pictures, and folders of pictures; - is a picture from stdin."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            file_okay=False,
            writable=True,
            allow_dash=True,
            help="Folder of the colourings; - writes a single one to stdout.",
            rich_help_panel=WRITTEN,
        ),
    ],
    samples: Annotated[
        int, typer.Option("--samples", "-n", min=1, max=100, help="Colourings per picture.", rich_help_panel=COLOURS)
    ] = 1,
    diverse: Annotated[
        bool,
        typer.Option(
            "--diverse",
            help="Draw four times as many, and keep those that represent them best.",
            rich_help_panel=COLOURS,
        ),
    ] = False,
    temperature: Annotated[
        Any,
        temperature_option(
            "How far colours depart from the best guess: 0 not at all, 1 as true ones may; or one for each scale, fine "
            f"to coarse: {', '.join(SCALES)}.",
            COLOURS,
            parser=_read_temperature,
            metavar="NUMBER|N,N,N,N,N",
        ),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=MAX_STRENGTH,
            callback=not_nan,
            help="Strength of the colours; 0 is gray.",
            rich_help_panel=COLOURS,
        ),
    ] = 1.0,
    seed: Annotated[int, seed_option("colours", COLOURS)] = 0,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help='Move along an axis of colour, such as warmer=1 or "more vivid=2", by -3 to 3 standard deviations; '
            "repeat it for more axes: 1 warmer, 2 greener, 3 more vivid, 4 more varied.",
            rich_help_panel=COLOURS,
        ),
    ] = None,
    thing: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="X Y",
            help="Move the thing at this place alone along the axes, in pixels of the upright picture.",
            rich_help_panel=COLOURS,
        ),
    ] = None,
    hint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y=#RRGGBB|FILE.json",
            help="The colour of a place, in pixels of the upright picture, or a file of hints saved by the studio or "
            "Python; repeat it for more hints.",
            rich_help_panel=COLOURS,
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Take the colours of like things in this picture, as far as they are plausible.",
            rich_help_panel=COLOURS,
        ),
    ] = None,
    restore_levels: Annotated[
        bool,
        typer.Option(
            "--restore-levels",
            help="Remove the fading of prints: full contrast of light and shade, full strength of colours.",
            rich_help_panel=COLOURS,
        ),
    ] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Search subfolders, too.", rich_help_panel=READ)
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Refuse pictures that are damaged or cut short, rather than colour what is there.",
            rich_help_panel=READ,
        ),
    ] = False,
    trim: Annotated[
        bool,
        typer.Option(
            "--trim",
            help="Cut the dark rims of scanned films off, as the studio does.",
            rich_help_panel=READ,
        ),
    ] = False,
    pattern: Annotated[
        str,
        typer.Option(
            metavar="GLOB", help='Of a folder, take pictures with such a name: "scan*.tif".', rich_help_panel=READ
        ),
    ] = "*",
    format: Annotated[
        Literal["keep", "png", "jpg", "webp", "tiff"],
        typer.Option(help="keep is the input's format, or png where that cannot be written.", rich_help_panel=WRITTEN),
    ] = "keep",
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="Of JPEG and WebP; 95 without it.", rich_help_panel=WRITTEN)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing files.", rich_help_panel=WRITTEN)
    ] = False,
    mark: Annotated[
        bool,
        typer.Option(
            "--mark/--no-mark",
            help="Record model, seed and settings in the metadata, by which a stopped run continues.",
            rich_help_panel=WRITTEN,
        ),
    ] = True,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Add NAME-sheet.jpg: original and colourings.", rich_help_panel=WRITTEN)
    ] = False,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Add NAME-uncertainty.png: light where the samples differ, apart from a tint of the whole picture.",
            rich_help_panel=WRITTEN,
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", dir_okay=False, help="Add a line of JSON per colouring.", rich_help_panel=WRITTEN
        ),
    ] = None,
    model: Model = "colorize",
    device: Device = "auto",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Threads that read and write.")] = JOBS,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Report only what went wrong.")] = False,
) -> None:
    """Colour photographs, in one plausible way or in several.

    [dim]cinn colorize grandma.jpg -o coloured --samples 4[/dim]

    [dim]cinn colorize grandma.jpg -o coloured --hint "120,80=#8b1a1a" --overwrite[/dim]

    [dim]cinn colorize album/ -o coloured --recursive --report album.jsonl[/dim]

    A picture NAME.jpg becomes NAME.jpg in the output folder, or NAME-1.jpg, NAME-2.jpg and so on with several samples.
    Folders keep their tree, and inputs are never changed. A run that was stopped continues when it is started again.
    Of a picture that is cut short what is there is coloured, with a warning. Pictures that cannot be coloured are
    reported while the rest continues; the exit code is then 1.
    """
    from cinn_app.cli.bars import rich_progress
    from cinn_app.imaging import INPUT_SUFFIXES, OTHER_SUFFIXES
    from cinn_app.progress import no_progress

    def wanted(name: str, suffixes: tuple[str, ...] = INPUT_SUFFIXES) -> bool:
        return name.lower().endswith(suffixes) and fnmatch.fnmatch(name.lower(), pattern.lower())

    def other(name: str) -> bool:
        return wanted(name, OTHER_SUFFIXES)

    if inputs.count(STREAM) > 1:
        raise WrongUsage("Standard input holds one picture: give - once.")
    steps = read_steps(axis or [])
    if uncertainty and samples == 1 and not diverse:
        raise WrongUsage("One sample differs from no other: give --uncertainty with --samples 2 or more.")
    advice = "" if pattern == "*" else f", or another --pattern than {pattern}"
    found = find_pictures(inputs, recursive, output, wanted, is_colouring, advice, other)
    if output == STREAM and (len(found.pictures) > 1 or samples > 1 or sheet or uncertainty):
        raise WrongUsage("Standard output takes one colouring: give one picture and one sample, and nothing beside it.")
    if (hint or thing) and len(found.pictures) > 1:
        raise WrongUsage("A --hint or a --thing is a place of one picture: give one picture.")
    if thing and not steps:
        raise WrongUsage("A --thing moves along axes of colour: give one with --axis.")
    if output != STREAM:
        check_new_folder(output)
    plan = make_plan(found.pictures, output, format, samples, Extras(sheet, uncertainty))
    problems = [*found.problems, *plan.problems]
    for problem in problems:
        say_error(str(problem))
    if plan.nested and not quiet:
        say_warning("Some pictures of different folders have the same name: colourings go under the folders' names.")
    for folder in {file.parent for job in plan.jobs for file in job.files}:
        sweep(folder)
    with open_report(report) as lines:
        with err.status("Loading the model"):
            from cinn_app import Colorizer
            from cinn_app.systems.colorization.reference import ColourReference
            from cinn_app.systems.colorization.steering import Steering

            steering = Steering(
                steps,
                hints=_read_hints(hint) if hint else None,
                reference=ColourReference.of(reference) if reference else None,
                restore_levels=restore_levels,
                thing=thing,
            )
            colorizer = Colorizer.load(model, device)
            colorizer.check(steering)
        request = Request(
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
            strict=strict,
            trim=trim,
            report=report is not None,
        )
        worker = Worker(colorizer, request, ProtectedInputs(found.pictures))
        summary = RunSummary(len(plan.jobs), len(problems), lines, quiet)
        progress = no_progress if quiet else rich_progress
        stages = in_stages(
            plan.jobs,
            worker.read,
            worker.colour,
            worker.write,
            threads=min(jobs, max(1, len(plan.jobs))),
            weigh=worker.pixels,
            most=MAX_PIXELS_WAITING,
        )
        try:
            with contextlib.closing(stages), progress("Colouring", len(plan.jobs)) as advance:
                passed = 0
                for job, outcome in stages:
                    summary.add(job, outcome)
                    passed += 1
                    # What was finished before counts in one step, since it would spoil the rate and the time left.
                    if not (isinstance(outcome, Outcome) and outcome.state is State.FINISHED_BEFORE):
                        advance(passed)
                        passed = 0
                advance(passed)
        except KeyboardInterrupt:
            summary.say_stopped()
            raise typer.Exit(130) from None
    if found.passed_over and not quiet:
        say_warning(f"Passed over, since they cannot be read: {listed_suffixes(found.passed_over)}.")
    if not summary.say_finished(output):
        raise typer.Exit(1)


def _read_hints(given: Sequence[str]) -> "Hints":
    """Read hints, typed or in files, all of one picture."""
    from cinn_app.systems.colorization.hints import Hints

    parts = [Hints.load(Path(one)) if one.lower().endswith(".json") else Hints.parse([one]) for one in given]
    sizes = {(part.width, part.height) for part in parts if part.width is not None}
    if len(sizes) > 1:
        raise WrongUsage("The files of hints belong to pictures of different sizes: give those of one picture.")
    width, height = sizes.pop() if sizes else (None, None)
    return Hints(tuple(hint for part in parts for hint in part.hints), width, height)
