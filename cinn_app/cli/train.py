"""`cinn train`: from a recipe and pictures to a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


def train(
    recipe: Annotated[Path, typer.Argument(help="The recipe, for example models/colorize.toml.")],
    data: Annotated[
        list[Path], typer.Option(help="A folder or tar archive of pictures; give it again for more.")
    ],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the last run stopped.")] = False,
    max_minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many minutes; the schedule ends with them.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The checkpoint to write.")] = None,
    run: Annotated[Path | None, typer.Option(help="Folder for logs, sample sheets and state.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder for packed pictures and features.")] = Path("cache"),
) -> None:
    """Train a model as its recipe says, and write its checkpoint."""
    from cinn_app.cli.bars import rich_progress
    from cinn_app.recipes import load_recipe
    from cinn_app.training.run import train as run_training

    checked = load_recipe(recipe)
    target = output or Path("checkpoints") / f"{checked.name}.safetensors"
    checkpoint = run_training(
        checked,
        data,
        target,
        run or Path("runs") / checked.name,
        cache,
        device,
        resume,
        max_minutes,
        rich_progress,
    )
    figures = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in checkpoint.figures.items())
    typer.echo(f"Wrote {target}: {figures}.")
