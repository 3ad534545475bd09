"""The parts of `benchmarks/hostile.py`, a module each.

The docstring of a module says what it does; `add_options(parser)` adds its options, and `measure(options)` returns its
figures.
"""

from typing import NamedTuple

__all__ = ["Figure"]


class Figure(NamedTuple):
    """A count.

    Attributes:
        name: what was counted.
        count: how often.
        bad: whether any at all is a fault.
        examples: a few of them, for faults.
    """

    name: str
    count: int
    bad: bool = False
    examples: tuple[str, ...] = ()
