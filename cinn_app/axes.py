"""Directions of a latent space that have names."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from cinn_app.errors import CinnError

__all__ = ["match_axes", "match_axis"]


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """What it does, in plain words."""
        ...


Axis = TypeVar("Axis", bound=Named)


def match_axes(axes: Sequence[Axis], steps: Mapping[str | int, float]) -> list[tuple[Axis, float]]:
    """Find the axes that steps go along, each as :func:`match_axis` does.

    Raises:
        CinnError: if there is no such axis, or one is given twice, as by its name and its number.
    """
    found = [(match_axis(axes, key), step) for key, step in steps.items()]
    names = [axis.name for axis, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise CinnError(f"The axis {name} is given twice: give each axis once.")
    return found


def match_axis(axes: Sequence[Axis], key: str | int) -> Axis:
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
