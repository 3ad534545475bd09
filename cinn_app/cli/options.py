"""Options that several commands share."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

import typer

from cinn_app.registry import systems

__all__ = ["Device", "Model", "WrongUsage", "data_help", "not_nan", "read_steps", "temperature_option"]

Device: TypeAlias = Annotated[str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to compute.")]
Model: TypeAlias = Annotated[
    str,
    typer.Option(metavar="NAME|PATH", help="An installed model (see [bold]cinn models[/bold]) or a checkpoint's path."),
]


#: The highest temperature that a model takes.
MAX_TEMPERATURE = 2


class WrongUsage(typer.BadParameter):
    """Options that are each right, but not together or not for this model: a sentence, the usage, exit code 2."""

    def format_message(self) -> str:
        """Say the sentence as it is, not that some value is invalid."""
        return self.message


def data_help(purpose: str) -> str:
    """Say in the help of ``--data`` what each system takes."""
    taken = "; ".join(f"{name} takes {system.data}" for name, system in systems().items())
    return f"{purpose} Repeat it for more: {taken}."


def not_nan(value: float | None) -> float | None:
    """Refuse the one number that no range refuses."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number to work with.")
    return value


def temperature_option(help: str, panel: str | None = None) -> Any:
    """Return the option of the temperature at which a model draws.

    Args:
        help: what it does in this command.
        panel: of the help, under which it stands.
    """
    parser = _number_between(0, MAX_TEMPERATURE)
    return typer.Option(  # `min` and `max` are for the help
        min=0, max=MAX_TEMPERATURE, parser=parser, show_default="the model's", help=help, rich_help_panel=panel
    )


def _number_between(low: float, high: float) -> Callable[[str], float]:
    """Return what reads a number in a range, and says all that is wrong with any other text in one way."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise typer.BadParameter(f"'{text}' is no number from {low:g} to {high:g}.")
        return value

    return read


def read_steps(texts: Sequence[str], most: int, context: typer.Context | None = None) -> dict[str | int, float]:
    """Read how far to go along which axes, from texts such as ``1=2.5`` or ``Slant=-1``; no farther than `most`.

    Raises:
        WrongUsage: naming the one that cannot be read.
    """
    steps: dict[str | int, float] = {}
    for text in texts:
        name, _, amount = text.rpartition("=")
        try:
            value = float(amount)
        except ValueError:
            value = math.nan
        name = name.strip().casefold()  # as axes are called, so that the same step is always noted in the same words
        if not name or not abs(value) <= most:
            raise WrongUsage(
                f"--axis {text} is no step along an axis: give its name or number, =, and a number from -{most} "
                f"to {most}, such as 1=2.5.",
                context,
            )
        if name in steps:
            raise WrongUsage(f"--axis {name} is given twice: give each axis once.", context)
        steps[name] = value
    return steps
