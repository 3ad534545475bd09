"""The `cinn` command: one file per subcommand, each loaded only when it runs."""

import sys

import typer

from cinn_app.cli import train
from cinn_app.errors import CinnError

__all__ = ["app", "run"]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich"
)
app.command("train")(train.train)


@app.callback()
def _about() -> None:
    """Colour photographs in many plausible ways with conditional invertible neural networks."""


def run() -> None:
    """Run the command; an error of the user's becomes one sentence and exit code 1."""
    try:
        app()
    except CinnError as error:
        typer.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(1)
