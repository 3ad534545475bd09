"""The schema of a colorizer's recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from cinn_app.errors import RecipeError
from cinn_app.limits import MAX_TEMPERATURE
from cinn_app.recipes import Clamp, Depth, Fraction, NotNegative, Positive, Recipe, Section, Seed, Training, Width

__all__ = [
    "ColorizationArchitecture",
    "ColorizationData",
    "ColorizationObjective",
    "ColorizationRecipe",
    "ColorizationSampling",
    "ColorizationSchedule",
]

#: One value per scale of the details, strides 8, 16 and 32.
WidthPerScale = Annotated[list[Width], Field(min_length=3, max_length=3)]
DepthPerScale = Annotated[list[Depth], Field(min_length=3, max_length=3)]


class ColorizationArchitecture(Section):
    """Sizes of the condition network and of the flow.

    Attributes:
        encoder: pretrained on ImageNet; it reads lightness.
        decoder_widths, decoder_blocks: channels and residual blocks of the decoder at strides 8, 16 and 32.
        attention_layers: of the decoder, at stride 32.
        dropout: share of features that training leaves out.
        condition_channels: of the details' flows at strides 8, 16 and 32.
        couplings, subnet_widths: of these flows.
        clamp: bound of their log-scales.
        mixing_seed: of their random orthogonal matrices.
        split_width, split_layers: of the transformer that describes the splits of the segments' tree.
        tree_layers: of the causal transformer in the flow over their colours.
    """

    encoder: Literal["tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2"]
    decoder_widths: WidthPerScale
    decoder_blocks: Annotated[list[Annotated[int, Field(ge=0, le=256)]], Field(min_length=3, max_length=3)]
    attention_layers: Depth
    dropout: Fraction
    condition_channels: WidthPerScale
    couplings: DepthPerScale
    subnet_widths: WidthPerScale
    clamp: Clamp
    mixing_seed: Seed
    split_width: Annotated[Width, Field(multiple_of=4)]
    split_layers: Depth
    tree_layers: Depth

    @model_validator(mode="after")
    def _heads_divide(self) -> "ColorizationArchitecture":
        if self.decoder_widths[2] % 8:
            raise ValueError("the width at stride 32 (the third of decoder_widths) must be divisible by 8 heads")
        return self


class ColorizationData(Section):
    """How training views are cut from pictures.

    Attributes:
        size: side of a view in pixels.
        fresh: whether every batch gets new views, from pictures in the device's memory. It suits a GPU; a CPU learns
            faster from a few views of each picture, whose features are cached.
        views_sharp: cached views of a picture of at least 0.6 of that size.
        views_enlarged: cached views of a smaller picture.
        aged: share of views with other levels, and of those with blur and grain.
        held_out: share of pictures held out from training.
        seed: of what is random.
    """

    size: Annotated[int, Field(gt=0, le=2048, multiple_of=32)]
    fresh: bool = False
    views_sharp: Positive = 2
    views_enlarged: Positive = 1
    aged: Fraction
    held_out: Annotated[float, Field(gt=0, lt=0.5)]
    seed: Seed


class ColorizationObjective(Section):
    """The training objective: the negative log-likelihood of the flow and the squared error of the mean.

    Attributes:
        noise: standard deviation of the noise that is added to the normalised chroma.
        mean_weight: of the squared error.
        details_share: share of every batch that the flows of the details learn from, which take most of the time.
    """

    noise: Annotated[float, Field(gt=0, le=1)]
    mean_weight: NotNegative
    details_share: Annotated[float, Field(gt=0, le=1)]


class ColorizationSchedule(Training):
    """Optimiser and schedule, and the pace of the encoder.

    Attributes:
        encoder_pace: factor of the learning rate for the encoder's weights above its stem; 0 freezes them.
    """

    encoder_pace: Fraction


class ColorizationSampling(Section):
    """Defaults of sampling.

    Attributes:
        temperature: how far samples depart from the mean, per scale: details at strides 8, 16 and 32, parts of things,
            things and the whole picture. At 1 they do as the trained density says; at 0 they are the mean.
        mean_scales: sizes at which the mean is predicted and averaged, as multiples of the size of training views.
    """

    temperature: Annotated[list[Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)]], Field(min_length=5, max_length=5)]
    mean_scales: list[Annotated[float, Field(ge=1, le=4)]] = Field(default=[1.5, 2.5], min_length=1, max_length=4)


class ColorizationRecipe(Recipe):
    """The recipe of a colorizer.

    Attributes:
        segment_training: of the flow of the segments' colours alone, after the training of everything; or none.
    """

    system: Literal["colorization"]
    training: ColorizationSchedule
    segment_training: Training | None = None
    architecture: ColorizationArchitecture
    data: ColorizationData
    objective: ColorizationObjective
    sampling: ColorizationSampling

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes in pixels at which the network sees a photograph: for the conditions, then those for the mean."""
        return tuple(round(scale * self.data.size) for scale in (1, *self.sampling.mean_scales))

    @model_validator(mode="before")
    @classmethod
    def _of_this_version(cls, given: Any, info: ValidationInfo) -> Any:
        if isinstance(given.get("architecture"), dict) and "pyramid_widths" in given["architecture"]:
            raise RecipeError(
                "The recipe {origin} is of version 0.1, which did not draw colours thing by thing: take the model that "
                "came with this program, or train one with models/colorize.toml.",
                origin=(info.context or {}).get("origin", ""),
            )
        return given
