"""`cinn evaluate`: how good a colorizer is, on photographs whose colours are known."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cinn_app.cli.console import count, err, out, say, say_warning
from cinn_app.cli.options import Device
from cinn_app.errors import DataError

if TYPE_CHECKING:
    from cinn_app.systems.evaluation import Evaluation

__all__ = ["evaluate"]

#: More problems than this are counted, not told.
PROBLEMS_TOLD = 10


def evaluate(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="An installed model, or a checkpoint's path.")
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR", help="A folder, tar archive or picture that training has not seen; repeat it for more."
        ),
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Write the figures there, too.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=100, help="Colourings per picture.")] = 8,
    limit: Annotated[
        int | None, typer.Option(min=1, show_default="all", help="Measure only so many pictures, spread evenly.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure a colorizer on colour photographs.

    Each is made gray, coloured, and compared with what it was.
    An error "as a share of gray" is divided by that of leaving pictures gray: below 1 is better than doing nothing.
    """
    from cinn_app.cli.bars import rich_progress

    if json_file and not json_file.parent.is_dir():
        raise DataError(f"There is no folder {json_file.parent} to write {json_file.name} into: make it first.")
    with err.status("Loading the model"):
        from cinn_app import Colorizer
        from cinn_app.systems.evaluation import evaluate_colorizer

        colorizer = Colorizer.load(checkpoint, device)
    evaluation = evaluate_colorizer(colorizer, data, samples, limit, progress=rich_progress)
    for problem in evaluation.problems[:PROBLEMS_TOLD]:
        say_warning(problem)
    if len(evaluation.problems) > PROBLEMS_TOLD:
        say_warning(f"{len(evaluation.problems) - PROBLEMS_TOLD:,} more could not be measured.")
    _show(colorizer.recipe.name, evaluation)
    if json_file:
        content = {
            "recipe": colorizer.recipe.name,
            "data": [source.name for source in data],
            "pictures": evaluation.pictures,
            "samples": samples,
            "figures": evaluation.figures,
            "problems": evaluation.problems,
        }
        _write_json(json_file, content)
        say(f"Wrote {json_file}.")


def _show(name: str, evaluation: "Evaluation") -> None:
    from rich.table import Table

    from cinn_app.cli.figures import label, value

    table = Table("Figure", title=f"{name}, on {count(evaluation.pictures, 'picture')}", title_justify="left")
    table.add_column("Value", justify="right")
    for key, number in evaluation.figures.items():
        table.add_row(label(key), value(number))
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
