"""Making samples meet constraints: hints, the colours of a reference, and a region that is kept.

Hints say what some colours are. The draws of the photograph say what goes with that elsewhere
(:mod:`cinn_app.systems.colorization.ensemble`). A reference says it for all segments.
"""

import functools

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.errors import CinnError
from cinn_app.imaging import Photograph, blend_by_distance
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.model import ColorizationModel, Conditions
from cinn_app.systems.colorization.reference import ColourReference, colours_by_likeness
from cinn_app.systems.colorization.region import Region

__all__ = ["fading_region", "keep_region", "meet_hints", "take_colours", "thing_at"]

#: The geodesic distance at which a kept region has faded to 1/e.
FADING_WIDTH = 0.3


def meet_hints(encoded: EncodedPhotograph, ab: Tensor, hints: Hints) -> Tensor:
    """Change samples so that hinted things have the hinted colours.

    1. The draws say what else changes with the colours at the hints: the rest of the thing, and what goes with it.
    2. What is missing at the hints is added around them, as far as the edges of the lightness let it reach. The
       finished picture corrects what is then missing, pixel by pixel (:func:`cinn_app.imaging.put_colours`).

    Args:
        encoded: the photograph.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)`` of the canvas.
        hints: laid on this photograph.

    Returns:
        Chroma of the samples' shape.
    """
    canvas, distances = encoded.canvas, hints.distances(encoded.photograph.geodesic_grid)
    each = torch.stack([blend_by_distance(one[None], torch.ones(1, 1))[0][0] for one in distances])
    near, wanted = blend_by_distance(distances, hints.ab)
    each, near, total = (
        canvas.extend(functional.adaptive_avg_pool2d(part, canvas.content_size)[None]).to(ab)
        for part in (each, near, near * wanted)
    )
    weights = each[0] / each[0].sum((1, 2), keepdim=True).clamp(min=1e-6)
    changed = encoded.ensemble.spread(ab, weights, hints.ab.to(ab))
    return changed + near * (total / near.clamp(min=1e-6) - changed)


def take_colours(encoded: EncodedPhotograph, ab: Tensor, reference: ColourReference) -> Tensor:
    """Give the things in a photograph the colours of like things in another picture.

    Args:
        encoded, ab: as for :func:`meet_hints`.
        reference: the other picture.

    Returns:
        Chroma of the samples' shape.
    """
    masks = encoded.conditions.segments.masks[0]
    wanted, trust = colours_by_likeness(encoded.conditions, *_encode_reference(reference, encoded.model, encoded.sizes))
    weights = masks / masks.sum((1, 2), keepdim=True).clamp(min=1e-6)
    missing = wanted - torch.einsum("bcyx,kyx->bkc", ab, weights)
    return ab + torch.einsum("bkc,k,kyx->bcyx", missing, trust, masks)


@functools.lru_cache(maxsize=4)  # all photographs of an album and all their draws need the same
def _encode_reference(
    reference: ColourReference, model: ColorizationModel, sizes: tuple[int, ...]
) -> tuple[Conditions, Tensor]:
    """Return the conditions of a reference, and its chroma on the canvas of the working size."""
    encoded = EncodedPhotograph.of(model, reference.photograph, sizes)
    return model.condition(encoded.lightness), encoded.canvas.chroma(reference.ab).to(encoded.lightness)


def thing_at(encoded: EncodedPhotograph, place: tuple[float, float]) -> Tensor:
    """Return the mask of the thing at a place of a photograph, 0 to 1, ``(height / 4, width / 4)`` of the canvas.

    Args:
        encoded: the photograph.
        place: ``x, y`` in pixels of the full-size photograph.

    Raises:
        CinnError: if the place is outside the photograph.
    """
    (x, y), (height, width) = place, encoded.photograph.full_size
    if not (0 <= x < width and 0 <= y < height):
        raise CinnError(
            "The thing at {x:g},{y:g} is outside the picture of {width} x {height} pixels: count from 0,0 at the top "
            "left.",
            x=x,
            y=y,
            width=width,
            height=height,
        )
    things = encoded.conditions.segments.things()[0]
    rows, columns = encoded.canvas.content_size
    return things[things[:, int(y / height * rows), int(x / width * columns)].argmax()]


def keep_region(encoded: EncodedPhotograph, ab: Tensor, region: Region) -> Tensor:
    """Put a region of another colouring into samples, fading into them at its border.

    Args:
        encoded, ab: as for :func:`meet_hints`.
        region: of this photograph.

    Returns:
        Chroma of the samples' shape.

    Raises:
        CinnError: if the region is of another photograph, or leaves nothing to draw.
    """
    photograph, canvas = encoded.photograph, encoded.canvas
    region.check(photograph.size, canvas.content_size)
    weight = canvas.extend(fading_region(region.mask, photograph, canvas.content_size)[None]).to(ab)
    return ab + weight * (canvas.extend(region.ab[None]).to(ab) - ab)


def fading_region(mask: np.ndarray, photograph: Photograph, content_size: tuple[int, int]) -> Tensor:
    """Compute the weight of a kept region: 1 inside, falling with the geodesic distance outside.

    A thing that the mask cuts through is kept up to its edges, so that no seam shows.

    Args:
        mask: true in the region, ``(height, width)`` of the photograph.
        photograph: whose edges count.
        content_size: height and width of its chroma.

    Returns:
        0 to 1, ``(1, *content_size)``. It is 1 in each cell that touches the region, and in their neighbours, since the
        finished picture blends the colours of neighbouring cells.
    """
    if not mask.any():
        return torch.zeros(1, *content_size)
    distances = photograph.geodesic_grid.distances([torch.from_numpy(np.stack(mask.nonzero()))], photograph.size)
    fading, _ = blend_by_distance(distances, torch.ones(1, 1), FADING_WIDTH)
    region = torch.from_numpy(mask.astype(np.float32))[None]
    inside = functional.max_pool2d(functional.adaptive_max_pool2d(region, content_size), 3, 1, 1)
    return torch.maximum(inside, functional.adaptive_avg_pool2d(fading, content_size))
