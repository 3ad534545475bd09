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
    """Find the axis that a user means, by its name or its number from 1, also one written as text.

    Raises:
        CinnError: naming those there are.
    """
    number = int(key) if isinstance(key, int) or key.isdecimal() else None
    if number is not None and 1 <= number <= len(axes):
        return axes[number - 1]
    for axis in axes:
        if axis.name == key:
            return axis
    names = ", ".join(f"{number} {axis.name}" for number, axis in enumerate(axes, start=1))
    raise CinnError(f"There is no axis {key!r}: choose one of {names}.")
