"""Training of the baselines resumes, and the table is printed."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from colorization import training
from colorization.regression import Regression
from colorization_baselines import parse, run

from cinn_app.errors import RecipeError, TrainingError
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.recipes import parse_recipe
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.recipe import ColorizationRecipe

pytestmark = pytest.mark.slow


class Views:
    """Eight views whose chroma is their number; it records which were requested."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def batch(self, indices: np.ndarray) -> ColourBatch:
        self.asked.append(indices.tolist())
        ab = torch.from_numpy(indices).float()[:, None, None, None].expand(-1, 2, 16, 16)
        return ColourBatch(torch.full((len(ab), 1, 64, 64), 50.0), ab, (torch.zeros(len(ab), 40, 8, 8),))


@pytest.fixture
def train(tiny_recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Train a regression for some minutes of a clock that advances three seconds at every call."""
    recipe = parse_recipe(tiny_recipe, "the tests")
    assert isinstance(recipe, ColorizationRecipe)
    ticks = count(step=3)
    monkeypatch.setattr(training.time, "monotonic", lambda: float(next(ticks)))

    def call(minutes: float, views: Views) -> training.Trained:
        torch.manual_seed(0)
        baseline = Regression(ImageEncoder(), recipe, torch.zeros(1, 2, 16, 16))
        return training.train_baseline("regression", baseline, views, np.arange(8), minutes, tmp_path)  # type: ignore[arg-type]

    return call


def test_a_stopped_training_resumes_and_a_finished_one_is_not_trained_further(train: Callable) -> None:
    first, second, whole = Views(), Views(), Views()
    begun = train(1.0, first)
    assert begun.seconds >= 60 and begun.steps == len(first.asked) > 5
    again = train(1.0, whole)
    assert again.steps == begun.steps and len(whole.asked) == 0
    for old, new in zip(begun.baseline.parameters(), again.baseline.parameters(), strict=True):
        assert torch.equal(old, new)
    gone_on = train(2.0, second)
    assert gone_on.steps == begun.steps + len(second.asked) > begun.steps
    # Batches go on, too: two per epoch of eight views, each view once in an epoch.
    both = [*first.asked, *second.asked]
    assert all(sorted(a + b) == list(range(8)) for a, b in zip(both[::2], both[1::2], strict=False))


def test_a_damaged_state_is_refused(train: Callable, tmp_path: Path) -> None:
    (tmp_path / "regression.pt").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"delete it, or give another folder with --run"):
        train(1.0, Views())


def test_the_table_is_printed(
    smallest_comparison: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(parse([*smallest_comparison, "--family", "regression", "--family", "cvae"]))
    written = json.loads((tmp_path / "out.json").read_text())
    assert list(written) == ["gray", "regression", "cvae"]
    assert written["gray"]["figures"]["of_gray_one_sample"] == pytest.approx(1, abs=0.01)
    assert written["regression"]["figures"]["variance_rgb"] == 0 < written["cvae"]["figures"]["variance_rgb"]
    assert written["cvae"]["training"]["steps"] > 0
    assert written["gray"]["figures"]["energy_score"] == pytest.approx(1, abs=0.01)
    shown = capsys.readouterr().out
    for words in ("cvae", "energy score", "tint", "chroma", "of gray", "their cINN", "3.53"):
        assert words in shown


@pytest.mark.parametrize("minutes", ["0", "-3", "nan"])
def test_no_minutes_are_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--data", "a", "--held-out", "b", "--minutes", minutes])
    assert "--minutes" in capsys.readouterr().err


def test_a_recipe_of_another_system_is_refused() -> None:
    digits = str(Path(__file__).parents[2] / "models" / "digits.toml")
    with pytest.raises(RecipeError, match=r"digits\.toml is not of a colorizer: give one like colorize-small\.toml"):
        run(parse(["--data", "a", "--held-out", "b", "--minutes", "1", "--recipe", digits]))
