"""How reports write the figures of models: each system describes its own, and this module formats them."""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from cinn_app.messages import Message
from cinn_app.registry import systems

__all__ = ["Figure", "Figures", "Group", "figures_of", "format_number"]


@dataclasses.dataclass(frozen=True)
class Figure:
    r"""How reports name a figure.

    Attributes:
        name: in evaluations and checkpoints; a regular expression stands for several, such as ``coverage_(\d+)``.
        label: what it measures; a pair of braces takes what each group of the expression matched. The studio translates
            one that is a :class:`~cinn_app.messages.Message`.
        unit: such as ``"Lab units"``; empty for a pure number, or where the label has it.
        better: whether a lower or a higher one is better, if either is.
    """

    name: str
    label: str
    unit: str = ""
    better: Literal["", "lower", "higher"] = ""


@dataclasses.dataclass(frozen=True)
class Group:
    """Figures that belong together.

    Attributes:
        heading: above them.
        explanation: one line on what they say; may be empty.
        figures: in which a name is looked up; the first that matches counts.
        words: what labels say for the parts of names.
    """

    heading: str
    explanation: str
    figures: tuple[Figure, ...]
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)


TRAINING = Group(
    "Training",
    "",
    (
        Figure("steps", Message("Training steps")),
        Figure("views_seen", Message("Views seen in training")),
        Figure("pictures", Message("Training pictures")),
    ),
)


class Figures:
    """The figures of a system, ready for reports.

    Args:
        groups: that the system describes.
        primary: the figure that says how good a model is.

    >>> groups = [Group("Distance", "", (Figure("error_of_(.+)", "Error of {}", "cm"),), {"best": "the best"})]
    >>> [Figures(groups).label(name) for name in ("error_of_best", "error_of_8", "half_life")]
    ['Error of the best (cm)', 'Error of 8 (cm)', 'Half life']
    """

    def __init__(self, groups: Sequence[Group], primary: str = "") -> None:
        self.groups, self.primary = (*groups, TRAINING), primary

    def label(self, name: str) -> str:
        """Say what a figure measures, with its unit."""
        for group in self.groups:
            for figure in group.figures:
                if found := re.fullmatch(figure.name, name):
                    if isinstance(figure.label, Message):
                        return figure.label
                    words = (group.words.get(part, part.replace("_", " ")) for part in found.groups())
                    return figure.label.format(*words) + (f" ({figure.unit})" if figure.unit else "")
        return name.replace("_", " ").capitalize()

    def better(self, name: str) -> str:
        """Say whether a lower or a higher figure is better; empty if neither is."""
        matching = (one for group in self.groups for one in group.figures if re.fullmatch(one.name, name))
        return next(matching, Figure("", "")).better

    def grouped(self, values: Mapping[str, float]) -> Iterator[tuple[Group, dict[str, float]]]:
        """Yield figures group by group, and at the end those that no group describes."""
        left = dict(values)
        for group in (*self.groups, Group("More", "", (Figure(".*", ""),))):
            names = "|".join(figure.name for figure in group.figures)
            if found := {name: left.pop(name) for name in list(left) if re.fullmatch(names, name)}:
                yield group, found

    def lines(self, values: Mapping[str, float]) -> str:
        """Write figures one below the other, the primary one first."""
        ordered = sorted(values, key=lambda name: name != self.primary)
        return "\n".join(f"{self.label(name)}: {format_number(values[name])}" for name in ordered)


def figures_of(system: str) -> Figures:
    """Return the figures of a system by its name."""
    known = systems()[system]
    return Figures(known.load("figures") if known.figures else (), known.primary_figure)


def format_number(number: float) -> str:
    """Write a number with three significant digits, and a large one without a fraction.

    >>> format_number(9000), format_number(12345.67), format_number(0.78312), format_number(float("nan"))
    ('9,000', '12,346', '0.783', 'nan')
    """
    if isinstance(number, int) or 1000 <= abs(number) < math.inf:
        return f"{number:,.0f}"
    return f"{number:.3g}"
