"""What every recipe has: a name, a system, a schedule. The rest of its schema belongs to the system.

A recipe is a TOML file that describes a model completely: architecture, data, objective, schedule. :func:`load_recipe`
reads and checks one, and reports all problems together, each with its key, its value and the expected values.
"""

import reprlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cinn_app.errors import RecipeError
from cinn_app.files import NO_TEXT, read_text
from cinn_app.limits import MAX_SEED
from cinn_app.registry import systems

__all__ = [
    "Clamp",
    "Depth",
    "Fraction",
    "NotNegative",
    "Positive",
    "Recipe",
    "Section",
    "Seed",
    "Temperature",
    "Text",
    "Training",
    "Width",
    "load_recipe",
    "parse_recipe",
]

# Errors name so many problems.
MAX_PROBLEMS = 50
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


def _without_controls(text: str) -> str:
    if not all(letter.isprintable() or letter == "\N{NO-BREAK SPACE}" for letter in text):
        raise ValueError("should have no control characters")
    return text


# Everything has an upper bound: recipes come from strangers, too.
Positive: TypeAlias = Annotated[int, Field(gt=0, le=10**9)]
#: Channels, or values of a layer.
Width: TypeAlias = Annotated[int, Field(gt=0, le=8192)]
#: Layers or blocks.
Depth: TypeAlias = Annotated[int, Field(gt=0, le=256)]
Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0, le=1e6)]
Seed: TypeAlias = Annotated[int, Field(ge=0, le=MAX_SEED)]
Temperature: TypeAlias = Annotated[float, Field(gt=0, le=2)]
#: A line that reports show.
Text: TypeAlias = Annotated[str, Field(max_length=500), AfterValidator(_without_controls)]
#: The largest log-scale of a coupling.
Clamp: TypeAlias = Annotated[float, Field(gt=0, le=5)]


class Section(BaseModel):
    """A table of a recipe, immutable; unknown keys, infinite numbers and NaN are refused.

    Nothing is converted but whole numbers to floats: booleans and texts are no numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Training(Section):
    """Optimiser and schedule."""

    steps: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: NotNegative
    warmup_steps: Annotated[int, Field(ge=0, le=10**9)]
    gradient_clip: Annotated[float, Field(gt=0, le=1e6)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    seed: Seed


class Recipe(Section):
    """The part that all recipes share; a system's recipe adds its sections, and narrows `system` to a literal."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    system: str
    description: Text
    licence: Text
    training: Training


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: if the file is missing, is not TOML, or has unknown keys, wrong values or sizes that do not fit.
    """
    try:
        content = tomllib.loads(read_text(path))
    except FileNotFoundError:
        raise RecipeError(
            "There is no recipe at {path}: give a file such as models/colorize.toml.", path=path
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", NO_TEXT)
        raise RecipeError(
            "The recipe {path} cannot be read ({reason}): give a readable TOML file.", path=path, reason=reason
        ) from error
    except (ValueError, RecursionError) as error:  # beside TOML's own, numbers of too many digits, or too deep lists
        reason = str(error).replace("\n", " ")
        raise RecipeError(
            "The recipe {path} is not valid TOML ({reason}): correct that line.", path=path, reason=reason
        ) from error
    return parse_recipe(content, str(path))


def parse_recipe(content: Any, origin: str) -> Recipe:
    """Check the content of a recipe.

    Args:
        content: nested dictionaries, as TOML gives them.
        origin: of the recipe, for errors.

    Raises:
        RecipeError: with all problems.
    """
    system = content.get("system") if isinstance(content, dict) else None
    if not isinstance(system, str) or system not in systems():
        raise RecipeError(
            "The recipe {origin} needs correction: system is {system}, but should be {known}.",
            origin=origin,
            system=_short(system),
            known=" or ".join(f"'{name}'" for name in systems()),
        )
    schema: type[Recipe] = systems()[system].load("recipe")
    try:
        return schema.model_validate(content, context={"origin": origin})
    except ValidationError as error:
        found = [_explain(problem) for problem in error.errors()]
        problems = "; ".join([*found[:MAX_PROBLEMS], *(["and more"] if len(found) > MAX_PROBLEMS else [])])
        raise RecipeError(
            "The recipe {origin} needs correction: {problems}.", origin=origin, problems=problems
        ) from None


def _short(value: Any) -> str:
    """Write a value that somebody else chose: in one line, and not too long."""
    return _SHORT.repr(value)


def _explain(problem: Any) -> str:
    key = _short(".".join(str(part) for part in problem["loc"]))[1:-1] or "the recipe"
    match problem["type"]:
        case "extra_forbidden":
            return f"{key} is not a known key, remove it or correct its spelling"
        case "missing":
            return f"{key} is missing, add it"
        case "union_tag_not_found":
            return f"{key}.kind is missing, add it"
        case "union_tag_invalid":
            return f"{key}.kind is {_short(problem['ctx']['tag'])}, but should be {problem['ctx']['expected_tags']}"
        case _:
            expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input ").partition(", unable")[0]
            return f"{key} is {_short(problem['input'])}, but {expected[0].lower()}{expected[1:]}"
