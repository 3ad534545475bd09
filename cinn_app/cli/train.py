"""`cinn train`: from a recipe and data to a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from cinn_app.cli.console import err, out, say, say_warning
from cinn_app.cli.options import Device, Precision, WrongUsage, data_help, not_nan

__all__ = ["train"]


def train(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="For example models/colorize.toml.")],
    data: Annotated[list[Path] | None, typer.Option(metavar="PATH", help=data_help("What to learn from."))] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Continue where the last run stopped.")] = False,
    start_from: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="CHECKPOINT",
            help="Start with the weights of a trained model; repeat it to start with the average of several.",
        ),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=not_nan,
            show_default="no limit",
            help="End the training after this many minutes, with the schedule fitted to them. Axes are found "
            "afterwards.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            dir_okay=False,
            show_default="checkpoints/NAME.safetensors",
            help="The checkpoint to write.",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, show_default="runs/NAME", help="Folder of logs, pictures and saved state."
        ),
    ] = None,
    cache: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Folder of packed pictures, features and downloads, kept for next time.",
        ),
    ] = Path("cache"),
) -> None:
    """Train a model as its recipe says, and write its checkpoint.

    [dim]cinn train models/colorize.toml --data photos.tar --data more-photos/ --max-minutes 60[/dim]

    [dim]cinn train models/digits.toml[/dim]

    A training that was stopped, even by a power cut, continues with --resume, and loses at most a minute of work.
    """
    from cinn_app.checkpoints import check_target
    from cinn_app.cli.bars import rich_progress
    from cinn_app.extras import require_extra
    from cinn_app.figures import figures_of
    from cinn_app.files import check_output
    from cinn_app.recipes import load_recipe
    from cinn_app.registry import systems

    checked = load_recipe(recipe)
    system = systems()[checked.system]
    if not data and system.needs_data:
        raise WrongUsage(f"--data is missing: give {system.data} to learn from.", context)
    target = output or Path("checkpoints") / f"{checked.name}.safetensors"
    folder = run or Path("runs") / checked.name
    check_target(target, recipe, *(data or []))
    check_output(folder / "state", new_folders=True)
    require_extra("train", "Training")
    with err.status("Loading the libraries"):
        from cinn_app.training.run import train as run_training
    try:
        checkpoint = run_training(
            checked,
            data or [],
            target,
            folder,
            cache,
            device,
            precision=precision,
            resume=resume,
            start_from=start_from or [],
            max_minutes=max_minutes,
            progress=rich_progress,
        )
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        state = folder / "state.ckpt"
        how = "continue with --resume" if state.is_file() else "nothing was learnt yet, so start it again"
        say_warning(f"Training was stopped: {how}.")
        raise typer.Exit(130) from None
    say(f"Wrote {target}.")
    out.print(figures_of(checked.system).lines(checkpoint.figures))
