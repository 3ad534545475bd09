"""Training the generator of digits: it learns, finds its axes, and leaves a checkpoint that people can hold."""

from pathlib import Path
from typing import Any

import pytest
import torch

from cinn_app.errors import DataError
from cinn_app.recipes import parse_recipe
from cinn_app.systems.digits.data import load_mnist
from cinn_app.systems.digits.evaluation import evaluate_digits
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.training.run import train

pytestmark = pytest.mark.slow


def test_training_learns_finds_axes_and_resumes(
    drawn_mnist: Path, tmp_path: Path, tiny_digits_recipe: dict[str, Any]
) -> None:
    tiny_digits_recipe["training"] |= {"steps": 60, "learning_rate": 3e-3, "batch_size": 64}
    recipe = parse_recipe(tiny_digits_recipe, "here")
    output, run = tmp_path / "digits.safetensors", tmp_path / "run"
    checkpoint = train(recipe, [drawn_mnist], output, run, tmp_path / "cache", "cpu")
    assert checkpoint.figures["pictures"] == 400 - recipe.data.held_out
    generator = DigitGenerator.load(output, "cpu")
    measured = evaluate_digits(generator, [drawn_mnist])
    assert measured.pictures == 60
    assert measured.figures["bits_per_dim"] < 6  # untrained about 8
    assert measured.figures["bits_per_dim"] == pytest.approx(checkpoint.figures["held_out_bits_per_dim"], abs=0.5)
    assert measured.figures["round_trip_error"] < 1e-4

    for label in (None, 7):
        axes = generator.axes(label)
        directions = torch.stack([axis.direction for axis in axes])
        torch.testing.assert_close(directions @ directions.T, torch.eye(len(axes)), atol=5e-3, rtol=0)
        assert len({axis.name for axis in axes}) == len(axes)
        assert all(0 <= axis.share <= 1 for axis in axes)

    tiny_digits_recipe["training"]["steps"] = 62
    longer = parse_recipe(tiny_digits_recipe, "here")
    assert train(longer, [drawn_mnist], output, run, tmp_path / "cache", "cpu", resume=True).figures["steps"] == 62


def test_axes_move_pictures_more_than_other_directions(
    drawn_mnist: Path, tmp_path: Path, tiny_digits_recipe: dict[str, Any]
) -> None:
    tiny_digits_recipe["training"] |= {"steps": 100, "learning_rate": 3e-3, "batch_size": 64}
    output = tmp_path / "digits.safetensors"
    train(parse_recipe(tiny_digits_recipe, "here"), [drawn_mnist], output, tmp_path / "run", tmp_path / "cache", "cpu")
    generator = DigitGenerator.load(output, "cpu")
    latents = generator.draw(10, 0.5)

    def moved(direction: torch.Tensor) -> float:
        ends = [generator.decode(latents + step * direction, range(10)).float() for step in (-2, 2)]
        return float((ends[1] - ends[0]).square().mean())

    random = torch.nn.functional.normalize(torch.randn(12, 784, generator=torch.Generator().manual_seed(0)))
    along_axes = sum(moved(axis.direction) for axis in generator.axes())
    assert along_axes > 2 * sum(map(moved, random))


def test_unusable_data_are_refused(drawn_mnist: Path, tmp_path: Path, tiny_digits_recipe: dict[str, Any]) -> None:
    places = (tmp_path / "t.safetensors", tmp_path / "run", tmp_path / "cache")
    with pytest.raises(DataError, match="give --data once"):
        train(parse_recipe(tiny_digits_recipe, "here"), [drawn_mnist, drawn_mnist], *places, "cpu")
    tiny_digits_recipe["data"]["held_out"] = 399
    with pytest.raises(DataError, match="too few"):
        train(parse_recipe(tiny_digits_recipe, "here"), [drawn_mnist], *places, "cpu")
    assert load_mnist(drawn_mnist, train=False).images.shape == (60, 28, 28)
