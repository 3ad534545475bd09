"""From whatever went wrong to one sentence; a traceback is shown only to those who ask for it."""

import os
import traceback

from cinn_app.cli.console import say_error
from cinn_app.errors import CinnError

__all__ = ["DEBUG", "explain", "report"]

#: The environment variable that shows tracebacks when it is set.
DEBUG = "CINN_DEBUG"


def report(error: Exception, subject: str = "") -> None:
    """Say what went wrong.

    Args:
        error: whatever was raised.
        subject: what it happened to, for errors that do not say so themselves.
    """
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    say_error(explain(error, subject))


def explain(error: Exception, subject: str = "") -> str:
    """Put an error into one sentence.

    >>> explain(CinnError("The device 'abacus' is unknown: choose one of auto, cpu."))
    "The device 'abacus' is unknown: choose one of auto, cpu."
    >>> explain(ValueError("a strange thing"), "a.jpg")
    'a.jpg failed in a way nobody foresaw (ValueError: a strange thing): set CINN_DEBUG=1, run the same again, and
    report what it prints.'
    """
    if isinstance(error, CinnError):
        return str(error)
    if _out_of_memory(error):
        place = f"The memory did not suffice for {subject}" if subject else "The memory did not suffice"
        return f"{place}: close other programs, or take smaller pictures, fewer samples or --device cpu."
    first_line = str(error).strip().partition("\n")[0]
    what = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
    return (
        f"{subject or 'This'} failed in a way nobody foresaw ({what}): set {DEBUG}=1, run the same again, "
        "and report what it prints."
    )


def _out_of_memory(error: Exception) -> bool:
    """Recognise it by its words too: PyTorch raises a plain RuntimeError when the processor's memory is full."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "can't allocate memory" in words
