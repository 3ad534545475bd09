"""Variants of our own model, each of them one change from the recipe, to be trained like the baselines.

A variant changes the recipe, or the model that was built from it; the product knows none of them.
"""

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn

from cinn_app.flows import AffineCoupling, Bijection, Chain, ConditionalAffine, HaarPyramid, OrthogonalMixing, Squeeze
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.recipe import ColorizationRecipe
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


class SqueezePyramid(HaarPyramid):
    """Every second pixel of every second row is the coarser image; the other three of a block are its details.

    This is the multi-scale architecture of RealNVP (arXiv 1605.08803), whose halves are the colours of a checkerboard.
    The conditions stay those of the recipe: only what the flow makes of its data is another.
    """

    def __init__(self, base: Bijection, details: Iterable[Bijection]) -> None:
        super().__init__(base, list(details))
        self.haar = Squeeze()  # in the place of the wavelets

    @staticmethod
    def _joined(condition: Tensor | None, low: Tensor, level: int) -> Tensor:
        """Join the condition and the coarser image, which no low-pass has doubled: it is in the units of the data."""
        return HaarPyramid._joined(condition, low * 2**level, level)


def whole(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Change nothing."""
    return Flow(encoder, recipe, ab)


def encoder_from_scratch(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the encoder begin with random weights, and all of it learn, as fast as everything else."""
    return Flow(UntrainedEncoder(encoder.name), altered(recipe, "training", encoder_pace=1.0), ab)


def frozen_encoder(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Leave the pretrained encoder as it is; the recipe's learns together with the flow."""
    return Flow(encoder, altered(recipe, "training", encoder_pace=0.0), ab)


def no_conditional_affine(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Take away what shifts and scales every band straight from the condition."""
    return rebuilt(whole(encoder, recipe, ab), lambda scale: without(scale, ConditionalAffine))


def squeeze_instead_of_haar(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Split the chroma into pixels instead of wavelets."""
    return rebuilt(whole(encoder, recipe, ab), list, SqueezePyramid)


def no_mixing(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Never mix channels: the couplings move one half and the other in turn, or else one half would never move."""
    flow = rebuilt(whole(encoder, recipe, ab), lambda scale: without(scale, OrthogonalMixing))
    for scale in scales_of(flow):
        for number, coupling in enumerate(member for member in scale if isinstance(member, AffineCoupling)):
            coupling.flip = number % 2 == 1  # both halves are as large, so that the subnet fits either
    return flow


def half_the_couplings(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the flow be half as deep at every scale."""
    couplings = [max(1, count // 2) for count in recipe.architecture.couplings]
    return Flow(encoder, altered(recipe, "architecture", couplings=couplings), ab)


def twice_the_couplings(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the flow be twice as deep at every scale."""
    couplings = [2 * count for count in recipe.architecture.couplings]
    return Flow(encoder, altered(recipe, "architecture", couplings=couplings), ab)


def flow_on_all_of_each_batch(encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> Flow:
    """Let the flow learn from every view, as the mean does, and not from a share of them."""
    return Flow(encoder, altered(recipe, "objective", flow_share=1.0), ab)


#: By the names of the table's rows.
VARIANTS: dict[str, Callable[[ImageEncoder, ColorizationRecipe, Tensor], Flow]] = {
    variant.__name__.replace("_", " ").replace("haar", "Haar"): variant
    for variant in (
        whole,
        encoder_from_scratch,
        frozen_encoder,
        no_conditional_affine,
        squeeze_instead_of_haar,
        no_mixing,
        half_the_couplings,
        twice_the_couplings,
        flow_on_all_of_each_batch,
    )
}


def altered(recipe: ColorizationRecipe, section: str, **values: Any) -> ColorizationRecipe:
    """Return the recipe with other values in one of its sections."""
    return recipe.model_copy(update={section: getattr(recipe, section).model_copy(update=values)})


def scales_of(flow: Flow) -> list[Chain]:
    """Return the flows of the bands, fine to coarse."""
    pyramid = flow.model.flow
    return [*pyramid.details, pyramid.base]


def rebuilt(
    flow: Flow,
    change: Callable[[Chain], Iterable[Bijection]],
    pyramid: Callable[[Bijection, list[Bijection]], HaarPyramid] = HaarPyramid,
) -> Flow:
    """Put other members in the place of every scale's, and perhaps another pyramid around them."""
    *details, base = [Chain(change(scale)) for scale in scales_of(flow)]
    flow.model.flow = pyramid(base, details)
    return flow


def without(scale: Chain, kind: type[Bijection]) -> list[Bijection]:
    """Return the members that are of another kind."""
    return [member for member in scale if not isinstance(member, kind)]
