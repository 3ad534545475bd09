"""Directions of a latent space that have names."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from cinn_app.errors import CinnError

__all__ = ["find_axis"]


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """What it does, in plain words."""
        ...


Axis = TypeVar("Axis", bound=Named)


def find_axis(axes: Sequence[Axis], key: str | int) -> Axis:
    """Find the axis that a user means, by its name in any letter case, or its number from 1, also one written as text.

    Raises:
        CinnError: naming those there are.
    """
    wanted = str(key).strip().casefold()
    number = int(wanted) if wanted.isdecimal() else None
    if number is not None and 1 <= number <= len(axes):
        return axes[number - 1]
    for axis in axes:
        if axis.name.casefold() == wanted:
            return axis
    names = ", ".join(f"{number} {axis.name}" for number, axis in enumerate(axes, start=1))
    raise CinnError(f"There is no axis {key!r}: choose one of {names}.")
