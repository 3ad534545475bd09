"""`cinn train`: from a recipe and data to a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from cinn_app.cli.console import err, out, say, say_warning
from cinn_app.cli.options import Device, WrongUsage, not_nan

__all__ = ["train"]


def train(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="For example models/colorize.toml.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A folder or tar archive of pictures to learn from, repeat it for more; for digits the folder that "
            "holds MNIST/raw, by default the cache, into which MNIST is downloaded once.",
        ),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        str, typer.Option(metavar="auto|float32|bfloat16", help="Of the networks; auto asks what the hardware has.")
    ] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the last run was stopped.")] = False,
    start_from: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="CHECKPOINT",
            help="Begin with the weights of a trained model, to teach it new pictures; of several, if repeated, with "
            "their average.",
        ),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            min=0, callback=not_nan, show_default="no limit", help="End after so long, the schedule fitted to it."
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
            metavar="DIR", file_okay=False, show_default="runs/NAME", help="For logs, sample sheets and saved state."
        ),
    ] = None,
    cache: Annotated[
        Path,
        typer.Option(
            metavar="DIR", file_okay=False, help="For packed pictures, features and downloads, kept for next time."
        ),
    ] = Path("cache"),
) -> None:
    """Train a model as its recipe says, and write its checkpoint.

    [dim]cinn train models/colorize.toml --data photos.tar --data more-photos/ --max-minutes 60[/dim]

    [dim]cinn train models/digits.toml[/dim]

    Stopped at any moment, even by a power cut, it goes on with --resume and loses at most a minute of work.
    """
    from cinn_app.cli.bars import rich_progress
    from cinn_app.extras import require_extra
    from cinn_app.metrics.labels import value_list
    from cinn_app.recipes import load_recipe
    from cinn_app.registry import systems

    checked = load_recipe(recipe)
    if not data and systems()[checked.system].needs_data:
        raise WrongUsage("--data is missing: give folders or tar archives of pictures to learn from.", context)
    target = output or Path("checkpoints") / f"{checked.name}.safetensors"
    folder = run or Path("runs") / checked.name
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
            precision,
            resume,
            start_from or [],
            max_minutes,
            rich_progress,
        )
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        state = folder / "state.ckpt"
        how = "go on with --resume" if state.is_file() else "nothing was learnt yet, so start it again"
        say_warning(f"Training was stopped: {how}.")
        raise typer.Exit(130) from None
    say(f"Wrote {target}.")
    out.print(value_list(checkpoint.figures))
