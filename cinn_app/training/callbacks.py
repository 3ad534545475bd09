"""What accompanies a training: averaged weights, guards, saved state, a time limit, pictures, and a progress bar."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar, WeightAveraging
from PIL import Image
from rich import get_console
from torch import Tensor

from cinn_app.errors import TrainingError

__all__ = [
    "DivergenceGuard",
    "MovingAverage",
    "StateSaver",
    "TimeLimit",
    "TrainingBar",
    "TrainingPictures",
    "ramped_decay",
]


def ramped_decay(decay: float, updates: float) -> float:
    r"""Return :math:`d_n = \min(d, \tfrac{1 + n}{10 + n})`, the share of the old average that update n keeps."""
    return min(decay, (1 + updates) / (10 + updates))


class MovingAverage(WeightAveraging):
    r"""An exponential moving average with a ramp, whose result the checkpoint gets.

    .. math:: \bar w \leftarrow d_n \bar w + (1 - d_n) w

    with :math:`d_n` of :func:`ramped_decay`. Without the ramp, a training of few steps would end with the average of
    weights that had learnt little.

    Args:
        decay: :math:`d`.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, updates: Any) -> Tensor:
            return torch.lerp(current.to(averaged), averaged, ramped_decay(decay, float(updates)))

        super().__init__(use_buffers=False, avg_fn=average)


class DivergenceGuard(Callback):
    """Skip and count steps whose gradient is not finite; stop with advice after too many in a row.

    Args:
        patience: bad steps in a row that end the training.

    Raises:
        TrainingError: when patience runs out.
    """

    def __init__(self, patience: int = 10) -> None:
        self.patience = patience
        self.skipped = 0
        self.in_a_row = 0

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Remove the gradients of a bad step, so that the optimiser skips every weight."""
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        if torch.nn.utils.get_total_norm(gradients).isfinite():
            self.in_a_row = 0
            return
        self.skipped += 1
        self.in_a_row += 1
        optimizer.zero_grad(set_to_none=True)
        pl_module.log("skipped_steps", float(self.skipped))
        if self.in_a_row >= self.patience:
            raise TrainingError(
                "Training diverged, {count} steps in a row were not finite: lower training.learning_rate or "
                "architecture.clamp in the recipe, then continue from the last good state with --resume.",
                count=self.patience,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the count of skipped steps."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the count of skipped steps."""
        self.skipped = state_dict["skipped"]


class StateSaver(Callback):
    """Save all that a resumed training needs: soon after the start, then at intervals, whole or not at all.

    Args:
        path: of the file, which is replaced each time.
        seconds: between two saves, and the most that a kill loses.
    """

    def __init__(self, path: Path, seconds: float = 40) -> None:
        self.path, self.seconds = path, seconds
        self.due = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; an early first save shows whether the disk has room."""
        self.due = time.monotonic() + min(5, self.seconds)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Save when it is due."""
        if time.monotonic() >= self.due:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the last state: there is a single epoch, which ends with the training."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        unfinished = self.path.with_name(f".{self.path.name}.part")
        try:
            trainer.save_checkpoint(unfinished)
            with unfinished.open("rb+") as file:
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise TrainingError(
                "The training state {path} cannot be written ({reason}): make room, then continue with --resume; the "
                "state saved before is untouched.",
                path=self.path,
                reason=error.strerror,
            ) from error
        self.due = time.monotonic() + self.seconds


class TimeLimit(Callback):
    """End the training after some minutes; the schedule asks how much of them is spent.

    Args:
        minutes: of this run, or ``None`` for no limit.
    """

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self.started = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock: packing and caching, which come before, do not count."""
        self.started = time.monotonic()

    @property
    def spent(self) -> float:
        """The share of the minutes that has passed, 0 without a limit."""
        return 0.0 if self.minutes is None else (time.monotonic() - self.started) / 60 / max(self.minutes, 1e-9)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stop when the time is up."""
        if self.spent >= 1:
            trainer.should_stop = True


class TrainingPictures(Callback):
    """Write a picture every few minutes.

    Args:
        draw: returns it, or ``None`` for a system without pictures.
        folder: of the pictures, which are named by step.
        minutes: between pictures.
    """

    def __init__(self, draw: Callable[[], Image.Image | None], folder: Path, minutes: float = 10) -> None:
        self.draw, self.folder, self.minutes = draw, folder, minutes
        self.written_at = time.monotonic()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write a picture when it is due: validation puts the averaged weights in place."""
        if trainer.sanity_checking or time.monotonic() - self.written_at < 60 * self.minutes:
            return
        if (picture := self.draw()) is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            picture.save(self.folder / f"step-{trainer.global_step:06d}.png")
        self.written_at = time.monotonic()


class TrainingBar(RichProgressBar):
    """Lightning's progress bar over all steps, with views per second and minutes left; and a line at each check.

    Where no terminal shows the bar, the lines alone are written.

    Args:
        limit: may end the training before its last step.
        batch_size: views per step.
        shown: names of the logged values in the lines.
    """

    def __init__(self, limit: TimeLimit, batch_size: int, shown: Sequence[str]) -> None:
        super().__init__(refresh_rate=4 if get_console().is_terminal else 0)
        self.limit, self.batch_size, self.shown = limit, batch_size, shown
        self.first_step, self.started = 0, 0.0

    @property
    def total_train_batches(self) -> int:
        """All steps: the stream of batches has no length."""
        return self.trainer.max_steps

    def _get_train_description(self, current_epoch: int) -> str:
        return "Training"  # Lightning says "Epoch 0/-2", and has no public place to change it

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say where and how precisely, and start the clock."""
        get_console().print(f"Training on {pl_module.device} in {pl_module.precision}.")
        self.first_step, self.started = trainer.global_step, time.monotonic()
        super().on_train_start(trainer, pl_module)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Add the rate and the time left to the logged values, without the loggers' version."""
        logged = {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}
        steps_per_second = (trainer.global_step - self.first_step) / max(1e-9, time.monotonic() - self.started)
        minutes = (trainer.max_steps - trainer.global_step) / max(1e-9, steps_per_second) / 60
        if self.limit.minutes is not None:
            minutes = min(minutes, self.limit.minutes * max(0.0, 1 - self.limit.spent))
        return {**logged, "views/s": f"{steps_per_second * self.batch_size:.0f}", "min left": f"{minutes:.0f}"}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write a line."""
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn == "fit":
            measured = {name: f"{float(trainer.callback_metrics[name]):.3f}" for name in self.shown}
            values = measured | self.get_metrics(trainer, pl_module) | measured  # rounded, in this order
            line = ", ".join(f"{name} {value}" for name, value in values.items())
            get_console().print(f"step {trainer.global_step}, {line}", highlight=False, soft_wrap=True)
