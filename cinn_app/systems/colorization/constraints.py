"""Bending samples towards what a user wishes, with what the model holds for probable in mind."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph, blend_by_distance, geodesic_distances
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.model import TARGET_STRIDE, ColorizationModel, Conditions
from cinn_app.systems.colorization.reference import Palette
from cinn_app.systems.colorization.steering import Region

__all__ = ["fading_region", "keep_region", "meet_hints", "meet_palette", "search_latents"]

#: A wanted colour is held to within so many Lab units, at each place of its own.
TOLERANCE = 3.0
#: A palette counts as so many places, held to within so many Lab units.
PALETTE_PLACES, PALETTE_TOLERANCE = 150, 4.0
#: The distance at which a region that stays has faded to 1/e.
FADING_WIDTH = 0.3
#: How much farther than a hint itself the model's answer to it counts.
ANSWER_WIDTH = 1.25


@torch.inference_mode(False)
def meet_hints(model: ColorizationModel, encoded: EncodedPhotograph, ab: Tensor, hints: Hints) -> Tensor:
    """Bend samples so that hinted things have the hinted colours, up to their edges.

    First the most probable latents that agree are searched. What they change is taken over around the hints, as far as
    the edges of the lightness let it reach: the flow's wavelets know nothing of things, and left alone would lay a cast
    over a quarter of the picture. What is then missing of the hinted colours is put in their own, narrower reach, and
    the last of it, pixel by pixel, in the finished picture (:func:`cinn_app.imaging.put_colours`).

    Args:
        model: whose flow is searched.
        encoded: the photograph, for ``batch`` colourings.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)``.
        hints: of this photograph.

    Returns:
        Chroma of the samples' shape.
    """
    photograph = encoded.photograph
    distances = geodesic_distances(photograph.lightness, hints.places(photograph.size))
    near, wanted = blend_by_distance(distances, hints.ab)
    around, _ = blend_by_distance(distances, hints.ab, ANSWER_WIDTH)
    weight, total, answering = (
        encoded.canvas.extend(functional.adaptive_avg_pool2d(part, encoded.canvas.content_size)[None]).to(ab)
        for part in (near, near * wanted, around)
    )
    wanted = total / weight.clamp(min=1e-6)
    found = search_latents(model, encoded.conditions, ab, lambda drawn: _misfit(drawn, wanted, weight))
    bent = ab + answering * (found - ab)
    return bent + weight * (wanted - bent)


@torch.inference_mode(False)
def meet_palette(model: ColorizationModel, encoded: EncodedPhotograph, ab: Tensor, palette: Palette) -> Tensor:
    """Bend samples towards the colours of another picture.

    Only the coarsest latent moves, by one step for all its places, and no farther than is probable: so a photograph
    takes on the other one's mood, but the sky stays bluer than the grass below it.

    Args:
        model, encoded, ab: as for :func:`meet_hints`.
        palette: the other picture's.

    Returns:
        Chroma of the samples' shape.
    """
    lightness = functional.avg_pool2d(encoded.lightness, TARGET_STRIDE)[0]
    weight = PALETTE_PLACES / (2 * PALETTE_TOLERANCE**2)
    return search_latents(
        model, encoded.conditions, ab, lambda drawn: weight * palette.distance(drawn, lightness), common=True
    )


def keep_region(encoded: EncodedPhotograph, ab: Tensor, region: Region) -> Tensor:
    """Put what is kept of a colouring into samples, and let it fade into them where it ends.

    Args:
        encoded, ab: as for :func:`meet_hints`.
        region: of this photograph.

    Raises:
        CinnError: if it is of another one, or leaves nothing to draw.
    """
    photograph, canvas = encoded.photograph, encoded.canvas
    region.check(photograph.size, canvas.content_size)
    staying = canvas.extend(fading_region(region.mask, photograph, canvas.content_size)[None]).to(ab)
    return ab + staying * (canvas.extend(region.ab[None]).to(ab) - ab)


def fading_region(keep: np.ndarray, photograph: Photograph, field: Sequence[int]) -> Tensor:
    """Say how much of a colouring stays where, if a region of it is to: all there, and beyond it less and less.

    What a mask cuts through goes on up to its edges, so that no seam shows.

    Args:
        keep: true in the region, ``(height, width)`` of the photograph.
        photograph: at full resolution.
        field: height and width of its chroma.

    Returns:
        0 to 1, ``(1, *field)``; 1 wherever a cell or a neighbour of it touches the region, since the finished picture's
        colours are blended of several cells.
    """
    region = torch.from_numpy(keep.astype(np.float32))[None]
    if not keep.any():
        return torch.zeros(1, *field)
    distances = geodesic_distances(photograph.lightness, [torch.from_numpy(np.stack(keep.nonzero()))])
    fading, _ = blend_by_distance(distances, torch.ones(1, 1), FADING_WIDTH)
    size = field[0], field[1]
    inside = functional.max_pool2d(functional.adaptive_max_pool2d(region, size), 3, 1, 1)
    return torch.maximum(inside, functional.adaptive_avg_pool2d(fading, size))


def _misfit(ab: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return minus the log-likelihood of wanted colours, up to a constant, ``(batch,)``."""
    return (weight * ((ab - wanted) / TOLERANCE).square()).sum((1, 2, 3)) / 2


