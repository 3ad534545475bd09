"""The training loop of all baselines: our batches and schedule, a given number of minutes, resumed after a stop."""

import copy
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cinn_app.cli.bars import rich_progress
from cinn_app.data.stream import BatchStream
from cinn_app.errors import TrainingError
from cinn_app.files import atomic_write
from cinn_app.systems.colorization.data import PackedViews
from cinn_app.training.callbacks import ramped_decay
from cinn_app.training.module import warmup_cosine
from colorization.baseline import Baseline

#: A training that is killed loses at most this many seconds.
SECONDS_BETWEEN_SAVES = 60
#: The reported losses are averages over this many steps.
STEPS_AVERAGED = 10


class Trained(NamedTuple):
    """What a training came to.

    Attributes:
        baseline: with averaged weights, ready to colour.
        losses: of the first steps and of the last, averaged.
        steps: that were taken.
        seconds: that they took.
    """

    baseline: Baseline
    losses: tuple[float, float]
    steps: int
    seconds: float


def train_baseline(
    name: str, baseline: Baseline, views: PackedViews, learnt: Any, minutes: float, run: Path
) -> Trained:
    """Train for a number of minutes in all, including those of earlier calls.

    Args:
        name: for the bar and the state's file.
        baseline: what learns, where it is to learn.
        views: where batches are read.
        learnt: the numbers of the views to learn from.
        minutes: of training; the schedule ends with them.
        run: folder for the state to go on from.
    """
    training = baseline.recipe.training
    file = run / f"{name}.pt"
    averaged = copy.deepcopy(baseline)
    baseline.configure()
    rates = [group["lr"] for optimizer in baseline.optimizers for group in optimizer.param_groups]
    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "losses": []}
    if file.is_file():
        state = _load(file, baseline, averaged)
    begun, saved, spent = time.monotonic() - state["seconds"], time.monotonic(), state["seconds"]
    batches = iter(BatchStream(views, learnt, training.batch_size, training.seed, state["step"]))
    baseline.train()
    with rich_progress(f"Training {name}", None) as advance:
        while spent < 60 * minutes:
            groups = [group for optimizer in baseline.optimizers for group in optimizer.param_groups]
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate * warmup_cosine(state["step"], training.warmup_steps, spent / (60 * minutes))
            state["losses"] = _shortened([*state["losses"], baseline.train_step(_to(next(batches), baseline.device))])
            _average(averaged, baseline, state["step"], training.ema_decay)
            state["step"] += 1
            spent = state["seconds"] = time.monotonic() - begun
            advance(1)
            if time.monotonic() - saved > SECONDS_BETWEEN_SAVES or spent >= 60 * minutes:
                _save(file, state, baseline, averaged)
                saved = time.monotonic()
    first, last = state["losses"][:STEPS_AVERAGED], state["losses"][-STEPS_AVERAGED:]
    return Trained(averaged.eval(), (sum(first) / len(first), sum(last) / len(last)), state["step"], spent)


def _shortened(losses: list[float]) -> list[float]:
    """Keep the first losses and the last."""
    return [*losses[:STEPS_AVERAGED], *losses[STEPS_AVERAGED:][-STEPS_AVERAGED:]]


@torch.no_grad()
def _average(averaged: Baseline, baseline: Baseline, step: int, decay: float) -> None:
    """Average weights as :class:`cinn_app.training.callbacks.MovingAverage` does; buffers are copied."""
    kept = ramped_decay(decay, step)
    for old, new in zip(averaged.parameters(), baseline.parameters(), strict=True):
        old.lerp_(new, 1 - kept)
    for old, new in zip(averaged.buffers(), baseline.buffers(), strict=True):
        old.copy_(new)


def _to(batch: Any, device: torch.device) -> Any:
    moved = [part.to(device) if isinstance(part, Tensor) else tuple(p.to(device) for p in part) for part in batch]
    return type(batch)(*moved)


def _save(file: Path, state: dict[str, Any], baseline: Baseline, averaged: Baseline) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    optimizers = [optimizer.state_dict() for optimizer in baseline.optimizers]
    weights = {"weights": baseline.state_dict(), "averaged": averaged.state_dict(), "optimizers": optimizers}
    with atomic_write(file) as opened:
        torch.save(state | weights, opened)


def _load(file: Path, baseline: Baseline, averaged: Baseline) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        baseline.load_state_dict(state["weights"])
        averaged.load_state_dict(state["averaged"])
        for optimizer, saved in zip(baseline.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    except Exception as error:  # whatever a damaged archive, or one of other sizes, raises
        raise TrainingError(
            f"The state in {file} is damaged or of another recipe: delete it, or give another folder with --run."
        ) from error
    return {key: state[key] for key in ("step", "seconds", "losses")}
