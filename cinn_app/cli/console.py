"""What the command line says: results on stdout, all else on stderr, each sentence on a line of its own."""

import os
import traceback

from rich.console import Console
from rich.text import Text

from cinn_app.errors import CinnError

__all__ = ["DEBUG", "count", "err", "explain", "out", "printable", "report", "say", "say_error", "say_warning"]

#: The environment variable that shows tracebacks.
DEBUG = "CINN_DEBUG"

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(sentence: str) -> None:
    """Print a result."""
    out.print(Text(printable(sentence)), soft_wrap=True)


def say_error(sentence: str) -> None:
    """Print in red what went wrong."""
    err.print(Text(f"Error: {printable(sentence)}", "red"), soft_wrap=True)


def say_warning(sentence: str) -> None:
    """Print in yellow what the user should know."""
    err.print(Text(printable(sentence), "yellow"), soft_wrap=True)


def report(error: Exception, subject: str = "") -> None:
    """Print an error as one sentence, and its traceback if `CINN_DEBUG` is set.

    Args:
        error: of any kind.
        subject: what it happened to, for errors that do not say so themselves.
    """
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    say_error(explain(error, subject))


def explain(error: Exception, subject: str = "") -> str:
    """Describe an error in one sentence.

    >>> explain(CinnError("The device {name!r} is unknown: choose one of auto, cpu.", name="abacus"))
    "The device 'abacus' is unknown: choose one of auto, cpu."
    >>> explain(ValueError("a strange thing"), "a.jpg")
    'a.jpg failed with an unexpected error (ValueError: a strange thing): set CINN_DEBUG=1, run the same again, and
    report what it prints.'
    """
    if isinstance(error, CinnError):
        return str(error)
    if _out_of_memory(error):
        place = f"There was not enough memory for {subject}" if subject else "There was not enough memory"
        return f"{place}: close other programs, or use smaller pictures, fewer samples or --device cpu."
    first_line = str(error).strip().partition("\n")[0]
    what = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
    return (
        f"{subject or 'The command'} failed with an unexpected error ({what}): set {DEBUG}=1, run the same again, "
        "and report what it prints."
    )


def printable(text: str) -> str:
    r"""Escape characters that would break the line or control the terminal, which file names may contain.

    >>> printable("holiday\n.jpg")
    'holiday\\n.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int, thing: str) -> str:
    """Write a number of things.

    >>> count(1, "picture"), count(2, "picture")
    ('1 picture', '2 pictures')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _out_of_memory(error: Exception) -> bool:
    """Recognise it by its words, too: PyTorch raises a plain RuntimeError when the memory is full."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words
