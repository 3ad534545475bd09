"""Many colourings of one photograph: choosing among them, showing them side by side, and mapping where they differ."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.imaging import contact_sheet, save_picture, shrink_photograph, upsample_chroma
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.steering import Steering

__all__ = [
    "CANDIDATES",
    "Order",
    "best_first",
    "choose_diverse",
    "contact_sheet_of",
    "save_contact_sheet",
    "save_uncertainty",
    "stack_chroma",
    "uncertainty",
]

#: Sorts colourings, given all that were drawn of the photograph.
Order: TypeAlias = Callable[[Sequence[Colouring], Sequence[Colouring]], list[Colouring]]
#: Candidates that are drawn for each colouring that :func:`choose_diverse` keeps.
CANDIDATES = 4
#: What a Lab unit of chroma counts in favour of a colouring, in Lab units of its distance from others: the least with
#: which the first of four is hardly paler than the four.
VIVIDNESS_WEIGHT = 0.2
#: The deviation that is white in a map, in Lab units: always the same, so that maps compare. At the defaults samples
#: differ by 5 to 15.
WHITE = 16.0
#: Longer side of each picture on a contact sheet, in pixels.
SIDE = 480


def best_first(colourings: Sequence[Colouring], among: Sequence[Colouring] = ()) -> list[Colouring]:
    r"""Sort colourings of one photograph: first those that resemble most others, unless they owe it to being pale.

    A colouring that many draws resemble is near the truth more often than a probable one. But pale colours are near to
    all others, so vividness counts in favour. What is small comes first:

    .. math:: \operatorname{mean}_{y,\,p} \lVert x_p - y_p \rVert - w \operatorname{mean}_p \lVert x_p \rVert

    with the colours :math:`x_p` of a pixel, those of all others :math:`y_p`, and :data:`VIVIDNESS_WEIGHT`
    :math:`w`. See docs/figures.md for how often each measure finds the nearest to the truth of four.

    Args:
        colourings: to be sorted.
        among: the colourings that they are compared with, by default each other.
    """
    if not colourings:
        return []
    ab, others = stack_chroma(colourings), stack_chroma(among or colourings)
    distances = torch.stack([(one - others).norm(dim=1).mean() for one in ab])
    order = (distances - VIVIDNESS_WEIGHT * ab.norm(dim=1).mean((1, 2))).argsort()
    return [colourings[number] for number in order.tolist()]


def choose_diverse(candidates: Sequence[Colouring], count: int, order: Order = best_first) -> list[Colouring]:
    """Choose colourings that represent all candidates: the best one, and others so that each has one of them near.

    The quarter that is farthest from all others is left out if there are enough: these are often casts over the whole
    picture. The sum of the distances to the nearest chosen one is made small by adding and exchanging (k-medoids,
    Kaufman and Rousseeuw 1987). The distance is the root mean square difference of ab.

    Args:
        candidates: colourings of one photograph.
        count: how many to choose; if there are no more, all of them are returned.
        order: sorts the first of its arguments, which are taken from the second; the best first.

    Returns:
        Colourings in that order, that know their candidates, and whose settings name the number of these
        (``chosen_of``).

    Raises:
        CinnError: if `count` is below 1, or the colourings are of photographs of different shapes.
    """
    if count < 1:
        raise CinnError("{count} colourings were asked for: ask for at least 1.", count=count)
    if not candidates:
        return []
    distances = _distances(candidates)
    near = distances.mean(1).argsort()[: max(count, math.ceil(0.75 * len(candidates)))]
    ranked = order([candidates[number] for number in near.tolist()], candidates)
    chosen = _medoids(_distances(ranked), min(count, len(ranked)))
    return [
        dataclasses.replace(
            ranked[number],
            settings={**ranked[number].settings, "chosen_of": len(candidates)},
            candidates=tuple(candidates),
        )
        for number in sorted(chosen)
    ]


def uncertainty(colourings: Sequence[Colouring]) -> Tensor:
    r"""Map where colourings differ, beyond tints of the whole picture: the deviation of ab at each pixel, in Lab units.

    .. math:: \sigma_p = \sqrt{\operatorname{Var} a_p + \operatorname{Var} b_p}

    for colourings whose mean over the picture has been made the same.

    Args:
        colourings: at least two, of one photograph.

    Returns:
        ``(height, width)`` of the photograph.

    Raises:
        CinnError: if there are fewer than two, or they are of photographs of different shapes.
    """
    if len(colourings) < 2:
        raise CinnError("{count} colourings cannot disagree: give at least 2 of one photograph.", count=len(colourings))
    photograph = colourings[0].photograph
    ab = stack_chroma(colourings)
    ab = ab - ab.mean((2, 3), keepdim=True)
    deviation = ab.var(0).sum(0, keepdim=True).sqrt() * colourings[0].contrast
    return photograph.border.clear(upsample_chroma(deviation, photograph.unfaded))[0]


def contact_sheet_of(colourings: Sequence[Colouring], strength: float = 1.0) -> np.ndarray:
    """Show a photograph and its colourings side by side, small: uint8 ``(height, width, 3)``."""
    small = shrink_photograph(colourings[0].photograph, SIDE)
    original = dataclasses.replace(colourings[0], photograph=small, steering=Steering())
    pictures, captions = [original.render(strength=0)], ["original"]
    for colouring in colourings:
        pictures.append(colouring.on(small).render(strength))
        captions.append(
            f"no. {colouring.settings['sample'] + 1}, seed {colouring.seed}, {colouring.bits_per_dim:.2f} bits"
        )
    return contact_sheet(pictures, captions)


def save_contact_sheet(
    path: Path, colourings: Sequence[Colouring], strength: float = 1.0, source: Path | None = None, record: bool = True
) -> None:
    """Write a contact sheet, whole or not at all; its provenance record is of the draw, with the number of samples.

    Raises:
        ImageError: if the file cannot be written.
    """
    provenance = _record(colourings, source) | {"strength": strength} if record else None
    save_picture(path, contact_sheet_of(colourings, strength), source=source, provenance=provenance)


def save_uncertainty(
    path: Path, colourings: Sequence[Colouring], source: Path | None = None, record: bool = True
) -> None:
    """Write a gray map of where colourings differ: black where they agree, white from :data:`WHITE` Lab units on.

    If they were chosen among candidates, the map shows all candidates.

    Raises:
        CinnError: if there are fewer than two colourings, or the file cannot be written.
    """
    if colourings:
        colourings = colourings[0].candidates or colourings
    gray = (uncertainty(colourings) * (255 / WHITE)).round().clamp(0, 255).byte().numpy()
    save_picture(path, gray, source=source, provenance=_record(colourings, source) if record else None)


def stack_chroma(colourings: Sequence[Colouring]) -> Tensor:
    """Stack the chroma of colourings of one photograph: ``(colourings, 2, height, width)``, in Lab units.

    Raises:
        CinnError: if they are of photographs of different shapes.
    """
    if len({tuple(colouring.ab.shape) for colouring in colourings}) > 1:
        raise CinnError("These colourings are of different photographs: give those of one.")
    return torch.stack([colouring.ab for colouring in colourings])


def _distances(colourings: Sequence[Colouring]) -> Tensor:
    """Return the distance of each colouring from each, up to a factor."""
    ab = stack_chroma(colourings).flatten(1)
    return torch.cdist(ab, ab)


def _medoids(distances: Tensor, count: int) -> list[int]:
    """Choose rows, the first one among them, so that the columns' distances to the nearest are small in sum."""
    chosen = [0]
    while len(chosen) < count:
        gains = torch.minimum(distances, distances[chosen].amin(0)).sum(1)
        gains[chosen] = torch.inf
        chosen.append(int(gains.argmin()))
    total, exchanged = float(distances[chosen].amin(0).sum()), True
    while exchanged:
        exchanged = False
        for place in range(1, count):
            others = chosen[:place] + chosen[place + 1 :]
            sums = torch.minimum(distances, distances[others].amin(0)).sum(1)
            sums[others] = torch.inf
            if float(sums.min()) < total - 1e-6 * total:
                chosen[place], total, exchanged = int(sums.argmin()), float(sums.min()), True
    return chosen


def _record(colourings: Sequence[Colouring], source: Path | None) -> dict[str, Any]:
    """Return the provenance record of a draw: that of its first sample, with the number of samples."""
    record = {**colourings[0].record(source=source), "sample": 0, "samples": len(colourings)}
    return {key: value for key, value in record.items() if key not in ("strength", "quality")}
