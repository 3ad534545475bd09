"""Options that several commands share."""

import math
from typing import Annotated, TypeAlias

import typer

__all__ = ["Device", "Model", "WrongUsage", "not_nan"]

Device: TypeAlias = Annotated[str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to compute.")]
Model: TypeAlias = Annotated[
    str,
    typer.Option(metavar="NAME|PATH", help="An installed model (see [bold]cinn models[/bold]) or a checkpoint's path."),
]


class WrongUsage(typer.BadParameter):
    """Options that are each right, but not together or not for this model: a sentence, the usage, exit code 2."""

    def format_message(self) -> str:
        """Say the sentence as it is, not that some value is invalid."""
        return self.message


def not_nan(value: float | None) -> float | None:
    """Refuse the one number that no range refuses."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number to work with.")
    return value
