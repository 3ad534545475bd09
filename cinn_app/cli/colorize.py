"""`cinn colorize`: from photographs and folders of them to colourings."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cinn_app.cli.batch import Claims, Picture, find_pictures, make_folder, output_names
from cinn_app.cli.console import count, err, say, say_error, say_warning
from cinn_app.cli.failures import report
from cinn_app.cli.options import Device, Model, not_nan
from cinn_app.errors import DiskFullError

__all__ = ["colorize"]

OutputFormat = Literal["keep", "png", "jpg", "webp", "tiff"]


def colorize(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="Pictures, and folders of pictures.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", file_okay=False, writable=True, help="Where colourings go."),
    ],
    samples: Annotated[int, typer.Option("--samples", "-n", min=1, max=100, help="Colourings per picture.")] = 1,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0, max=2, callback=not_nan, show_default="the model's", help="How boldly colours vary; 0 not at all."
        ),
    ] = None,
    strength: Annotated[
        float, typer.Option(min=0, max=2, callback=not_nan, help="How strong colours are; 0 is gray.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other colours, the same one the same.")] = 0,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Search subfolders, too.")] = False,
    format: Annotated[
        OutputFormat, typer.Option(help="Of the files written; keep is the input's, or png where it cannot be.")
    ] = "keep",
    model: Model = "colorize",
    device: Device = "auto",
) -> None:
    """Colour photographs, in one plausible way or in several.

    [dim]cinn colorize grandma.jpg -o coloured --samples 4[/dim]

    A picture NAME.jpg becomes NAME.jpg in the output folder, or NAME-1.jpg and on if there are several samples.
    Folders keep their tree, and inputs are never changed.
    What cannot be coloured is reported while the rest goes on; the exit code is then 1.
    """
    from cinn_app.cli.bars import rich_progress
    from cinn_app.imaging import INPUT_SUFFIXES

    found = find_pictures(inputs, recursive, output, INPUT_SUFFIXES)
    for problem in found.problems:
        say_error(problem)
    with err.status("Loading the model"):
        from cinn_app import Colorizer

        colorizer = Colorizer.load(model, device)
    claims = Claims(found.pictures)

    def colour(picture: Picture) -> None:
        targets = [output / name for name in output_names(picture.place, format, samples)]
        claims.check(targets, picture.source)
        colourings = colorizer.colorize(picture.source, samples, temperature, seed)
        for warning in colourings[0].photograph.warnings:
            say_warning(f"{picture.source}: {warning}")
        make_folder(targets[0].parent)
        for target, colouring in zip(targets, colourings, strict=True):
            colouring.save(target, strength, picture.source)
            claims.add(target, picture.source)

    done, failed, total = 0, len(found.problems), len(found.pictures)
    try:
        with rich_progress("Colouring", total) as advance:
            for picture in found.pictures:
                try:
                    colour(picture)
                    done += 1
                except DiskFullError:  # the next one would fare no better
                    raise
                except Exception as error:
                    report(error, str(picture.source))
                    failed += 1
                advance(1)
    except KeyboardInterrupt:
        say_warning(f"Stopped: {done:,} of {count(total, 'picture')} coloured, and no file is half written.")
        raise typer.Exit(130) from None
    say(f"Coloured {count(done, 'picture')} into {output}" + (f"; {failed:,} failed." if failed else "."))
    if failed:
        raise typer.Exit(1)
