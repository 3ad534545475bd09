"""Recipes: shipped ones build models, and every mistake is named with its key."""

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from cinn_app.errors import RecipeError
from cinn_app.recipes import load_recipe, parse_recipe
from cinn_app.registry import systems

SHIPPED = sorted((Path(__file__).parents[1] / "models").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipe_builds_a_model_that_may_ship(path: Path) -> None:
    """At most 25 megabytes in half precision, except for large models, which are not shipped."""
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    model: nn.Module = systems()[recipe.system].load("trained_model").build(recipe)
    assert path.stem.endswith("-large") or sum(2 * value.numel() for value in model.state_dict().values()) < 25e6


def with_each_number_replaced(content: Any, other: object, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a recipe once for each of its numbers, with another value there; and the key of that number."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        yield place, other
    elif isinstance(content, dict | list):
        for key, part in content.items() if isinstance(content, dict) else enumerate(content):
            for found, changed in with_each_number_replaced(part, other, f"{place}.{key}".lstrip(".")):
                copied = content.copy()
                copied[key] = changed
                yield found, copied


@pytest.mark.parametrize("other", [True, "1"])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_else_passes_for_a_number(path: Path, other: object) -> None:
    changed = list(with_each_number_replaced(tomllib.loads(path.read_text(encoding="utf-8")), other))
    assert len(changed) > 10
    for place, recipe in changed:
        with pytest.raises(RecipeError, match=r" needs correction: .* but should be a valid (integer|number)") as error:
            parse_recipe(recipe, "my.toml")
        assert place.split(".")[-1] in str(error.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"training": {"learning_rat": 1e-3}}, ["training.learning_rat is not a known key"]),
        ({"training": {"steps": -1}}, ["training.steps is -1"]),
        ({"data": {"size": 100}}, ["data.size is 100", "multiple of 32"]),
        ({"architecture": {"couplings": [2, 2]}}, ["architecture.couplings is [2, 2]", "at least 3"]),
        ({"architecture": {"decoder_widths": [8, 8, 12]}}, ["divisible by 8 heads"]),
        ({"architecture": {"split_width": 18}}, ["architecture.split_width is 18", "multiple of 4"]),
        ({"sampling": {"temperature": [0.5, 0.5, 0.5, 0.5, 3]}}, ["sampling.temperature.4 is 3", "equal to 2"]),
        (
            {"training": {"steps": 0}, "objective": {"noise": "much"}},
            ["training.steps is 0", "objective.noise is 'much'"],
        ),
        ({"training": {"weight_decay": math.inf}}, ["training.weight_decay is inf", "finite number"]),
        ({"training": {"learning_rate": math.nan}}, ["training.learning_rate is nan"]),
        ({"training": {"seed": -1}}, ["training.seed is -1"]),
        ({"data": {"size": 64_000_000_000}}, ["data.size is 64000000000", "less than or equal to 2048"]),
        ({"architecture": {"couplings": [10**6, 2, 2]}}, ["architecture.couplings.0 is 1000000", "equal to 256"]),
        ({"description": "red\x1b[31m"}, ["description is 'red\\x1b[31m', but should have no control characters"]),
        ({"licence": "x" * 501}, ["licence is 'xxx", "at most 500 characters"]),
        ({"two\nlines": 1}, ["two\\nlines is not a known key"]),
        ({"system": "alchemy"}, ["system is 'alchemy'", "'colorization' or 'digits'"]),
    ],
)
def test_every_mistake_is_named(tiny_recipe: dict[str, Any], changes: dict[str, Any], named: list[str]) -> None:
    for key, change in changes.items():
        tiny_recipe[key] = tiny_recipe[key] | change if isinstance(change, dict) else change
    with pytest.raises(RecipeError) as error:
        parse_recipe(tiny_recipe, "my.toml")
    for words in ["my.toml", *named]:
        assert words in str(error.value)
    assert str(error.value).isprintable() and len(str(error.value)) < 1000


def test_a_recipe_is_checked_by_the_schema_of_its_system(
    tiny_recipe: dict[str, Any], tiny_digits_recipe: dict[str, Any]
) -> None:
    assert parse_recipe(tiny_digits_recipe, "here").system == "digits"
    with pytest.raises(RecipeError, match=r"architecture\.bins is 1"):
        parse_recipe(tiny_digits_recipe | {"architecture": tiny_digits_recipe["architecture"] | {"bins": 1}}, "here")
    with pytest.raises(RecipeError, match=r"architecture\.encoder is not a known key"):
        parse_recipe(tiny_recipe | {"system": "digits"}, "here")


def test_a_missing_part_is_named(tiny_recipe: dict[str, Any]) -> None:
    del tiny_recipe["sampling"]
    with pytest.raises(RecipeError, match="sampling is missing"):
        parse_recipe(tiny_recipe, "my.toml")


def test_unreadable_recipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe at"):
        load_recipe(tmp_path / "missing.toml")
    for text in ("name = = 3", "steps = " + "9" * 5000, "name = " + "[" * 5000 + "]" * 5000):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(RecipeError, match="not valid TOML"):
            load_recipe(tmp_path / "bad.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "binary.toml")
