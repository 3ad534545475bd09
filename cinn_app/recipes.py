"""What every recipe has: a name, a system, a schedule. The rest of its schema belongs to the system.

A recipe is a TOML file that describes a model completely: architecture, data, objective, schedule. :func:`load_recipe`
reads and checks one, and reports all problems together, each with its key, its value and the expected values.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cinn_app.errors import RecipeError
from cinn_app.registry import systems

__all__ = [
    "Clamp",
    "Fraction",
    "NotNegative",
    "Positive",
    "Recipe",
    "Section",
    "Temperature",
    "Training",
    "load_recipe",
    "parse_recipe",
]

Positive: TypeAlias = Annotated[int, Field(gt=0)]
Fraction: TypeAlias = Annotated[float, Field(ge=0, le=1)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0)]
Temperature: TypeAlias = Annotated[float, Field(gt=0, le=2)]
#: The largest log-scale of a coupling.
Clamp: TypeAlias = Annotated[float, Field(gt=0, le=5)]


class Section(BaseModel):
    """A table of a recipe, immutable; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Training(Section):
    """Optimiser and schedule."""

    steps: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    gradient_clip: Annotated[float, Field(gt=0)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    seed: int


class Recipe(Section):
    """The part that all recipes share; a system's recipe adds its sections, and narrows `system` to a literal."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    system: str
    description: str
    licence: str
    training: Training


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: if the file is missing, is not TOML, or has unknown keys, wrong values or sizes that do not fit.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(
            "There is no recipe at {path}: give a file such as models/colorize.toml.", path=path
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "it is no text")
        raise RecipeError(
            "The recipe {path} cannot be read ({reason}): give a readable TOML file.", path=path, reason=reason
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(
            "The recipe {path} is not valid TOML ({error}): correct that line.", path=path, error=error
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
            "The recipe {origin} needs correction: system is {system!r}, but should be {known}.",
            origin=origin,
            system=system,
            known=" or ".join(f"'{name}'" for name in systems()),
        )
    schema: type[Recipe] = systems()[system].load("recipe")
    try:
        return schema.model_validate(content, context={"origin": origin})
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors())
        raise RecipeError(
            "The recipe {origin} needs correction: {problems}.", origin=origin, problems=problems
        ) from None


def _explain(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "the recipe"
    match problem["type"]:
        case "extra_forbidden":
            return f"{key} is not a known key, remove it or correct its spelling"
        case "missing":
            return f"{key} is missing, add it"
        case _:
            expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input ").partition(", unable")[0]
            return f"{key} is {problem['input']!r}, but {expected[0].lower()}{expected[1:]}"
