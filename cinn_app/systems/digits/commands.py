"""`cinn digits`: handwritten digits, drawn from the model or in the handwriting of a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from cinn_app.cli.console import count, err, out, say, say_warning
from cinn_app.cli.files import check_file, check_folder, make_folder
from cinn_app.cli.options import Device, Model, WrongUsage, read_steps, seed_option, temperature_option
from cinn_app.files import sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from cinn_app import DigitGenerator

__all__ = ["digits"]

Digit = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
DigitOrAll = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "all"]
Mark: TypeAlias = Annotated[
    bool, typer.Option("--mark/--no-mark", help="Record the model and the settings in the metadata.")
]
Within: TypeAlias = Annotated[
    Digit | None,
    typer.Option(
        metavar="DIGIT",
        show_default="those over all digits",
        help="Use the axes that were found within this digit.",
    ),
]
#: The widest sheet: 44,000 pixels, which most formats still hold.
MAX_COLUMNS = 500
#: Pictures decoded at once when thousands are written.
BATCH = 200

digits = typer.Typer(
    invoke_without_command=True, no_args_is_help=True, subcommand_metavar="[COMMAND [ARGS]...]", add_completion=False
)


@digits.callback()
def draw(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE|DIR", help="The sheet to write, or with --separate a folder; required."
        ),
    ] = None,
    label: Annotated[DigitOrAll, typer.Option(help="The digit to write.")] = "all",
    number: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="Handwritings of each digit.")] = 10,
    temperature: Annotated[float | None, temperature_option("How much handwritings vary: 0 not at all.")] = None,
    seed: Annotated[int, seed_option("handwritings")] = 0,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="K=VALUE",
            help="Move along an axis, by name or number, in standard deviations; repeat it for more axes.",
        ),
    ] = None,
    within: Within = None,
    separate: Annotated[
        bool, typer.Option("--separate", help="Write a file of 28x28 gray pixels per digit: DIR/7/0000.png and on.")
    ] = False,
    mark: Mark = True,
    model: Model = "digits",
    device: Device = "auto",
) -> None:
    """Write digits by hand.

    [dim]cinn digits --label 7 --count 12 --axis 1=2 -o sevens.png[/dim]

    A sheet has a row per digit, and a column per handwriting, the same in every row.
    With --separate, a number means the same handwriting in every folder.
    Existing files of the same name are replaced.

    Axes are found over all digits, and again within each digit: [dim]--axis 1=2 --within 7[/dim] moves along the first
    axis of sevens.

    [dim]cinn digits axes[/dim] lists the axes, and
    [dim]cinn digits restyle four.png -o mine.png[/dim] takes the handwriting from a picture.
    """
    if context.invoked_subcommand:
        _refuse_options_before(context)
        return
    if output is None:
        raise WrongUsage("-o is missing: name the sheet to write, or with --separate a folder.", context)
    steps = read_steps(axis or [], context)
    if within and not steps:
        raise WrongUsage("--within chooses the axes of --axis: give an --axis, too.", context)
    if separate:
        check_folder(output, context)
    else:
        check_file(output, context)
        if number > MAX_COLUMNS:
            raise WrongUsage(f"A sheet has up to {MAX_COLUMNS} columns: give a lower --count, or --separate.", context)
    labels = range(10) if label == "all" else [int(label)]
    own = int(within) if within else None
    generator = _load(model, device)
    settings = generator.settings(temperature, seed, steps, own) if mark else None
    if separate:
        latents = generator.move(generator.draw(number, temperature, seed), steps, own)
        _write_separately(generator, latents, labels, output, settings)
        return
    from cinn_app.systems.digits.files import save_digits

    with err.status("Writing"):
        images = generator.sample(labels, number, temperature, seed, steps, own)
        save_digits(output, images, settings and {**settings, "labels": list(labels), "samples": number})
    say(f"Wrote {output}.")


@digits.command()
def restyle(
    context: typer.Context,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture of one digit, dark on light or reverse.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The sheet to write.")],
    label: Annotated[
        Digit | None, typer.Option(show_default="what the model reads", help="The digit that the picture shows.")
    ] = None,
    mark: Mark = True,
    model: Model = "digits",
    device: Device = "auto",
) -> None:
    """Write all ten digits in the handwriting of one.

    [dim]cinn digits restyle four.png -o mine.png[/dim]

    The sheet starts with the picture as the model sees it, followed by the digits from 0 to 9.
    An existing file is replaced, but never the picture itself.
    """
    check_file(output, context)
    with err.status("Reading the picture"):
        import torch

        from cinn_app.systems.digits.files import save_digits
        from cinn_app.systems.digits.images import read_digit

        picture = read_digit(image)
    generator = _load(model, device)
    restyled = generator.restyle(picture, None if label is None else int(label))
    shown = restyled.label
    settings = {**generator.model_settings(), "label": shown} if mark else None
    save_digits(output, torch.cat([picture[None], restyled.images])[None], settings, image)
    taken = f"a{'n' if shown == 8 else ''} {shown}"
    probability = f"{restyled.probabilities[shown]:.1%}"
    if label is not None:
        say(f"Taken for {taken}, as --label says; the model alone gives that a probability of {probability}.")
    elif restyled.doubtful:  # the model knows only digits, so its probability says nothing about other pictures
        say(f"Taken for {taken}, which it resembles most; give --label if it is another digit.")
    else:
        say(f"Read as {taken}, with a probability of {probability}; give --label if it is another digit.")
    if restyled.doubtful:
        say_warning(f"It hardly looks like {taken}, so expect an odd handwriting: draw a single digit clearly.")
    say(f"Wrote {output}.")


@digits.command()
def axes(within: Within = None, model: Model = "digits") -> None:
    """List the axes of the handwriting, the strongest first.

    Each has its share of the variance of pictures of one digit.
    Axes are found over all digits; [dim]--within 7[/dim] lists those that were found within sevens.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table("Number", "Name")
    table.add_column("Share of the variance", justify="right")
    for number, axis in enumerate(_load(model, "cpu").axes(int(within) if within else None), start=1):
        table.add_row(str(number), Text(axis.name), f"{axis.share:.1%}")
    out.print(table)


