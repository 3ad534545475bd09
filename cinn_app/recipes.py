"""What makes a model, in one TOML file: architecture, data, objective, schedule.

`load_recipe` reads and checks such a file. All problems are reported together, each with its key, the value given
and what was expected.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cinn_app.errors import RecipeError

__all__ = [
    "ColorizationArchitecture",
    "ColorizationData",
    "ColorizationObjective",
    "ColorizationRecipe",
    "ColorizationSampling",
    "ColorizationSchedule",
    "DigitsArchitecture",
    "DigitsData",
    "DigitsObjective",
    "DigitsRecipe",
    "DigitsSampling",
    "Recipe",
    "Training",
    "load_recipe",
    "parse_recipe",
]

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Temperature = Annotated[float, Field(gt=0, le=2)]
Clamp = Annotated[float, Field(gt=0, le=5)]
#: One value per scale of the flow, strides 8, 16, 32 and 64.
PerScale = Annotated[list[Positive], Field(min_length=4, max_length=4)]
#: Values for two of the digits' three bands.
PerDigitBand = Annotated[list[Positive], Field(min_length=2, max_length=2)]


class _Section(BaseModel):
    """A table of the recipe: unknown keys are refused, values are not changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ColorizationArchitecture(_Section):
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


class ColorizationData(_Section):
    """How training views are drawn from pictures."""

    size: Annotated[int, Field(gt=0, multiple_of=64)]
    views_sharp: Positive
    views_enlarged: Positive
    aged: Fraction
    held_out: Annotated[float, Field(gt=0, lt=0.5)]
    seed: int


class ColorizationObjective(_Section):
    """What is minimised: the flow's negative log-likelihood and the squared error of its mean.

    Attributes:
        noise: standard deviation of what is added to the normalised chroma.
        mean_weight: of the squared error.
        flow_share: of every batch, from which the flow learns; the mean learns from all of it.
    """

    noise: Annotated[float, Field(gt=0, le=1)]
    mean_weight: Annotated[float, Field(ge=0)]
    flow_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # checkpoints from before there was a choice


class Training(_Section):
    """Optimiser and schedule."""

    steps: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    gradient_clip: Annotated[float, Field(gt=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    seed: int


class ColorizationSchedule(Training):
    """Optimiser and schedule, and how fast the encoder goes along.

    Attributes:
        encoder_pace: of the learning rate, what the encoder's weights above its stem learn with; 0 freezes them.
    """

    encoder_pace: Fraction = 0.0  # checkpoints from before there was a choice


class ColorizationSampling(_Section):
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
    tint: Annotated[list[NotNegative], Field(min_length=2, max_length=2)] = [0.0, 0.0]  # of older checkpoints, too
    cast: Fraction = 1.0
    vividness: Annotated[float, Field(gt=0, le=3)] = 1.0
    vividness_spread: Fraction = 0.0
    chroma_limit: Annotated[float, Field(gt=0)] = 100.0

    @model_validator(mode="before")
    @classmethod
    def _without_coherence(cls, given: Any) -> Any:
        """Read checkpoints from before the tint, whose coarsest latent had something in common instead."""
        return {key: value for key, value in given.items() if key != "coherence"} if isinstance(given, dict) else given


class DigitsArchitecture(_Section):
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


class DigitsData(_Section):
    """How many of the training pictures are watched instead of learnt from."""

    held_out: Positive


class DigitsObjective(_Section):
    """How the likelihood is maximised.

    Attributes:
        fine_share: of every batch, from which the scale of the details at full resolution learns.
    """

    fine_share: Annotated[float, Field(gt=0, le=1)]


class DigitsSampling(_Section):
    """Defaults for those who use the model: the standard deviation of the latent."""

    temperature: Temperature


class _Recipe(_Section):
    """What every recipe has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    description: str
    licence: str
    training: Training


class ColorizationRecipe(_Recipe):
    """A colorizer, whole."""

    system: Literal["colorization"]
    training: ColorizationSchedule
    architecture: ColorizationArchitecture
    data: ColorizationData
    objective: ColorizationObjective
    sampling: ColorizationSampling


class DigitsRecipe(_Recipe):
    """A generator of handwritten digits, whole."""

    system: Literal["digits"]
    architecture: DigitsArchitecture
    data: DigitsData
    objective: DigitsObjective
    sampling: DigitsSampling


#: Any recipe; its `system` tells which.
Recipe: TypeAlias = ColorizationRecipe | DigitsRecipe
_RECIPES: dict[Any, type[ColorizationRecipe] | type[DigitsRecipe]] = {
    "colorization": ColorizationRecipe,
    "digits": DigitsRecipe,
}


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: if the file is missing, is not TOML, or has unknown keys, wrong values or sizes that do not fit.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"There is no recipe at {path}: the shipped ones are in the folder models/.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read ({error}): give a readable TOML file.") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"The recipe {path} is not valid TOML ({error}): mend that line.") from error
    return parse_recipe(content, str(path))


def parse_recipe(content: Any, origin: str) -> Recipe:
    """Check a recipe that has been read already.

    Args:
        content: the recipe as nested dictionaries.
        origin: where it comes from, for the error.

    Raises:
        RecipeError: listing every problem.
    """
    system = content.get("system") if isinstance(content, dict) else None
    if not isinstance(system, str) or system not in _RECIPES:
        known = " or ".join(f"'{name}'" for name in _RECIPES)
        raise RecipeError(f"The recipe {origin} needs mending: system is {system!r}, but should be {known}.")
    try:
        return _RECIPES[system].model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors())
        raise RecipeError(f"The recipe {origin} needs mending: {problems}.") from None


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "the recipe"
    match problem["type"]:
        case "extra_forbidden":
            return f"{key} is no known key, remove it or mend its spelling"
        case "missing":
            return f"{key} is missing, add it"
        case _:
            expected = problem["msg"].removeprefix("Value error, ")
            return f"{key} is {problem['input']!r}, but: {expected[0].lower()}{expected[1:]}"
