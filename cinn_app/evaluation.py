"""What measuring a model gives, whatever the system."""

import dataclasses

__all__ = ["Evaluation", "evenly_spread"]


@dataclasses.dataclass
class Evaluation:
    """What was measured.

    Attributes:
        figures: by name.
        pictures: how many were measured, or how many records of another kind.
        problems: a sentence per picture that was not.
        notes: a sentence per kind of figure that could not be had.
        data: names of the sources.
        ranks: how often the truth takes which place among the samples, below all to above all, for pixels and pictures
            and each channel.
        kind: what was measured, in the singular.
    """

    figures: dict[str, float]
    pictures: int
    problems: list[str]
    notes: list[str] = dataclasses.field(default_factory=list)
    data: list[str] = dataclasses.field(default_factory=list)
    ranks: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    kind: str = "picture"


def evenly_spread(count: int, limit: int | None) -> list[int]:
    """Choose up to `limit` of the numbers below `count`, spread evenly.

    >>> evenly_spread(9, 3), evenly_spread(3, 9), evenly_spread(2, None), evenly_spread(5, 1)
    ([0, 4, 8], [0, 1, 2], [0, 1], [0])
    """
    if limit is None or limit >= count:
        return list(range(count))
    step = (count - 1) / max(1, limit - 1)
    return [round(number * step) for number in range(limit)]
