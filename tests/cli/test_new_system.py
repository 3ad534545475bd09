"""A system of another package: every part of the program knows it, and no shared file names it."""

import logging
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import cinn_app
import cinn_app.systems
from cinn_app import checkpoints, registry
from cinn_app.checkpoints import load_checkpoint
from cinn_app.cli import console
from cinn_app.recipes import parse_recipe
from cinn_app.training.callbacks import StateSaver
from cinn_app.training.run import train

TOY = Path(__file__).parents[1] / "toy_system" / "cinn_points"
RECIPE = """
name = "points"
system = "points"
description = "Points in the plane"
licence = "CC0-1.0"
[data]
spread = 0.1
[training]
steps = 40
batch_size = 16
learning_rate = 0.2
weight_decay = 0
warmup_steps = 1
gradient_clip = 10
ema_decay = 0.5
seed = 0
"""


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the registry search again, and forget afterwards what was imported."""
    before = set(sys.modules)
    registry.systems.cache_clear()
    yield
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if "points" in name:
            del sys.modules[name]
    registry.systems.cache_clear()


def add_entry_point(folder: Path, target: str, monkeypatch: pytest.MonkeyPatch, package: str = "cinn_points") -> None:
    """Let a folder on the path look like an installed distribution that brings a system."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\npoints = {target}\n")
    monkeypatch.syspath_prepend(folder)


@pytest.fixture(params=["entry point", "sub-package"])
def toy(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_registry: None
) -> registry.System:
    """Install the toy system, either way."""
    monkeypatch.setattr(console.out, "width", 300)
    if request.param == "entry point":
        shutil.copytree(TOY, tmp_path / "site" / "cinn_points")
        add_entry_point(tmp_path / "site", "cinn_points:SYSTEM", monkeypatch)
    else:
        shutil.copytree(TOY, tmp_path / "site" / "points")
        monkeypatch.setattr(cinn_app.systems, "__path__", [*cinn_app.systems.__path__, str(tmp_path / "site")])
    return registry.systems()["points"]


def train_points(cinn: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train the toy system on the command line, where models are installed."""
    Path("points.toml").write_text(RECIPE)
    monkeypatch.setattr(checkpoints, "shipped_checkpoints", lambda: Path("checkpoints").absolute())
    monkeypatch.setattr("cinn_app.training.run.STEPS_BETWEEN_CHECKS", 20)
    result = cinn("train", "points.toml", "--device", "cpu")
    assert result.code == 0, result.err
    assert "Nats, held out: " in result.out and "Training on cpu in " in result.out
    assert re.search(
        r"^step 20, nats \d\.\d+, held-out nats \d\.\d+, views/s \d+, min left \d+$", result.out, re.MULTILINE
    )
    return Path("checkpoints/points.safetensors")


def test_a_new_system_trains_draws_and_is_measured(
    cinn: Callable, toy: registry.System, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = train_points(cinn, monkeypatch)
    checkpoint = load_checkpoint(path)
    assert checkpoint.recipe.system == "points" and checkpoint.data == ["drawn points"]
    assert isinstance(cinn_app.Points.load(path, "cpu"), toy.load("trained_model"))
    assert "points" in cinn("--help").out and "Draw points." in cinn("--help").out
    assert len(cinn("points", "--number", 4).out.splitlines()) == 4
    listed = cinn("models")
    assert listed.code == 0 and "Points in the plane" in listed.out and "Nats, held out: " in listed.out
    measured = cinn("evaluate", "points", "--drawn", 7)
    assert measured.code == 0 and "points, on 7 pictures" in measured.out and "Distance (cm)" in measured.out
    assert "Points to draw." in cinn("evaluate", "points", "--help").out
    assert "--drawn" not in cinn("evaluate", "--help").out
    for wrong in (["--drawn", 0], ["--samples", 8]):
        assert cinn("evaluate", "points", *wrong).code == 2
    assert cinn("evaluate", "--drawn", 7, "points").out.splitlines()[0] == measured.out.splitlines()[0]


def test_a_new_system_has_its_tab(cinn: Callable, toy: registry.System, monkeypatch: pytest.MonkeyPatch) -> None:
    from cinn_app.studio.page import build
    from cinn_app.studio.room import load_models

    path = train_points(cinn, monkeypatch)
    page = build(load_models(str(path)), given=str(path))
    labels = [component["props"].get("label") for component in page.config["components"]]
    assert labels.count("Points") == 1
    texts = [str(component["props"].get("value")) for component in page.config["components"]]
    assert any(text == "Points in the plane" for text in texts) and any("Nats, held out" in text for text in texts)


@pytest.mark.parametrize("toy", ["entry point"], indirect=True)
def test_a_resumed_training_equals_an_uninterrupted_one(
    toy: registry.System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = parse_recipe(tomllib.loads(RECIPE), "here")
    training = registry.import_object(toy.training.replace("prepare_training", "PointsTraining"))
    loss, steps = training.loss, 0

    def interrupted(self: Any, batch: torch.Tensor) -> Any:
        nonlocal steps
        steps += 1
        if steps == 23:
            raise KeyboardInterrupt
        return loss(self, batch)

    def trained(run: str, precision: str = "auto", resume: bool = False) -> dict[str, torch.Tensor]:
        places = (tmp_path / f"{run}.safetensors", tmp_path / run, tmp_path)
        return train(recipe, [], *places, "cpu", precision=precision, resume=resume).weights

    monkeypatch.setattr(StateSaver.__init__, "__defaults__", (0,))  # save at every step
    uninterrupted = trained("whole", "bfloat16")
    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, SystemExit)):
        patch.setattr(training, "loss", interrupted)
        trained("parts", "bfloat16")
    state = torch.load(tmp_path / "parts" / "state.ckpt", weights_only=True)
    assert (state["global_step"], state["precision"], state["device"]) == (22, "bfloat16", "cpu")
    resumed = trained("parts", resume=True)
    for name, value in uninterrupted.items():
        torch.testing.assert_close(resumed[name], value)
    assert torch.load(tmp_path / "parts" / "state.ckpt", weights_only=True)["precision"] == "bfloat16"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("cinn_broken:SYSTEM", "No module named 'cinn_broken'"),
        ("math:pi", "is not a System"),
        ("cinn_app.systems.digits:SYSTEM", "another package has a system named 'digits'"),
    ],
)
def test_a_broken_system_is_left_out_with_one_warning(
    cinn: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_registry: None,
    caplog: pytest.LogCaptureFixture,
    target: str,
    reason: str,
) -> None:
    add_entry_point(tmp_path / "site", target, monkeypatch, "cinn_broken")
    with caplog.at_level(logging.WARNING):
        result = cinn("--help")
    assert result.code == 0 and "colorize" in result.out
    (record,) = caplog.records
    assert "cinn_broken" in record.getMessage() and reason in record.getMessage()
