"""Where the commands speak: results on stdout, everything else on stderr, a sentence on a line of its own."""

from rich.console import Console
from rich.text import Text

__all__ = ["count", "err", "out", "printable", "say", "say_error", "say_warning"]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(sentence: str) -> None:
    """Tell the result."""
    out.print(Text(printable(sentence)), soft_wrap=True)


def say_error(sentence: str) -> None:
    """Tell in red what went wrong."""
    err.print(Text(f"Error: {printable(sentence)}", "red"), soft_wrap=True)


def say_warning(sentence: str) -> None:
    """Tell in yellow what the user should know."""
    err.print(Text(printable(sentence), "yellow"), soft_wrap=True)


def printable(text: str) -> str:
    r"""Escape what would break the line, command the terminal, or be no text at all; file names may hold all of it.

    >>> printable("holiday\n.jpg")
    'holiday\\n.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int, thing: str) -> str:
    """Number a thing.

    >>> count(1, "picture"), count(2, "picture")
    ('1 picture', '2 pictures')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
