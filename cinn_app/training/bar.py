"""A bar that tells how a training is getting on, and a line at each check for logs."""

import time
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cinn_app.training.guard import TimeLimit

__all__ = ["TrainingBar"]


class TrainingBar(Callback):
    """Show steps, losses, views per second and the time left; write a line whenever held-out views were measured.

    Args:
        limit: ends the training before its steps do.
        batch_size: views per step.
        watched: names of what is logged in training and shown in the bar.
        figures: names of what is logged on held-out views and shown in the line.
    """

    def __init__(self, limit: TimeLimit, batch_size: int, watched: Sequence[str], figures: Sequence[str]) -> None:
        self.limit, self.batch_size, self.watched, self.figures = limit, batch_size, watched, figures
        self.console = Console()
        self.bar = Progress(
            TextColumn("Training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=self.console,
        )
        self.task = TaskID(0)
        self.began = (0, 0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar."""
        self.began = (trainer.global_step, time.monotonic())
        self.task = self.bar.add_task("", total=trainer.max_steps, completed=trainer.global_step, state="")
        self.bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Advance the bar."""
        logged = trainer.callback_metrics
        values = "".join(f"{float(logged[name]):.3f} {name}, " for name in self.watched if name in logged)
        state = f"{values}{self._rate(trainer):.0f} views/s, {self._minutes_left(trainer):.0f} min left"
        self.bar.update(self.task, completed=trainer.global_step, state=state)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write a line."""
        if trainer.training:
            logged = trainer.callback_metrics
            measured = "".join(f", {name} {float(logged[name]):.3f}" for name in (*self.watched, *self.figures))
            self.console.print(
                f"step {trainer.global_step}{measured}, {self._rate(trainer):.0f} views/s, "
                f"{self._minutes_left(trainer):.0f} min left",
                highlight=False,
                soft_wrap=True,
            )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the bar, whatever ended the training."""
        self.bar.stop()

    def _rate(self, trainer: pl.Trainer) -> float:
        step, begun = self.began
        return (trainer.global_step - step) * self.batch_size / max(1e-9, time.monotonic() - begun)

    def _minutes_left(self, trainer: pl.Trainer) -> float:
        by_steps = (trainer.max_steps - trainer.global_step) * self.batch_size / max(1e-9, self._rate(trainer)) / 60
        return (
            by_steps
            if self.limit.minutes is None
            else min(by_steps, self.limit.minutes * max(0.0, 1 - self.limit.spent))
        )
