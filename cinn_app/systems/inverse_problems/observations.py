"""Observations that a user gives: numbers on the command line, or the rows of a file."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cinn_app.errors import ProblemError
from cinn_app.files import NO_TEXT, read_text
from cinn_app.systems.inverse_problems.problem import Quantity

__all__ = ["LARGEST", "read_observations"]

#: The largest number that networks compute with.
LARGEST = float(np.finfo(np.float32).max)


def read_observations(given: str, measurements: Sequence[Quantity]) -> np.ndarray:
    """Read one observation from text such as ``0.3,1.2``, or all rows of a file, .csv or .npy.

    A table has commas, semicolons, tabs or spaces between its numbers; with semicolons they may have decimal commas.
    One whose first row names the measurements may have them in any order, among other columns. Other words there count
    as names of the columns in the problem's order.

    Args:
        given: numbers with commas or spaces in between, or the path of a file.
        measurements: M quantities.

    Returns:
        ``(M,)`` for numbers, ``(B, M)`` for a file.

    Raises:
        ProblemError: if it is neither, cannot be read, has text among the numbers, or has another number of values.
    """
    path = Path(given)
    if path.suffix.lower() in (".csv", ".npy", ".txt", ".tsv") or _is_file(path):
        return (
            _read_array(path, len(measurements)) if path.suffix.lower() == ".npy" else _read_table(path, measurements)
        )
    texts = given.replace(",", " ").replace(";", " ").split()
    values = [_number(text) for text in texts]
    if None in values or not values:
        raise ProblemError(
            "The observation {given!r} is neither numbers nor a file: give {count} numbers with commas between, or the "
            "path of a .csv or .npy file.",
            given=given[:100],
            count=len(measurements),
        )
    return _checked(np.array(values, dtype=np.float64), len(measurements), repr(given[:100]))


def _read_array(path: Path, count: int) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
        if np.iscomplexobj(array):
            raise TypeError
        array = np.asarray(array, dtype=np.float64)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise _unreadable(path, error) from error
    if array.ndim > 2:
        raise ProblemError(
            "{file} has {given} axes where a table has two: give an observation in each row.",
            file=path.name,
            given=array.ndim,
        )
    return _checked(np.atleast_2d(array), count, path.name)


def _read_table(path: Path, measurements: Sequence[Quantity]) -> np.ndarray:
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    first = text.partition("\n")[0]
    separator = next((mark for mark in ";\t" if mark in first), ",")
    lines = enumerate(csv.reader(text.splitlines(), delimiter=separator), start=1)
    decimal = "," if separator == ";" else "."
    rows = [(line, _cells(row, decimal)) for line, row in lines if any(cell.strip() for cell in row)]
    columns = None
    if rows and all(_number(cell, decimal) is None for cell in rows[0][1]):
        columns = _columns(rows.pop(0)[1], [quantity.name for quantity in measurements], path)
    values = []
    for line, row in rows:
        try:
            chosen = row if columns is None else [row[column] for column in columns]
        except IndexError:
            chosen = row
        numbers = [_number(cell, decimal) for cell in chosen]
        if None in numbers:
            raise ProblemError(
                "Line {line} of {file} has {text!r} where a number is needed: give a table of numbers, whose first row "
                "may name the measurements.",
                line=line,
                file=path.name,
                text=chosen[numbers.index(None)][:50],
            )
        values.append(_checked(np.array(numbers, dtype=np.float64), len(measurements), f"line {line} of {path.name}"))
    if not values:
        raise ProblemError("{file} has no observations: give one in each row.", file=path.name)
    return np.stack(values)


def _cells(row: list[str], decimal: str) -> list[str]:
    """Return the cells of a row; numbers may have spaces between, and nothing else."""
    apart = row[0].split() if len(row) == 1 else []
    return apart if apart and all(_number(cell, decimal) is not None for cell in apart) else [c.strip() for c in row]


def _columns(header: list[str], names: list[str], path: Path) -> list[int] | None:
    """Return the columns of the measurements by their names; None if the header has none of them."""
    lacking = [name for name in names if name not in header]
    if not lacking:
        return [header.index(name) for name in names]
    if len(lacking) < len(names) or len(header) != len(names):
        raise ProblemError(
            "The first row of {file} does not name the measurements {lacking}: name all of them ({names}), in any "
            "order, or none.",
            file=path.name,
            lacking=", ".join(lacking[:10]),
            names=", ".join(names[:10]),
        )
    return None


def _checked(values: np.ndarray, count: int, where: str) -> np.ndarray:
    if values.shape[-1] != count or not values.size:
        raise ProblemError(
            "The observation in {where} has {given} values where this problem measures {count}: give {count} numbers.",
            where=where,
            given=values.shape[-1],
            count=count,
        )
    if not (np.abs(values) <= LARGEST).all():
        raise ProblemError(
            "The observation in {where} has a number that is nan, infinite or too large: give finite ones.", where=where
        )
    return values


def _number(text: str, decimal: str = ".") -> float | None:
    """Read a number; nan and inf are numbers here, to be refused as such."""
    try:
        return float(text.replace(decimal, ".").replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return math.nan if text.strip().lower() in ("na", "n/a", "null") else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _unreadable(path: Path, error: Exception) -> ProblemError:
    wrong = NO_TEXT if isinstance(error, UnicodeDecodeError) else "it is no table of numbers"
    reason = getattr(error, "strerror", None) or wrong
    return ProblemError(
        "The observations {path} cannot be read ({reason}): give a .csv or .npy file.", path=path, reason=reason
    )
