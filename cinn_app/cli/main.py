"""The `cinn` command. Commands come from this folder and from the systems, and are imported when they run."""

import io
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from cinn_app import __version__
from cinn_app.cli.console import report, say, say_warning
from cinn_app.errors import SettingError
from cinn_app.process import end_when_asked
from cinn_app.registry import Command, import_object, systems

__all__ = ["cinn", "run"]

#: Inside a paragraph.
LINE_END = re.compile(r"(?<!\n)\n(?!\n)")

COMMANDS = (
    Command("app", f"{__package__}.app:app", "Serve the studio, a web page, until Ctrl-C."),
    Command("models", f"{__package__}.models:models", "List the installed models: purpose, size, figures, licence."),
    Command("evaluate", f"{__package__}.evaluate:command", "Measure a model on data that it has not learnt from."),
    Command("train", f"{__package__}.train:train", "Train a model from its recipe, and write its checkpoint."),
)


class _Commands(TyperGroup):
    """The commands, listed without importing them. Ctrl-C ends one with a line and the exit code of shells."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write plain text: typer's coloured help would take longer to import than all the rest."""
        super(TyperGroup, self).format_help(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self._known())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stand-in that knows the summary."""
        command = self._known().get(cmd_name)
        return command and TyperCommand(cmd_name, help=command.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that is called."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, _imported(self._known()[name]) if name and stand_in else stand_in, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            # pydantic's words, through typer
            error.message = error.message.removeprefix("Value error, ").replace("Input should", "It should", 1)
            raise
        except KeyboardInterrupt:
            say_warning("Stopped.")
            raise typer.Exit(130) from None

    @staticmethod
    def _known() -> dict[str, Command]:
        from_systems = [command for system in systems().values() for command in system.commands]
        return {command.name: command for command in (*from_systems, *COMMANDS)}


def _imported(command: Command) -> Any:
    """Turn a function, or a typer application of subcommands, into click's command."""
    target = import_object(command.target)
    if not isinstance(target, typer.Typer):
        alone = typer.Typer(
            add_completion=False, rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]}
        )
        alone.command(command.name)(target)
        target = alone
    made = typer.main.get_command(target)
    for one in (made, *getattr(made, "commands", {}).values()):
        # typer would keep the line ends of the source in all paragraphs but the first
        one.help = LINE_END.sub(" ", one.help or "")
    return made


cinn = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


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

    A request to end, SIGTERM, is answered like Ctrl-C, and so is a terminal that is closed; what is sent after that is
    ignored while the command tidies up. What standard output cannot say in its encoding (redirected on Windows, a code
    page) is replaced, and never ends a finished job.

    Args:
        arguments: as after the program's name; by default those of the process.

    Raises:
        SystemExit: always; with 0 for success, 1 for an error, 2 for wrong usage, 130 after Ctrl-C.
    """
    end_when_asked()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        # What the shell has left as it is stays so: on Windows, click would expand *, $X and %X% in any argument.
        cinn(arguments, prog_name="cinn", windows_expand_args=False)
    except Exception as error:
        report(error)
        sys.exit(2 if isinstance(error, SettingError) else 1)