#: Steps of Adam, and how far the first one goes in each latent value; steps get shorter towards the end.
STEPS, STEP_SIZE = 16, 0.18
#: Colourings that are searched at once.
BATCH = 8


def search_latents(
    model: ColorizationModel,
    conditions: Conditions,
    ab: Tensor,
    cost: Callable[[Tensor], Tensor],
    common: bool = False,
) -> Tensor:
    """Find the most probable chroma near each sample that agrees with a wish.

    Args:
        model: whose flow is searched; its weights stay as they are.
        conditions: of the photograph, ``batch`` times.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)``.
        cost: how far each chroma of a batch is from the wish, in nats, ``(batch,)``; its own tensors must not be made
            in inference mode.
        common: take one step for all places of the coarsest latent alike, and leave the other scales as they are.

    Returns:
        Chroma of the samples' shape.
    """
    # Tensors made in inference mode cannot take part in gradients, but their copies made outside of it can.
    with torch.inference_mode(False):
        found = []
        for part in torch.arange(len(ab), device=ab.device).split(BATCH):
            one = Conditions(conditions.mean[part].clone(), tuple(c[part].clone() for c in conditions.scales))
            found.append(_search(model, one, ab[part].clone(), cost, common))
        return torch.cat(found)


def _search(
    model: ColorizationModel,
    conditions: Conditions,
    ab: Tensor,
    cost: Callable[[Tensor], Tensor],
    common: bool,
) -> Tensor:
    with torch.no_grad():
        start, _ = model.encode(ab, conditions)
    steps = [torch.zeros_like(start[-1][..., :1, :1])] if common else [torch.zeros_like(z) for z in start]
    still, moving = start[: -len(steps)], start[-len(steps) :]
    optimizer = torch.optim.Adam([step.requires_grad_() for step in steps], STEP_SIZE)
    shorten = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / STEPS) ** 0.5)

    def decoded() -> Tensor:
        moved = (z + step for z, step in zip(moving, steps, strict=True))
        return model.decode([*still, *moved], conditions)[0]

    with torch.enable_grad():
        for _ in range(STEPS):
            away = sum(step.expand_as(z).square().sum() for z, step in zip(moving, steps, strict=True))
            total = cost(decoded()).sum() + away / 2
            for step, gradient in zip(steps, torch.autograd.grad(total, steps), strict=True):
                step.grad = gradient
            optimizer.step()
            shorten.step()
    with torch.no_grad():
        return decoded()
