"""One word for each of several colourings of a photograph: what of it looks other than in the first."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import shrink_into_gamut
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.selection import stack_chroma

__all__ = ["BEST", "BOLDER", "HUES", "PALER", "name_differences"]

#: The keys of the first colouring, and of those with more or less chroma.
BEST, BOLDER, PALER = "best", "bolder", "paler"
#: The keys of colourings in which something has become of these hues: from and to, in degrees of the plane of ab.
HUES = {"pinker": (-75, 40), "warmer": (40, 100), "greener": (100, 205), "bluer": (205, 285)}
#: In Lab units: the smallest difference that is seen, and the smallest chroma that has a hue.
SEEN = 5.0
#: Of the picture, the smallest share that has a word if it is seen to differ.
AREA = 0.1
#: Of all that is seen to differ, the share that a hue must explain, twice as much as the next one; and the shares that
#: more chroma must explain at least and less chroma at most, or the other way round.
OF_ONE_HUE, MOST, LEAST = 0.4, 0.5, 0.25


def name_differences(colourings: Sequence[Colouring]) -> list[str]:
    """Say in one word how each colouring is seen to differ from the first one, if one word is true of most of it.

    A hue counts where things have become of this hue, not where they have lost another: an orange church that turns
    yellow is no greener. It says more than the chroma. No word comes twice: the truest is given first.

    Args:
        colourings: of one photograph, the best first.

    Returns:
        One key for each: "best" for the first, and for the others "pinker", "warmer", "greener", "bluer", "bolder",
        "paler", or "".

    Raises:
        CinnError: if the colourings are of photographs of different shapes.
    """
    if not colourings:
        return []
    ab = stack_chroma(colourings) * colourings[0].contrast
    lightness = functional.adaptive_avg_pool2d(colourings[0].lightness, (ab.shape[2], ab.shape[3]))
    shown = shrink_into_gamut(lightness, ab)
    found = [
        (-truth, number, word)
        for number, other in enumerate(shown[1:], start=1)
        for word, truth in _true_words(shown[0], other).items()
    ]
    names = {0: BEST}
    for _, number, word in sorted(found):
        if number not in names and word not in names.values():
            names[number] = word
    return [names.get(number, "") for number in range(len(colourings))]


def _true_words(first: Tensor, other: Tensor) -> dict[str, float]:
    """Return the words that are true of chroma ``(2, height, width)`` beside that of the first, the truest highest."""
    change, chroma, growth = other - first, other.norm(dim=0), other.norm(dim=0) - first.norm(dim=0)
    size = change.norm(dim=0)
    seen = size >= SEEN
    if seen.float().mean() < AREA:
        return {}
    weights = size * seen / (size * seen).sum()
    hue = torch.rad2deg(torch.atan2(other[1], other[0]))
    towards = (change * other).sum(0) / chroma.clamp(min=1e-3) >= SEEN / 2  # its own hue
    hues = {
        word: float(weights[towards & (chroma >= SEEN) & ((hue - start) % 360 < end - start)].sum())
        for word, (start, end) in HUES.items()
    }
    more, less = (float(weights[sign * growth >= SEEN / 2].sum()) for sign in (1, -1))
    (word, share), (_, next_share), *_ = sorted(hues.items(), key=lambda one: -one[1])
    true = {BOLDER: more} if more >= MOST and less <= LEAST else {}
    true |= {PALER: less} if less >= MOST and more <= LEAST else {}
    if share >= max(OF_ONE_HUE, 2 * next_share, less):
        true[word] = 1 + share
    return true
