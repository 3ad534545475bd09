"""The `cinn` command: one file per subcommand, whose libraries are loaded only when it runs."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cinn_app import __version__
from cinn_app.cli.app import app
from cinn_app.cli.colorize import colorize
from cinn_app.cli.console import say, say_warning
from cinn_app.cli.digits import digits
from cinn_app.cli.evaluate import evaluate
from cinn_app.cli.failures import report
from cinn_app.cli.models import models
from cinn_app.cli.train import train

__all__ = ["cinn", "run"]


class _Commands(TyperGroup):
    """The commands; wrong usage is told in plain words, and Ctrl-C stops with one line and the exit code of shells."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # pydantic's words, through typer
            raise
        except KeyboardInterrupt:
            say_warning("Stopped.")
            raise typer.Exit(130) from None


cinn = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (colorize, app, models, evaluate, train):
    cinn.command()(command)
cinn.add_typer(digits, name="digits")


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(f"cinn {__version__}")
        raise typer.Exit


@cinn.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Colour photographs and write digits, in many plausible ways, with conditional invertible neural networks."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; whatever goes wrong becomes one sentence and an exit code.

    Args:
        arguments: as after the program's name; by default those of the process.

    Raises:
        SystemExit: always; with 0 for success, 1 for an error, 2 for wrong usage, 130 after Ctrl-C.
    """
    try:
        cinn(arguments, prog_name="cinn")
    except Exception as error:
        report(error)
        sys.exit(1)
