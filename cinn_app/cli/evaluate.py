"""`cinn evaluate`: how good a model is, on pictures that it has not learnt from."""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cinn_app.cli.console import count, err, out, say, say_warning
from cinn_app.cli.options import Device, WrongUsage, temperature_option
from cinn_app.errors import DataError

if TYPE_CHECKING:
    from cinn_app.evaluation import Evaluation

__all__ = ["evaluate"]

#: More problems than this are counted, not told.
PROBLEMS_TOLD = 10
#: Colourings per picture, unless the user wants another number.
SAMPLES = 8
#: Where MNIST is kept, as `cinn train` does.
CACHE = Path("cache")


def evaluate(
    context: typer.Context,
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="An installed model, or a checkpoint's path.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A folder, tar archive or picture that training has not seen, repeat it for more; for digits the "
            "folder that holds MNIST/raw, by default cache/, into which MNIST is downloaded once.",
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Write the figures there, too.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, max=100, show_default=str(SAMPLES), help="Colourings per picture, of a colorizer."),
    ] = None,
    temperature: Annotated[float | None, temperature_option("Of the samples, of a colorizer.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, show_default="all", help="Measure only so many pictures, spread evenly.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure a model on pictures that it has not learnt from.

    [dim]cinn evaluate colorize --data holiday/[/dim]

    For a colorizer, each picture is made gray, coloured, and compared with what it was.
    An error "as a share of gray" is divided by that of leaving pictures gray: below 1 is better than doing nothing.
    How real colourings look is judged by a classifier, whose weights come with the extra [bold]judge[/bold].
    What it recognises is counted where names of files or folders tell ImageNet's classes, such as n01443537.
    300 photographs of 256 pixels take about nine minutes on one CPU core.

    [dim]cinn evaluate digits[/dim]

    For digits, the pictures are MNIST's test set.
    """
    if json_file and not json_file.parent.is_dir():
        raise DataError(f"There is no folder {json_file.parent} to write {json_file.name} into: make it first.")
    with err.status("Reading the checkpoint"):
        from cinn_app.checkpoints import find_checkpoint, read_header
        from cinn_app.cli.bars import rich_progress
        from cinn_app.registry import systems

        recipe = read_header(find_checkpoint(checkpoint)).recipe
    system = systems()[recipe.system]
    if not data and system.needs_data:
        raise WrongUsage("--data is missing: give pictures that the model has not learnt from.", context)
    with err.status("Loading the model"):
        measure = system.load("evaluation")
        model = system.load("trained_model").load(checkpoint, device)
    options = {"samples": samples, "temperature": temperature}
    known = inspect.signature(measure).parameters
    for name, given in options.items():
        if given is not None and name not in known:
            raise WrongUsage(f"--{name} does not apply to {recipe.system}: leave it out.", context)
    chosen = {name: value for name, value in options.items() if value is not None}
    evaluation = measure(model, data or [], cache=CACHE, limit=limit, progress=rich_progress, **chosen)
    used = {name: chosen.get(name, known[name].default) for name in options if name in known}
    about: dict[str, Any] = {"recipe": recipe.name, **used}
    for problem in evaluation.problems[:PROBLEMS_TOLD]:
        say_warning(problem)
    if len(evaluation.problems) > PROBLEMS_TOLD:
        say_warning(f"{len(evaluation.problems) - PROBLEMS_TOLD:,} more could not be measured.")
    for note in evaluation.notes:
        say_warning(note)
    _show(recipe.name, evaluation)
    if json_file:
        _write_json(json_file, about | dataclasses.asdict(evaluation))
        say(f"Wrote {json_file}.")


def _show(name: str, evaluation: "Evaluation") -> None:
    from rich.table import Table

    from cinn_app.metrics.labels import grouped, label, value

    table = Table("Figure", title=f"{name}, on {count(evaluation.pictures, 'picture')}", title_justify="left")
    table.add_column("Value", justify="right")
    for group, figures in grouped(evaluation.figures):
        table.add_section()
        table.add_row(f"[bold]{group.heading}[/bold]")
        if group.explanation:
            table.add_row(f"[dim]{group.explanation}[/dim]")
        for key, number in figures.items():
            table.add_row(f"  {label(key)}", value(number))
    out.print(table)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write all or nothing.

    Raises:
        DataError: if the file cannot be written.
    """
    from cinn_app.files import atomic_write

    try:
        with atomic_write(path) as file:
            file.write(json.dumps(content, indent=2).encode() + b"\n")
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}): choose another place for --json.") from error