def _load(model: str, device: str) -> "DigitGenerator":
    with err.status("Loading the model"):
        from cinn_app import DigitGenerator

        return DigitGenerator.load(model, device)


def _write_separately(
    generator: "DigitGenerator",
    latents: "Tensor",
    labels: "Sequence[int]",
    folder: Path,
    settings: "Mapping[str, Any] | None",
) -> None:
    """Write a file per label and handwriting, a batch at a time."""
    from cinn_app.cli.bars import rich_progress
    from cinn_app.systems.digits.files import save_digits

    done, total = 0, len(labels) * len(latents)
    try:
        with rich_progress("Writing", total) as advance:
            for label in labels:
                place = folder / str(label)
                make_folder(place)
                sweep(place)
                for start in range(0, len(latents), BATCH):
                    batch = latents[start : start + BATCH]
                    images = generator.decode(batch, label)
                    for index, image in enumerate(images, start):
                        save_digits(
                            place / f"{index:04}.png", image, settings and {**settings, "label": label, "sample": index}
                        )
                        done += 1
                        advance(1)
    except KeyboardInterrupt:
        say_warning(f"Stopped: {done:,} of {count(total, 'picture')} written, and no file is half written.")
        raise typer.Exit(130) from None
    say(f"Wrote {count(total, 'picture')} into {folder}.")


def _refuse_options_before(context: typer.Context) -> None:
    """Refuse options before the name of a subcommand, which would have no effect."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise WrongUsage(f"Give options of {context.invoked_subcommand} after its name.", context)
