"""The schema of the digits' recipe."""

from typing import Annotated, Literal

from pydantic import Field

from cinn_app.recipes import Clamp, Depth, Positive, Recipe, Section, Seed, Temperature, Width

__all__ = ["DigitsArchitecture", "DigitsData", "DigitsObjective", "DigitsRecipe", "DigitsSampling"]

#: Values for two of the digits' three bands.
WidthPerBand = Annotated[list[Width], Field(min_length=2, max_length=2)]
DepthPerBand = Annotated[list[Depth], Field(min_length=2, max_length=2)]


class DigitsArchitecture(Section):
    """Sizes of the class-conditional flow on pictures of 28x28 pixels.

    Attributes:
        margin: distance of black and white from 0 and 1 before the logit.
        label_channels: channels of each label's embedding, a map of 7x7 positions.
        feature_width: channels of the networks that compute features of the condition for the details.
        feature_blocks: residual blocks of these networks.
        couplings: number of spline couplings with convolutional subnets, for the details at full and half resolution.
        subnet_widths: hidden channels of their subnets, for both resolutions.
        dense_couplings: number of affine couplings with fully connected subnets, for the details at half resolution
            and for the whole digit.
        dense_width: hidden values of their subnets.
        dropout: share of these values that training drops.
        context_width: size of the summary of the condition for these subnets.
        bins: of the splines.
        bound: of the splines; beyond it they are the identity.
        clamp: bound of the log-scales of the spline couplings.
        mixing_seed: of the random orthogonal matrices.
    """

    margin: Annotated[float, Field(gt=0, lt=0.5)]
    label_channels: Width
    feature_width: Width
    feature_blocks: Depth
    couplings: DepthPerBand
    subnet_widths: WidthPerBand
    dense_couplings: DepthPerBand
    dense_width: Width
    dropout: Annotated[float, Field(ge=0, lt=1)]
    context_width: Width
    bins: Annotated[int, Field(ge=2, le=64)]
    bound: Annotated[float, Field(gt=0, le=1000)]
    clamp: Clamp
    mixing_seed: Seed


class DigitsData(Section):
    """Number of training pictures that are held out."""

    held_out: Positive


class DigitsObjective(Section):
    """The maximum likelihood objective.

    Attributes:
        fine_share: share of every batch from which the scale of the details at full resolution learns.
    """

    fine_share: Annotated[float, Field(gt=0, le=1)]


class DigitsSampling(Section):
    """Default of sampling: the standard deviation of the latent."""

    temperature: Temperature


class DigitsRecipe(Recipe):
    """The recipe of a digit generator."""

    system: Literal["digits"]
    architecture: DigitsArchitecture
    data: DigitsData
    objective: DigitsObjective
    sampling: DigitsSampling
