"""Training the generator of digits: it learns, finds its axes, and leaves a checkpoint that people can hold."""

import copy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from tiny_recipes import TINY_DIGITS_RECIPE

from cinn_app.checkpoints import Checkpoint
from cinn_app.errors import DataError, RecipeError
from cinn_app.recipes import parse_recipe
from cinn_app.systems.digits.data import load_mnist
from cinn_app.systems.digits.evaluation import evaluate_digits
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.training.run import train

pytestmark = pytest.mark.slow


class Trained(NamedTuple):
    """A tiny generator after some steps."""

    recipe: dict[str, Any]
    checkpoint: Checkpoint
    folder: Path

    def generator(self) -> DigitGenerator:
        return DigitGenerator.load(self.folder / "digits.safetensors", "cpu")


@pytest.fixture(scope="module")
def trained(drawn_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, recipe = tmp_path_factory.mktemp("trained"), copy.deepcopy(TINY_DIGITS_RECIPE)
    recipe["training"] |= {"steps": 80, "learning_rate": 3e-3, "batch_size": 64}
    places = (folder / "digits.safetensors", folder / "run", folder / "cache")
    return Trained(recipe, train(parse_recipe(recipe, "here"), [drawn_mnist], *places, "cpu"), folder)


def test_training_learns_and_finds_axes(trained: Trained, drawn_mnist: Path) -> None:
    assert trained.checkpoint.figures["pictures"] == 400 - trained.recipe["data"]["held_out"]
    generator = trained.generator()
    measured = evaluate_digits(generator, [drawn_mnist])
    assert measured.pictures == 60
    assert measured.figures["bits_per_dim"] < 6  # untrained about 8
    held_out = trained.checkpoint.figures["held_out_bits_per_dim"]
    assert measured.figures["bits_per_dim"] == pytest.approx(held_out, abs=0.5)
    assert measured.figures["round_trip_error"] < 1e-4

    for label in (None, 7):
        axes = generator.axes(label)
        directions = torch.stack([axis.direction for axis in axes])
        torch.testing.assert_close(directions @ directions.T, torch.eye(len(axes)), atol=5e-3, rtol=0)
        assert len({axis.name for axis in axes}) == len(axes)
        assert all(0 <= axis.share <= 1 for axis in axes)


def test_axes_move_pictures_more_than_other_directions(trained: Trained) -> None:
    generator = trained.generator()
    latents = generator.draw(10, 0.5)

    def moved(direction: torch.Tensor) -> float:
        ends = [generator.decode(latents + step * direction, range(10)).float() for step in (-2, 2)]
        return float((ends[1] - ends[0]).square().mean())

    random = torch.nn.functional.normalize(torch.randn(12, 784, generator=torch.Generator().manual_seed(0)))
    along_axes = sum(moved(axis.direction) for axis in generator.axes())
    assert along_axes > 2 * sum(map(moved, random))


def test_a_longer_training_resumes(trained: Trained, drawn_mnist: Path) -> None:
    longer = parse_recipe({**trained.recipe, "training": {**trained.recipe["training"], "steps": 82}}, "here")
    places = (trained.folder / "longer.safetensors", trained.folder / "run", trained.folder / "cache")
    assert train(longer, [drawn_mnist], *places, "cpu", resume=True).figures["steps"] == 82


def test_unusable_data_are_refused(drawn_mnist: Path, tmp_path: Path, tiny_digits_recipe: dict[str, Any]) -> None:
    places = (tmp_path / "t.safetensors", tmp_path / "run", tmp_path / "cache")
    with pytest.raises(DataError, match="give --data once"):
        train(parse_recipe(tiny_digits_recipe, "here"), [drawn_mnist, drawn_mnist], *places, "cpu")
    tiny_digits_recipe["data"]["held_out"] = 399
    with pytest.raises(DataError, match="too few"):
        train(parse_recipe(tiny_digits_recipe, "here"), [drawn_mnist], *places, "cpu")
    assert load_mnist(drawn_mnist, train=False).images.shape == (60, 28, 28)


def test_a_model_larger_than_the_memory_is_refused(drawn_mnist: Path, tmp_path: Path, tiny_digits_recipe) -> None:
    tiny_digits_recipe["architecture"] |= {"dense_width": 8192, "dense_couplings": [40, 40]}
    with pytest.raises(RecipeError, match=r"needs at least .* GB of memory for its training, and this computer has"):
        train(parse_recipe(tiny_digits_recipe, "here"), [drawn_mnist], *(tmp_path / n for n in "abc"), "cpu")
    assert not (tmp_path / "a").exists()
