"""Variants of our own model, each of them one change from the recipe, to be trained like the baselines.

A variant changes the recipe, or the model that was built from it; the product knows none of them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.flows import AffineCoupling, Bijection, Chain, ConditionalAffine, OrthogonalMixing, SpanPyramid
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.model import SIZE_MULTIPLE, TARGET_STRIDE
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from cinn_app.systems.colorization.segments import Segments, merge_clusters
from colorization.flow import Flow


class UntrainedEncoder(ImageEncoder):
    """The same architecture with random weights, all of which learn.

    Nothing is pretrained, so that nothing can be frozen or cached either: the stem and the spatial filters learn, too,
    and batch normalisation uses the batch's statistics in training, as it must in a net that begins from nothing.

    Args:
        name: the architecture's name in timm.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.requires_grad_(True)

    def train(self, mode: bool = True) -> "UntrainedEncoder":
        """Go into training mode as any net does."""
        nn.Module.train(self, mode)
        return self

    def forward(self, lightness: Tensor, stem_features: Tensor | None = None) -> tuple[Tensor, ...]:
        """Compute features as the pretrained one does, but pass over `stem_features`, which is of its stem."""
        return super().forward(lightness)


class Grid(nn.Module):
    """Square cells in place of segments, as many, merged by where they lie; nothing is learnt."""

    def forward(self, lightness: Tensor, *_: Any) -> Segments:
        """Cut photographs ``(batch, 1, height, width)`` into cells."""
        rows, columns = (side // SIZE_MULTIPLE for side in lightness.shape[2:])
        cells = torch.eye(rows * columns, device=lightness.device).unflatten(1, (rows, columns))
        masks = functional.interpolate(cells[None], scale_factor=SIZE_MULTIPLE // TARGET_STRIDE)
        masks = masks.expand(len(lightness), -1, -1, -1)
        places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).to(masks)
        places = places.expand(len(lightness), -1, -1)
        return Segments(masks, *merge_clusters(places, masks.sum((2, 3))))


def whole(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Change nothing."""
    return Flow(encoder, recipe, ab)


def encoder_from_scratch(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the encoder begin with random weights, and all of it learn, as fast as everything else."""
    return Flow(UntrainedEncoder(encoder.name), altered(recipe, "training", encoder_pace=1.0), ab)


def learning_encoder(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the pretrained encoder learn above its stem, at a quarter of the pace; the recipe's is frozen."""
    return Flow(encoder, altered(recipe, "training", encoder_pace=0.25), ab)


def grid_instead_of_segments(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the coarsest scale follow a grid, and not the things in the photograph."""
    flow = whole(encoder, recipe, ab)
    flow.model.segmenter = Grid()  # type: ignore[assignment]
    return flow


def no_conditional_affine(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Take away what shifts and scales the details straight from the condition."""
    return rebuilt(whole(encoder, recipe, ab), lambda scale: without(scale, ConditionalAffine))


def no_mixing(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Never mix channels: the couplings move one half and the other in turn, or else one half would never move."""
    flow = rebuilt(whole(encoder, recipe, ab), lambda scale: without(scale, OrthogonalMixing))
    for scale in details_of(flow):
        for number, coupling in enumerate(member for member in scale if isinstance(member, AffineCoupling)):
            coupling.flip = number % 2 == 1  # both halves are as large, so that the subnet fits either
    return flow


def half_the_couplings(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the flows of the details be half as deep."""
    couplings = [max(1, count // 2) for count in recipe.architecture.couplings]
    return Flow(encoder, altered(recipe, "architecture", couplings=couplings), ab)


def twice_the_couplings(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the flows of the details be twice as deep."""
    couplings = [2 * count for count in recipe.architecture.couplings]
    return Flow(encoder, altered(recipe, "architecture", couplings=couplings), ab)


def details_on_all_of_each_batch(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the flows of the details learn from every view, as the rest does, and not from a share of them."""
    return Flow(encoder, altered(recipe, "objective", details_share=1.0), ab)


#: By the names of the table's rows.
VARIANTS: dict[str, Callable[[ImageEncoder, ColorizationRecipe, Tensor], Flow]] = {
    variant.__name__.replace("_", " "): variant
    for variant in (
        whole,
        encoder_from_scratch,
        learning_encoder,
        grid_instead_of_segments,
        no_conditional_affine,
        no_mixing,
        half_the_couplings,
        twice_the_couplings,
        details_on_all_of_each_batch,
    )
}


def altered(recipe: ColorizationRecipe, section: str, **values: Any) -> ColorizationRecipe:
    """Return the recipe with other values in one of its sections."""
    return recipe.model_copy(update={section: getattr(recipe, section).model_copy(update=values)})


def details_of(flow: Flow) -> list[Chain]:
    """Return the flows of the details, fine to coarse."""
    return list(flow.model.flow.details)  # type: ignore[arg-type]


def rebuilt(flow: Flow, change: Callable[[Chain], Iterable[Bijection]]) -> Flow:
    """Put other members in the place of those of every scale of the details."""
    flow.model.flow = SpanPyramid(flow.model.flow.base, [Chain(change(scale)) for scale in details_of(flow)])
    return flow


def without(scale: Chain, kind: type[Bijection]) -> list[Bijection]:
    """Return the members that are of another kind."""
    return [member for member in scale if not isinstance(member, kind)]
