"""Choosing among many colourings of one photograph, and seeing where they disagree."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.imaging import contact_sheet, save_picture, shrink_photograph, upsample_chroma
from cinn_app.systems.colorization.colouring import Colouring

__all__ = [
    "DRAWN_FOR_EACH",
    "by_likelihood",
    "diverse",
    "keep_diverse",
    "save_sheet",
    "save_uncertainty",
    "sheet_of",
    "uncertainty",
]

#: Colourings to draw for each that :func:`keep_diverse` is to keep.
DRAWN_FOR_EACH = 4


def by_likelihood(colourings: Sequence[Colouring]) -> list[Colouring]:
    """Order colourings of one photograph, the most probable first."""
    return sorted(colourings, key=lambda colouring: colouring.log_prob, reverse=True)


def diverse(colourings: Sequence[Colouring], count: int) -> list[Colouring]:
    """Choose a few colourings that differ most: the most probable one, then always the one farthest from those chosen.

    The least probable quarter is left out, if enough are left: what is farthest from all others is often a cast over
    the whole picture, which the model itself thinks unlikely.

    Far is meant by root mean square difference of ab. This greedy choice is within a factor of two of the best spread
    there is (Gonzalez 1985).

    Args:
        colourings: of one photograph.
        count: how many to choose; all come back, in this order, where there are no more.

    Raises:
        CinnError: if none are asked for, or the colourings are of photographs of different shapes.
    """
    if count < 1:
        raise CinnError(f"{count} colourings were asked for: ask for at least 1.")
    ranked = by_likelihood(colourings)[: max(count, math.ceil(0.75 * len(colourings)))]
    if not ranked:
        return []
    ab = _stack(ranked)
    chosen, nearest = [0], (ab - ab[0]).square().mean((1, 2, 3))
    while len(chosen) < min(count, len(ranked)):
        nearest[chosen] = -1.0
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (ab - ab[chosen[-1]]).square().mean((1, 2, 3)))
    return [ranked[number] for number in chosen]


def keep_diverse(colourings: Sequence[Colouring], count: int) -> list[Colouring]:
    """Choose as :func:`diverse` does; the settings of each, and so the mark of its file, say of how many."""
    return [
        dataclasses.replace(colouring, settings={**colouring.settings, "chosen_of": len(colourings)})
        for colouring in diverse(colourings, count)
    ]


def uncertainty(colourings: Sequence[Colouring]) -> Tensor:
    """Map where colourings disagree: how far ab scatters about its mean at each pixel, in Lab units.

    .. math:: \\sigma_p = \\sqrt{\\operatorname{Var} a_p + \\operatorname{Var} b_p}

    Args:
        colourings: at least two, of one photograph.

    Returns:
        ``(height, width)``, at the photograph's full size.

    Raises:
        CinnError: if there are fewer than two, or they are of photographs of different shapes.
    """
    if len(colourings) < 2:
        raise CinnError(f"{len(colourings)} colourings cannot disagree: give at least 2 of one photograph.")
    deviation = _stack(colourings).var(0).sum(0, keepdim=True).sqrt()
    return upsample_chroma(deviation, colourings[0].photograph.lightness)[0]


def _stack(colourings: Sequence[Colouring]) -> Tensor:
    shapes = {tuple(colouring.ab.shape) for colouring in colourings}
    if len(shapes) > 1:
        raise CinnError("These colourings are of different photographs: give those of one.")
    return torch.stack([colouring.ab for colouring in colourings])


#: What is white in a map, in Lab units; always the same, so that maps compare. Samples at the defaults
#: differ by 5 to 15.
WHITE = 16.0
#: Longer side of each picture on the sheet, in pixels.
SIDE = 480


def sheet_of(colourings: Sequence[Colouring], strength: float = 1.0) -> np.ndarray:
    """Show what was coloured and all that came of it, uint8 ``(height, width, 3)``.

    The pictures on the sheet are small ones, so that a sheet costs little beside the colourings themselves.
    """
    small = shrink_photograph(colourings[0].photograph, SIDE)
    pictures, captions = [colourings[0].on(small).render(strength=0)], ["original"]
    for colouring in colourings:
        pictures.append(colouring.on(small).render(strength))
        captions.append(
            f"no. {colouring.settings['sample'] + 1}, seed {colouring.seed}, {colouring.bits_per_dim:.2f} bits"
        )
    return contact_sheet(pictures, captions)


def save_sheet(
    path: Path, colourings: Sequence[Colouring], strength: float = 1.0, source: Path | None = None, mark: bool = True
) -> None:
    """Write the sheet of some colourings, whole or not at all; its mark is that of the first one, and their number.

    Raises:
        ImageError: if the file cannot be written.
    """
    made = _mark(colourings, source) | {"strength": strength} if mark else None
    save_picture(path, sheet_of(colourings, strength), source=source, provenance=made)


def save_uncertainty(
    path: Path, colourings: Sequence[Colouring], source: Path | None = None, mark: bool = True
) -> None:
    """Write a gray picture of where colourings differ: black where not at all, white from :data:`WHITE` Lab units on.

    Raises:
        CinnError: if there are fewer than two colourings, or the file cannot be written.
    """
    gray = (uncertainty(colourings) * (255 / WHITE)).round().clamp(0, 255).byte().numpy()
    save_picture(path, gray, source=source, provenance=_mark(colourings, source) if mark else None)


def _mark(colourings: Sequence[Colouring], source: Path | None) -> dict[str, Any]:
    """Say how all of them came about: the mark of a draw's first sample, and how many there are."""
    mark = {**colourings[0].mark(source=source), "sample": 0, "samples": len(colourings)}
    return {key: value for key, value in mark.items() if key not in ("strength", "quality")}
