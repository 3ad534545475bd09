"""Options that several commands share."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

import typer

from cinn_app.devices import DEVICES, PRECISIONS
from cinn_app.limits import MAX_SEED, MAX_STEP, MAX_TEMPERATURE
from cinn_app.registry import systems

__all__ = [
    "Device",
    "Model",
    "Precision",
    "WrongUsage",
    "data_help",
    "not_nan",
    "read_steps",
    "seed_option",
    "temperature_option",
]

Device: TypeAlias = Annotated[
    str, typer.Option(metavar="|".join(DEVICES), help="Where to compute; N is the number of a GPU.")
]
Precision: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="|".join(PRECISIONS),
        help="Of the networks; auto takes bfloat16 where the hardware has units for it, and with --resume what it took "
        "before.",
    ),
]
Model: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH", help="An installed model (see [bold]cinn models[/bold]) or the path of a checkpoint."
    ),
]


class WrongUsage(typer.BadParameter):
    """Options that are valid alone, but not together or not for this model: one sentence, the usage, exit code 2."""

    def format_message(self) -> str:
        """Return the sentence as it is, without "Invalid value"."""
        return self.message


def data_help(purpose: str) -> str:
    """Write the help of ``--data``, with what each system takes."""
    taken = "; ".join(f"{name} takes {system.data}" for name, system in systems().items())
    return f"{purpose} Repeat it for more: {taken}."


def not_nan(value: float | None) -> float | None:
    """Refuse the one number that is in every range."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number to work with.")
    return value


def seed_option(result: str, panel: str | None = None) -> Any:
    """Return the option of the seed.

    Args:
        result: what depends on it, in the plural.
        panel: of the help, in which it is listed.
    """
    text = f"Another seed gives other {result}, the same seed the same ones."
    return typer.Option(min=0, max=MAX_SEED, help=text, rich_help_panel=panel)


def temperature_option(help: str, panel: str | None = None, **how: Any) -> Any:
    """Return the option of the temperature at which a model draws.

    Args:
        help: what it does in this command.
        panel: of the help, in which it is listed.
        how: it is read, if not as one number.
    """
    # `min` and `max` are for the help.
    how = how or {"min": 0.0, "max": MAX_TEMPERATURE, "parser": _number_between(0, MAX_TEMPERATURE)}
    return typer.Option(show_default="the model's", help=help, rich_help_panel=panel, **how)


def read_steps(texts: Sequence[str], context: typer.Context | None = None) -> dict[str | int, float]:
    """Read steps along axes from texts such as ``1=2.5`` or ``Slant=-1``.

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
        name = name.strip().casefold()  # so that the same step is always recorded in the same words
        if not name or not abs(value) <= MAX_STEP:
            raise WrongUsage(
                f"--axis {text} is not a step along an axis: give its name or number, =, and a number from "
                f"{-MAX_STEP:g} to {MAX_STEP:g}, such as 1=2.5.",
                context,
            )
        if name in steps:
            raise WrongUsage(f"--axis {name} is given twice: give each axis once.", context)
        steps[name] = value
    return steps


def _number_between(low: float, high: float) -> Callable[[str], float]:
    """Return a parser of numbers in a range, which refuses any other text with the same sentence."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise typer.BadParameter(f"'{text}' is not a number from {low:g} to {high:g}.")
        return value

    return read
