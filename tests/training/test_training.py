"""Training from start to end: divergence, a real kill, the end of the schedule, and the checkpoint."""

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from pixels import save_pictures
from torch.utils.data import DataLoader

from cinn_app.checkpoints import load_checkpoint
from cinn_app.errors import CheckpointError, DataError, DeviceError, TrainingError
from cinn_app.recipes import load_recipe, parse_recipe
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.training.callbacks import DivergenceGuard, StateSaver, TimeLimit
from cinn_app.training.module import TrainingModule
from cinn_app.training.run import _average, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pictures(tmp_path_factory.mktemp("pictures"), range(60), cells=3, size=(64, 64))


class NumberAtStep(pl.LightningModule):
    """One weight; the loss is nan at the given steps."""

    def __init__(self, bad_steps: set[int]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.bad_steps = bad_steps

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        factor = float("nan") if batch_idx in self.bad_steps else 1.0
        return (self.weight * factor - 1.0).square().sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.1)


def run_steps(module: pl.LightningModule, guard: DivergenceGuard, steps: int) -> None:
    trainer = pl.Trainer(
        max_steps=steps,
        callbacks=[guard],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(list(range(steps)), batch_size=1))


def test_steps_that_are_not_finite_are_skipped_and_counted() -> None:
    guard, module = DivergenceGuard(), NumberAtStep({2, 3, 7})
    run_steps(module, guard, 12)
    assert guard.skipped == 3
    assert module.weight.isfinite().all()
    assert module.weight.item() > 0.5  # the other steps did learn


def test_ten_bad_steps_in_a_row_stop_with_advice() -> None:
    module = NumberAtStep(set(range(4, 40)))
    with pytest.raises(TrainingError, match=r"10 steps in a row .* lower training.learning_rate"):
        run_steps(module, DivergenceGuard(), 40)
    assert module.weight.isfinite().all()


