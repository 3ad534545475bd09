"""One word for each of several colourings of a photograph: how it differs from the first."""

from collections.abc import Sequence

from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.selection import stack_chroma

__all__ = ["BEST", "DIFFERENCES", "name_differences"]

#: The key of the first colouring.
BEST = "best"
#: The keys of the others, by the name of an axis of colour: for more of what it measures, and for less.
DIFFERENCES = {"warmer": ("warmer", "cooler"), "greener": ("greener", "pinker"), "more vivid": ("bolder", "paler")}
#: The smallest difference that has a word, in Lab units on average over the picture: less is not seen.
NOTICEABLE = 1.0


def name_differences(colourings: Sequence[Colouring]) -> list[str]:
    """Say in one word how each colouring differs from the first one, by the measures of :data:`AXES`.

    The largest difference gets its word first. Then that word and that colouring are taken, and the next largest gets
    its word, and so on. So no word comes twice, and each is true of its colouring beside the first, not beside all.

    Args:
        colourings: of one photograph, the best first.

    Returns:
        One key for each: :data:`BEST` for the first, and for the others one of :data:`DIFFERENCES`. It is "" for one
        that differs from the first by less than :data:`NOTICEABLE` in all that is not taken.

    Raises:
        CinnError: if the colourings are of photographs of different shapes.
    """
    if not colourings:
        return []
    ab = stack_chroma(colourings)
    weights = ab.new_full(ab.shape[2:], 1 / ab[0, 0].numel())
    found = []
    for axis in AXES:
        if axis.name in DIFFERENCES:
            measures = axis.measure(ab, weights)
            for word, sign in zip(DIFFERENCES[axis.name], (1, -1), strict=True):
                more = sign * (measures - measures[0])
                found += [(size, number, word) for number, size in enumerate(more.tolist()) if size >= NOTICEABLE]
    names = {0: BEST}
    for _, number, word in sorted(found, key=lambda one: -one[0]):
        if number not in names and word not in names.values():
            names[number] = word
    return [names.get(number, "") for number in range(len(colourings))]
