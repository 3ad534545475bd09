"""Numbers that users pass: converted to Python's, or refused in one sentence."""

import operator
import reprlib
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cinn_app.errors import CinnError, SettingError

__all__ = ["as_number", "as_path", "as_python", "number_between", "of_type", "short", "whole_number"]

T = TypeVar("T")


def as_python(value: Any) -> Any:
    """Convert arrays, tensors and their numbers to Python's."""
    return value.tolist() if hasattr(value, "tolist") else value


def short(value: Any) -> str:
    """Write a value in one line that is not too long, for errors."""
    return reprlib.repr(as_python(value))


def as_number(value: Any) -> float:
    """Convert a single number of Python, numpy or torch; anything else is not-a-number."""
    try:
        return float(value) if np.ndim(value) == 0 and not isinstance(value, str | bytes) else float("nan")
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return float("nan")


def as_path(value: Any) -> Path:
    """Convert a text or a path to a path.

    Raises:
        CinnError: if it is anything else, or has a null character.
    """
    try:
        path = Path(value)
    except TypeError:
        raise CinnError("A path cannot be given as {type}: give a text or a Path.", type=type(value).__name__) from None
    if "\0" in str(path):
        raise CinnError("The path {path} has a null character: leave it out.", path=short(str(path)))
    return path


def of_type(value: Any, wanted: type[T], name: str) -> T:
    """Return a value of a type, and refuse any other.

    Args:
        value: any.
        wanted: its type.
        name: of the argument.

    Raises:
        SettingError: saying which type was given, and which is wanted.
    """
    if not isinstance(value, wanted):
        raise SettingError(
            "{name} cannot be given as {type}: give a {wanted}.",
            name=name,
            type=type(value).__name__,
            wanted=wanted.__name__,
        )
    return value


def number_between(value: Any, name: str, low: float, high: float) -> float:
    """Return a number in a range, and refuse anything else, not-a-number included.

    Args:
        value: also one of numpy or torch.
        name: of the argument.
        low, high: the range.

    Raises:
        CinnError: saying what was given, and the range.

    >>> number_between(np.float32(0.5), "strength", 0, 2)
    0.5
    """
    number = as_number(value)
    if not low <= number <= high:
        raise CinnError(
            "The {name}, {value}, is out of range: give a number from {low:g} to {high:g}.",
            name=name,
            value=short(value),
            low=low,
            high=high,
        )
    return number


def whole_number(value: Any, name: str, low: int, high: int | None = None) -> int:
    """Return a whole number in a range, which may have no upper end, and refuse anything else.

    Args:
        value: also one of numpy or torch.
        name: of the argument.
        low, high: the range.

    Raises:
        CinnError: saying what was given, and the range.
    """
    try:
        number = int(operator.index(value))
    except TypeError:
        number = low - 1
    if number < low or (high is not None and number > high):
        allowed = {"name": name, "value": short(value), "low": low, "high": high}
        if high is None:
            raise CinnError("The {name}, {value}, is out of range: give a whole number, at least {low}.", **allowed)
        raise CinnError("The {name}, {value}, is out of range: give a whole number from {low} to {high}.", **allowed)
    return number