def test_training_lowers_the_loss_and_writes_a_checkpoint_that_colours(
    pictures: Path, tmp_path: Path, tiny_recipe: dict[str, Any]
) -> None:
    tiny_recipe["training"] |= {"steps": 40, "learning_rate": 3e-3, "batch_size": 8}
    recipe = parse_recipe(tiny_recipe, "here")
    output = tmp_path / "tiny.safetensors"
    checkpoint = train(recipe, [pictures], output, tmp_path / "run", tmp_path / "cache", "cpu")
    assert checkpoint.figures["steps"] == 40
    assert checkpoint.figures["pictures"] == 60
    assert checkpoint.data == [f"{pictures.parent.name}/{pictures.name}"]
    lines = (tmp_path / "run" / "csv" / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("bits/dim")
    bits = [float(line.split(",")[column]) for line in lines[1:] if line.split(",")[column]]
    assert bits[-1] < bits[0] - 0.1
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    assert load_checkpoint(output).recipe == recipe
    taught = train(
        recipe, [pictures], tmp_path / "more.safetensors", tmp_path / "more", tmp_path / "cache", "cpu",
        start_from=[output, output], max_minutes=0,
    )  # fmt: skip
    assert taught.figures["steps"] == 1
    assert abs(taught.figures["held_out_bits_per_dim"] - checkpoint.figures["held_out_bits_per_dim"]) < 0.05
    colourings = Colorizer.load(output, "cpu").colorize(np.full((40, 40), 90, np.uint8), samples=2)
    assert all(colouring.ab.isfinite().all() for colouring in colourings)


def test_a_limit_in_minutes_ends_the_training_and_its_schedule(
    pictures: Path, tmp_path: Path, tiny_recipe: dict[str, Any]
) -> None:
    tiny_recipe["training"] |= {"steps": 1_000_000}
    recipe = parse_recipe(tiny_recipe, "here")
    checkpoint = train(
        recipe, [pictures], tmp_path / "t.safetensors", tmp_path / "run", tmp_path / "cache", "cpu", max_minutes=0.05
    )
    assert 0 < checkpoint.figures["steps"] < 100_000
    state = torch.load(tmp_path / "run" / "state.ckpt", weights_only=True)
    assert state["lr_schedulers"][0]["_last_lr"][0] < 0.05 * recipe.training.learning_rate


def test_a_killed_training_resumes(
    pictures: Path, tmp_path: Path, tiny_recipe: dict[str, Any], as_toml: Callable
) -> None:
    """A real SIGKILL in the middle loses only the steps since the last save, less than a minute of them."""
    assert StateSaver(tmp_path / "s").seconds < 60
    recipe = tmp_path / "tiny.toml"
    tiny_recipe["training"]["steps"] = 100_000
    recipe.write_text(as_toml(tiny_recipe))
    command = [sys.executable, "-m", "cinn_app", "train", str(recipe), "--data", str(pictures), "--device", "cpu"]
    command += ["--output", str(tmp_path / "t.safetensors"), "--run", str(tmp_path / "run")]
    command += ["--cache", str(tmp_path / "cache")]
    state = tmp_path / "run" / "state.ckpt"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 240
        while not state.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    saved = torch.load(state, weights_only=True)["global_step"]
    assert saved > 0
    assert not (tmp_path / "t.safetensors").exists()

    again = functools.partial(
        train, load_recipe(recipe), [pictures], tmp_path / "t.safetensors", tmp_path / "run", tmp_path / "cache", "cpu"
    )
    with pytest.raises(TrainingError, match="continue it with --resume"):
        again(max_minutes=0.1)
    extra = pictures / "extra.png"
    extra.write_bytes((pictures / "0.png").read_bytes())
    with pytest.raises(TrainingError, match="The data or the architecture are not those of"):
        again(resume=True, max_minutes=0.02)
    extra.unlink()
    whole = state.read_bytes()
    other = torch.load(state, weights_only=True)
    other["optimizer_states"][0]["param_groups"].append(other["optimizer_states"][0]["param_groups"][0])
    torch.save(other, state)
    with pytest.raises(TrainingError, match="is of another version"):
        again(resume=True, max_minutes=0.02)
    state.write_bytes(whole)
    assert again(resume=True, max_minutes=0.02).figures["steps"] > saved


def test_impossible_requests_are_refused(
    pictures: Path, tmp_path: Path, tiny_recipe: dict[str, Any], tiny_checkpoint: Path
) -> None:
    recipe = parse_recipe(tiny_recipe, "here")
    places = (tmp_path / "t.safetensors", tmp_path / "run", tmp_path / "cache")
    with pytest.raises(DeviceError, match="unknown"):
        train(recipe, [pictures], *places, device="tpu")
    with pytest.raises(DataError, match="no data at"):
        train(recipe, [tmp_path / "missing"], *places, device="cpu")
    with pytest.raises(TrainingError, match="no state to resume"):
        train(recipe, [pictures], *places, device="cpu", resume=True)
    with pytest.raises(DataError, match="too few"):
        train(recipe, [pictures / "0.png"], *places, device="cpu")
    tiny_recipe["architecture"]["couplings"] = [3, 2, 2]
    with pytest.raises(CheckpointError, match="of the same architecture"):
        train(parse_recipe(tiny_recipe, "here"), [pictures], *places, device="cpu", start_from=[tiny_checkpoint])
    (tmp_path / "run").mkdir(exist_ok=True)
    state = tmp_path / "run" / "state.ckpt"
    torch.save({"state_dict": {}}, state)
    whole = state.read_bytes()
    for content in (b"not a state", b"", whole[: len(whole) // 2], whole):
        state.write_bytes(content)
        with pytest.raises(TrainingError, match="is damaged: delete it and start again without --resume"):
            train(recipe, [pictures], *places, device="cpu", resume=True)


def test_weights_to_start_with_are_averaged() -> None:
    one = {"weight": torch.tensor([1.0, 2.0], dtype=torch.float16), "count": torch.tensor(7)}
    other = {"weight": torch.tensor([3.0, 6.0], dtype=torch.float16), "count": torch.tensor(9)}
    averaged = _average([one, other])
    assert averaged is not None and averaged["weight"].tolist() == [2.0, 4.0]
    assert averaged["count"] == 7
    for unlike in ({"weight": one["weight"]}, {"weight": torch.zeros(3), "count": one["count"]}):
        with pytest.raises(CheckpointError, match="of the same architecture"):
            _average([one, unlike])


def test_a_resumed_schedule_continues_and_starts_again_after_its_end(tiny_recipe: dict[str, Any]) -> None:
    recipe = parse_recipe(tiny_recipe, "here")
    module = TrainingModule(SimpleNamespace(model=torch.nn.Linear(1, 1)), recipe.training, TimeLimit(None))
    module.on_load_checkpoint({"progress": 0.7})
    assert module._progress(step=0) == 0.7
    module.on_load_checkpoint({"progress": 1.0})
    assert module._progress(step=5) == 0.5
