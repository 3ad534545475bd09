"""`cinn digits`: handwritten digits, drawn anew or in the handwriting of a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cinn_app.cli.console import count, err, out, say, say_warning
from cinn_app.cli.options import Device, Model, WrongUsage, not_nan, read_steps
from cinn_app.cli.plan import KEPT_SUFFIXES, make_folder
from cinn_app.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from cinn_app import DigitGenerator

__all__ = ["digits"]

Digit = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
DigitOrAll = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "all"]
#: How far one may go along an axis, in standard deviations.
MAX_STEP = 5
#: The widest sheet: 44,000 pixels, which most formats still hold.
MAX_COLUMNS = 500
#: Pictures made at once where thousands are written.
BATCH = 200

digits = typer.Typer(
    invoke_without_command=True, no_args_is_help=True, subcommand_metavar="[COMMAND [ARGS]...]", add_completion=False
)


@digits.callback()
def draw(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE|DIR", help="The sheet to write; with --separate a folder."),
    ] = None,
    label: Annotated[DigitOrAll, typer.Option(help="The digit to write.")] = "all",
    number: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="Handwritings of each digit.")] = 10,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0, max=2, callback=not_nan, show_default="the model's", help="How much they vary; 0 not at all."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="Another seed gives other handwritings, the same one the same."),
    ] = 0,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="K=VALUE",
            help="Move along an axis, by name or number, so many standard deviations; repeat it for more axes.",
        ),
    ] = None,
    separate: Annotated[
        bool, typer.Option("--separate", help="Write a file of 28x28 gray pixels per digit: DIR/7/0000.png and on.")
    ] = False,
    model: Model = "digits",
    device: Device = "auto",
) -> None:
    """Write digits by hand.

    [dim]cinn digits --label 7 --count 12 --axis 1=2 -o sevens.png[/dim]

    A sheet has a row per digit and a column per handwriting: the same one in every row.
    With --separate, a number stands for the same handwriting in every folder.
    Existing files of the same name are replaced.

    [dim]cinn digits axes[/dim] lists what there is to move along, and
    [dim]cinn digits restyle four.png -o mine.png[/dim] takes the handwriting from a picture.
    """
    if context.invoked_subcommand:
        _refuse_options_before(context)
        return
    if output is None:
        raise WrongUsage("-o is missing: name the sheet to write, or with --separate a folder.", context)
    steps = read_steps(axis or [], MAX_STEP, context)
    if separate:
        _check_folder(output, context)
    else:
        _check_file(output, context)
        if number > MAX_COLUMNS:
            raise WrongUsage(f"A sheet has up to {MAX_COLUMNS} columns: give a lower --count, or --separate.", context)
    labels = range(10) if label == "all" else [int(label)]
    generator = _load(model, device)
    if separate:
        latents = generator.move(generator.draw(number, temperature, seed), steps)
        _write_separately(generator, latents, labels, output)
    else:
        from cinn_app.imaging import digit_sheet, save_picture

        with err.status("Writing"):
            save_picture(output, digit_sheet(generator.sample(labels, number, temperature, seed, steps)))
        say(f"Wrote {output}.")


@digits.command()
def restyle(
    context: typer.Context,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture of one digit, dark on light or reverse.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The sheet to write.")],
    label: Annotated[
        Digit | None, typer.Option(show_default="what the model reads", help="The digit that the picture shows.")
    ] = None,
    model: Model = "digits",
    device: Device = "auto",
) -> None:
    """Write all ten digits in the handwriting of one.

    [dim]cinn digits restyle four.png -o mine.png[/dim]

    The sheet begins with the picture as the model sees it, and goes on with the digits from 0 to 9.
    An existing file is replaced, but never the picture itself.
    """
    _check_file(output, context)
    with err.status("Reading the picture"):
        import torch

        from cinn_app.imaging import digit_sheet, read_digit, save_picture

        picture = read_digit(image)
    generator = _load(model, device)
    probabilities = generator.classify(picture[None])[0]
    shown = int(probabilities.argmax()) if label is None else int(label)
    images = generator.restyle(picture, shown).images
    save_picture(output, digit_sheet(torch.cat([picture[None], images])[None]), source=image)
    taken = f"a{'n' if shown == 8 else ''} {shown}"
    probability = f"{probabilities[shown]:.1%}"
    if label is None:
        say(f"Read as {taken}, with a probability of {probability}; say --label if it is another digit.")
    else:
        say(f"Taken for {taken}, as --label says; the model by itself gives that a probability of {probability}.")
    say(f"Wrote {output}.")


@digits.command()
def axes(model: Model = "digits") -> None:
    """List the axes of the handwriting, strong ones first.

    Each has the share that it explains of how pictures of one digit vary.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table("Number", "Name")
    table.add_column("Share of the variance", justify="right")
    for number, axis in enumerate(_load(model, "cpu").axes(), start=1):
        table.add_row(str(number), Text(axis.name), f"{axis.share:.1%}")
    out.print(table)


def _load(model: str, device: str) -> "DigitGenerator":
    with err.status("Loading the model"):
        from cinn_app import DigitGenerator

        return DigitGenerator.load(model, device)


def _write_separately(generator: "DigitGenerator", latents: "Tensor", labels: "Sequence[int]", folder: Path) -> None:
    """Write a file per label and handwriting, as many in memory as are made at once."""
    from cinn_app.cli.bars import rich_progress
    from cinn_app.imaging import save_picture

    done, total = 0, len(labels) * len(latents)
    try:
        with rich_progress("Writing", total) as advance:
            for label in labels:
                place = folder / str(label)
                make_folder(place)
                for start in range(0, len(latents), BATCH):
                    batch = latents[start : start + BATCH]
                    images = generator.decode(batch, [label] * len(batch)).numpy()
                    for index, image in enumerate(images, start):
                        save_picture(place / f"{index:04}.png", image)
                        done += 1
                        advance(1)
    except KeyboardInterrupt:
        say_warning(f"Stopped: {done:,} of {count(total, 'picture')} written, and no file is half written.")
        raise typer.Exit(130) from None
    say(f"Wrote {count(total, 'picture')} into {folder}.")


def _refuse_options_before(context: typer.Context) -> None:
    """What stands before a command's name would be read and forgotten."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise WrongUsage(f"Options of {context.invoked_subcommand} stand behind its name.", context)


def _check_file(output: Path, context: typer.Context) -> None:
    """See to it, before the work, that a sheet can be written there.

    Raises:
        WrongUsage: if it is a folder or has no picture's suffix.
        ImageError: if its folder does not exist.
    """
    if _is_folder(output):
        raise WrongUsage(f"{output} is a folder: name a picture inside it, such as digits.png.", context)
    if output.suffix.lower() not in KEPT_SUFFIXES:
        known = ", ".join(KEPT_SUFFIXES)
        raise WrongUsage(f"{output} has no suffix that tells a picture's format: end it in one of {known}.", context)
    if not _is_folder(output.parent):
        raise ImageError(f"There is no folder {output.parent} to write {output.name} into: make it first.")


def _check_folder(output: Path, context: typer.Context) -> None:
    """Refuse what is, or by its suffix was meant as, a picture."""
    if not _is_folder(output) and (_answers(output.exists) or output.suffix.lower() in KEPT_SUFFIXES):
        raise WrongUsage(f"--separate writes into a folder, and {output} is none: name a folder with -o.", context)


def _is_folder(path: Path) -> bool:
    return _answers(path.is_dir)


def _answers(question: "Callable[[], bool]") -> bool:
    try:
        return question()
    except OSError:  # a name that is too long, or a folder that may not be searched
        return False
