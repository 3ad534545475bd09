"""The schema of a colorizer's recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cinn_app.limits import MAX_TEMPERATURE
from cinn_app.recipes import Clamp, Fraction, Positive, Recipe, Section, Training

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
    """How training views are cut from pictures."""

    size: Annotated[int, Field(gt=0, multiple_of=64)]
    views_sharp: Positive
    views_enlarged: Positive
    aged: Fraction
    held_out: Annotated[float, Field(gt=0, lt=0.5)]
    seed: int


class ColorizationObjective(Section):
    """The training objective: the negative log-likelihood of the flow and the squared error of the mean.

    Attributes:
        noise: standard deviation of the noise that is added to the normalised chroma.
        mean_weight: of the squared error.
        flow_share: share of every batch that the flow learns from; the mean learns from all of it.
    """

    noise: Annotated[float, Field(gt=0, le=1)]
    mean_weight: Annotated[float, Field(ge=0)]
    flow_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # the default is for checkpoints that have no such key


class ColorizationSchedule(Training):
    """Optimiser and schedule, and the pace of the encoder.

    Attributes:
        encoder_pace: factor of the learning rate for the encoder's weights above its stem; 0 freezes them.
    """

    encoder_pace: Fraction = 0.0  # the default is for checkpoints that have no such key


class ColorizationSampling(Section):
    r"""Defaults of sampling.

    Attributes:
        temperature: standard deviation of the latent per scale, strides 8, 16, 32 and 64.
        tint: standard deviation of a whole picture's tint in a and b, in Lab units, at that temperature.
        cast: share of a sample's mean chroma that is left before the colours are made vivid.
        vividness: factor of a pale sample's chroma: the mean of plausible colours is paler than each of them.
        vividness_spread: standard deviation of that factor between samples, as a share of it; below :math:`1/\sqrt 3`,
            so that the factor of every sample is positive.
        chroma_limit: chroma in Lab units that stays as it is; the nearer to it, the less a colour gains.
    """

    temperature: Annotated[
        list[Annotated[float, Field(ge=0.01, le=MAX_TEMPERATURE)]], Field(min_length=4, max_length=4)
    ]
    tint: Annotated[list[Annotated[float, Field(ge=0, le=100)]], Field(min_length=2, max_length=2)] = Field([0.0, 0.0])
    cast: Fraction = 1.0
    vividness: Annotated[float, Field(ge=0.1, le=3)] = 1.0
    vividness_spread: Annotated[float, Field(ge=0, le=0.57)] = 0.0
    chroma_limit: Annotated[float, Field(ge=1, le=1000)] = 100.0

    @model_validator(mode="before")
    @classmethod
    def _without_coherence(cls, given: Any) -> Any:
        """Drop a key that only the first checkpoints have, which the tint has replaced."""
        return {key: value for key, value in given.items() if key != "coherence"} if isinstance(given, dict) else given


class ColorizationRecipe(Recipe):
    """The recipe of a colorizer."""

    system: Literal["colorization"]
    training: ColorizationSchedule
    architecture: ColorizationArchitecture
    data: ColorizationData
    objective: ColorizationObjective
    sampling: ColorizationSampling
