"""What keeps a long training safe: saved state, skipped bad steps, a time limit."""

import os
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from cinn_app.errors import TrainingError

__all__ = ["DivergenceGuard", "StateSaver", "TimeLimit"]


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
        """Take a bad step's gradients away, so that the optimiser passes every weight over."""
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
                f"Training diverged, {self.patience} steps in a row were not finite: lower training.learning_rate or "
                "architecture.clamp in the recipe, then start again with --resume from the last good state."
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the count of skipped steps."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the count of skipped steps."""
        self.skipped = state_dict["skipped"]


class StateSaver(Callback):
    """Save everything that training needs to go on: soon after the start, then every so often, whole or not at all.

    Args:
        path: the file, replaced at each saving.
        seconds: between savings; what a kill can lose.
    """

    def __init__(self, path: Path, seconds: float = 40) -> None:
        self.path, self.seconds = path, seconds
        self.due = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count; a first state shows early whether the disk takes it."""
        self.due = time.monotonic() + min(5, self.seconds)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Save if it is time."""
        if time.monotonic() >= self.due:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the last state; the one epoch there is ends with the training."""
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
                f"The training state {self.path} cannot be written ({error.strerror}): make room, then go on with "
                "--resume; the state saved before is untouched."
            ) from error
        self.due = time.monotonic() + self.seconds


class TimeLimit(Callback):
    """Stop after so many minutes, and tell the schedule how much of them is gone.

    Args:
        minutes: of this call, or ``None`` for no limit.
    """

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self.started = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count: what came before, packing and caching, is not training."""
        self.started = time.monotonic()

    @property
    def spent(self) -> float:
        """Share of the minutes that is gone, 0 without a limit."""
        return 0.0 if self.minutes is None else (time.monotonic() - self.started) / 60 / max(self.minutes, 1e-9)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stop when the time is up."""
        if self.spent >= 1:
            trainer.should_stop = True
