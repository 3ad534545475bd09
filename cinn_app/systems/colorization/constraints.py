r"""Making samples meet constraints: hints, the colours of a reference, and a region that is kept.

Hints and references search the latent space for the most probable colouring that meets them. From the latent
:math:`z_0` of a sample, gradient steps through the flow's inverse lead to

.. math:: z^* = \arg\min_z \tfrac12 \lVert z - z_0 \rVert^2 + \mathrm{cost}(ab(z))

This maximises :math:`\log N(z; 0, 1)` under the constraint, starting from a draw. For a linear decoder, a quadratic
cost and :math:`z_0 \sim N(0, 1)` it draws exactly from the posterior of the latents (randomise, then optimise: Bardsley
et al. 2014), so different seeds stay different colourings.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph, blend_by_distance
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.model import TARGET_STRIDE, ColorizationModel, Conditions
from cinn_app.systems.colorization.reference import Palette
from cinn_app.systems.colorization.region import Region

__all__ = ["fading_region", "keep_region", "meet_hints", "meet_palette", "search_latents"]

#: Standard deviation in Lab units to which a wanted colour is met, at each place.
TOLERANCE = 3.0
#: A palette counts as this many places, each met to this standard deviation in Lab units.
PALETTE_PLACES, PALETTE_TOLERANCE = 150, 4.0
#: The geodesic distance at which a kept region has faded to 1/e.
FADING_WIDTH = 0.3
#: The model's answer to a hint reaches farther than the hint itself, by this factor.
ANSWER_WIDTH = 1.25
#: Steps of Adam, and the size of the first one in each latent value; the size decays towards the end.
STEPS, STEP_SIZE = 16, 0.18
#: Colourings that are searched at once.
BATCH = 8


@torch.inference_mode(False)
def meet_hints(model: ColorizationModel, encoded: EncodedPhotograph, ab: Tensor, hints: Hints) -> Tensor:
    """Change samples so that hinted things have the hinted colours, up to their edges.

    1. The search finds the most probable latents that meet the hints.
    2. Its changes are applied around the hints, as far as the edges of the lightness let them reach. Alone, the flow
       would tint a quarter of the picture, since its wavelets do not follow the things in it.
    3. The rest of the hinted colours is added within their own, narrower reach. The finished picture corrects what is
       then missing, pixel by pixel (:func:`cinn_app.imaging.put_colours`).

    Args:
        model: whose flow is searched.
        encoded: the photograph.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)`` of the canvas.
        hints: laid on this photograph.

    Returns:
        Chroma of the samples' shape.
    """
    canvas, distances = encoded.canvas, hints.distances(encoded.photograph.geodesic_grid)
    near, wanted = blend_by_distance(distances, hints.ab)
    around, _ = blend_by_distance(distances, hints.ab, ANSWER_WIDTH)
    weight, total, answering = (
        canvas.extend(functional.adaptive_avg_pool2d(part, canvas.content_size)[None]).to(ab)
        for part in (near, near * wanted, around)
    )
    wanted = total / weight.clamp(min=1e-6)
    found = search_latents(model, encoded.conditions, ab, lambda drawn: _misfit(drawn, wanted, weight))
    changed = ab + answering * (found - ab)
    return changed + weight * (wanted - changed)


@torch.inference_mode(False)
def meet_palette(model: ColorizationModel, encoded: EncodedPhotograph, ab: Tensor, palette: Palette) -> Tensor:
    """Move samples towards the colours of another picture.

    Only the coarsest latent moves, by one step common to all its positions, and no farther than is probable. So a
    photograph takes on the mood of the other picture, but its sky stays bluer than the grass below it.

    Args:
        model, encoded, ab: as for :func:`meet_hints`.
        palette: of the other picture.

    Returns:
        Chroma of the samples' shape.
    """
    lightness = functional.avg_pool2d(encoded.lightness, TARGET_STRIDE)[0]
    weight = PALETTE_PLACES / (2 * PALETTE_TOLERANCE**2)
    return search_latents(
        model, encoded.conditions, ab, lambda drawn: weight * palette.distance(drawn, lightness), common=True
    )


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


def search_latents(
    model: ColorizationModel,
    conditions: Conditions,
    ab: Tensor,
    cost: Callable[[Tensor], Tensor],
    common: bool = False,
) -> Tensor:
    """Find the most probable chroma near each sample that meets a constraint.

    Args:
        model: whose flow is searched; its weights do not change.
        conditions: of the photograph.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)``.
        cost: maps a batch of chroma to minus the log-likelihood of the constraint, in nats, ``(batch,)``. Tensors that
            it uses must not be made in inference mode.
        common: move only the coarsest latent, by one step for all its positions.

    Returns:
        Chroma of the samples' shape.
    """
    # Autograd refuses tensors made in inference mode, but not copies that are made outside of it.
    with torch.inference_mode(False):
        conditions = Conditions(conditions.mean.clone(), tuple(scale.clone() for scale in conditions.scales))
        return torch.cat([_search(model, conditions, part.clone(), cost, common) for part in ab.split(BATCH)])


def _search(
    model: ColorizationModel, conditions: Conditions, ab: Tensor, cost: Callable[[Tensor], Tensor], common: bool
) -> Tensor:
    with torch.no_grad():
        start, _ = model.encode(ab, conditions)
    steps = [torch.zeros_like(start[-1][..., :1, :1])] if common else [torch.zeros_like(z) for z in start]
    fixed, moving = start[: -len(steps)], start[-len(steps) :]
    optimizer = torch.optim.Adam([step.requires_grad_() for step in steps], STEP_SIZE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / STEPS) ** 0.5)

    def decoded() -> Tensor:
        moved = (z + step for z, step in zip(moving, steps, strict=True))
        return model.decode([*fixed, *moved], conditions)[0]

    with torch.enable_grad():
        for _ in range(STEPS):
            prior = sum(step.expand_as(z).square().sum() for z, step in zip(moving, steps, strict=True)) / 2
            total = cost(decoded()).sum() + prior
            for step, gradient in zip(steps, torch.autograd.grad(total, steps), strict=True):
                step.grad = gradient
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return decoded()


def _misfit(ab: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return minus the log-likelihood of wanted colours, up to a constant, ``(batch,)``."""
    return (weight * ((ab - wanted) / TOLERANCE).square()).sum((1, 2, 3)) / 2
