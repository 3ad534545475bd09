"""The schema of a colorizer's recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cinn_app.recipes import Clamp, Fraction, NotNegative, Positive, Recipe, Section, Temperature, Training

__all__ = [
    "ColorizationArchitecture",
    "ColorizationData",
    "ColorizationObjective",
    "ColorizationRecipe",
    "ColorizationSampling",
    "ColorizationSchedule",
]

#: One value per scale of the flow, strides 8, 16, 32 and 64.
PerScale = Annotated[list[Positive], Field(min_length=4, max_length=4)]


class ColorizationArchitecture(Section):
    """Sizes of the condition network and of the flow."""

    encoder: Literal["tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2"]
    pyramid_widths: Annotated[list[Positive], Field(min_length=5, max_length=5)]
    pyramid_blocks: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=5, max_length=5)]
    attention_layers: Positive
    condition_channels: PerScale
    couplings: PerScale
    subnet_widths: PerScale
    clamp: Clamp
    mixing_seed: int

    @model_validator(mode="after")
    def _heads_divide(self) -> "ColorizationArchitecture":
        if self.pyramid_widths[3] % 8:
            raise ValueError("the width at stride 32 (the fourth of pyramid_widths) must be divisible by 8 heads")
        return self


class ColorizationData(Section):
    """How training views are drawn from pictures."""

    size: Annotated[int, Field(gt=0, multiple_of=64)]
    views_sharp: Positive
    views_enlarged: Positive
    aged: Fraction
    held_out: Annotated[float, Field(gt=0, lt=0.5)]
    seed: int


class ColorizationObjective(Section):
    """What is minimised: the flow's negative log-likelihood and the squared error of its mean.

    Attributes:
        noise: standard deviation of what is added to the normalised chroma.
        mean_weight: of the squared error.
        flow_share: of every batch, from which the flow learns; the mean learns from all of it.
    """

    noise: Annotated[float, Field(gt=0, le=1)]
    mean_weight: Annotated[float, Field(ge=0)]
    flow_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # checkpoints from before there was a choice


class ColorizationSchedule(Training):
    """Optimiser and schedule, and how fast the encoder goes along.

    Attributes:
        encoder_pace: of the learning rate, what the encoder's weights above its stem learn with; 0 freezes them.
    """

    encoder_pace: Fraction = 0.0  # checkpoints from before there was a choice


class ColorizationSampling(Section):
    """Defaults for those who use the model.

    Attributes:
        temperature: standard deviation of the latent per scale, strides 8, 16, 32 and 64.
        tint: standard deviation of what a whole picture's a and b have in common, in Lab units, at that temperature.
        cast: share of what a sample's colours have in common that is left before they are made vivid.
        vividness: factor of a pale sample's chroma: where several colours are plausible, their mean is paler than each.
        vividness_spread: standard deviation of the factor from sample to sample, as a share of it.
        chroma_limit: chroma in Lab units that is left as it is; the nearer to it, the less a colour gains.
    """

    temperature: Annotated[list[Temperature], Field(min_length=4, max_length=4)]
    tint: Annotated[list[NotNegative], Field(min_length=2, max_length=2)] = Field(
        [0.0, 0.0]
    )  # of older checkpoints, too
    cast: Fraction = 1.0
    vividness: Annotated[float, Field(gt=0, le=3)] = 1.0
    vividness_spread: Fraction = 0.0
    chroma_limit: Annotated[float, Field(gt=0)] = 100.0

    @model_validator(mode="before")
    @classmethod
    def _without_coherence(cls, given: Any) -> Any:
        """Read checkpoints from before the tint, whose coarsest latent had something in common instead."""
        return {key: value for key, value in given.items() if key != "coherence"} if isinstance(given, dict) else given


class ColorizationRecipe(Recipe):
    """A colorizer, whole."""

    system: Literal["colorization"]
    training: ColorizationSchedule
    architecture: ColorizationArchitecture
    data: ColorizationData
    objective: ColorizationObjective
    sampling: ColorizationSampling
