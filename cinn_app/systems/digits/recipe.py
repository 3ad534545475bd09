"""The schema of the digits' recipe."""

from typing import Annotated, Literal

from pydantic import Field

from cinn_app.recipes import Clamp, Positive, Recipe, Section, Temperature

__all__ = ["DigitsArchitecture", "DigitsData", "DigitsObjective", "DigitsRecipe", "DigitsSampling"]

#: Values for two of the digits' three bands.
PerDigitBand = Annotated[list[Positive], Field(min_length=2, max_length=2)]


class DigitsArchitecture(Section):
    """Sizes of the class-conditional flow on pictures of 28x28 pixels.

    Attributes:
        margin: what is left free below black and above white before the logit.
        label_channels: of the map that each label is embedded in.
        feature_width: channels of the networks that read the coarser image for the details.
        feature_blocks: their residual blocks.
        couplings: splines with convolutional subnets, of the details at full and at half resolution.
        subnet_widths: hidden channels of these subnets, likewise.
        dense_couplings: affine, with subnets that see all values at once, of the details at half resolution and of the
            digit as a whole.
        dense_width: hidden values of these subnets.
        dropout: share of them that training leaves out.
        context_width: of the summary of the condition that each of them reads.
        bins: of the splines.
        bound: of the splines; beyond it they are the identity.
        clamp: of the splines' log-scales.
        mixing_seed: of the random orthogonal matrices.
    """

    margin: Annotated[float, Field(gt=0, lt=0.5)]
    label_channels: Positive
    feature_width: Positive
    feature_blocks: Positive
    couplings: PerDigitBand
    subnet_widths: PerDigitBand
    dense_couplings: PerDigitBand
    dense_width: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
    context_width: Positive
    bins: Annotated[int, Field(ge=2, le=64)]
    bound: Annotated[float, Field(gt=0)]
    clamp: Clamp
    mixing_seed: int


class DigitsData(Section):
    """How many of the training pictures are watched instead of learnt from."""

    held_out: Positive


class DigitsObjective(Section):
    """How the likelihood is maximised.

    Attributes:
        fine_share: of every batch, from which the scale of the details at full resolution learns.
    """

    fine_share: Annotated[float, Field(gt=0, le=1)]


class DigitsSampling(Section):
    """Defaults for those who use the model: the standard deviation of the latent."""

    temperature: Temperature


class DigitsRecipe(Recipe):
    """A generator of handwritten digits, whole."""

    system: Literal["digits"]
    architecture: DigitsArchitecture
    data: DigitsData
    objective: DigitsObjective
    sampling: DigitsSampling
