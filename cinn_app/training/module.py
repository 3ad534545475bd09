"""The Lightning module that trains any :class:`~cinn_app.training.trainable.Trainable`."""

import math
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from cinn_app.recipes import Training
from cinn_app.training.callbacks import TimeLimit
from cinn_app.training.trainable import Trainable

__all__ = ["TrainingModule", "warmup_cosine"]


def warmup_cosine(step: int, warmup_steps: int, progress: float) -> float:
    """Return the factor of the learning rate: a linear rise, then half a cosine down to 1%.

    Args:
        step: optimiser steps done.
        warmup_steps: of the rise.
        progress: share of the training that is done, in 0..1.

    >>> warmup_cosine(0, 100, 0.0), warmup_cosine(500, 100, 0.5), round(warmup_cosine(999, 100, 1.0), 6)
    (0.01, 0.505, 0.01)
    """
    rise = min(1.0, (step + 1) / max(1, warmup_steps))
    return rise * (0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, progress))) / 2)


class TrainingModule(pl.LightningModule):
    """Optimiser, schedule and clipping around a system's losses.

    Args:
        trainable: model and losses.
        training: the recipe's schedule.
        time_limit: ends the schedule earlier when the minutes run out first.
        precision: name of the networks' precision, which the saved state keeps.
        data: digest of the data, which the saved state keeps.
    """

    def __init__(
        self,
        trainable: Trainable,
        training: Training,
        time_limit: TimeLimit,
        precision: str = "float32",
        data: str = "",
    ) -> None:
        super().__init__()
        self.precision, self.data = precision, data
        self.trainable, self.training_recipe, self.time_limit = trainable, training, time_limit
        self.model = trainable.model
        self.begun, self.stepped = 0.0, False

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        torch.manual_seed(self.training_recipe.seed + self.global_step)  # the same noise when a training resumes here
        self.trainable.done = self._progress(self.global_step)
        loss, values = self.trainable.loss(batch)
        for name, value in values.items():
            self.log(name, value, prog_bar=name in self.trainable.watched)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Measure one held-out batch, with the averaged weights."""
        torch.manual_seed(batch_idx)  # the same noise at each check
        self.log_dict(dict(self.trainable.measure(batch)))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the position in the schedule, and where and how precisely the model was trained."""
        checkpoint["progress"] = self._progress(self.global_step)
        checkpoint |= {"device": str(self.device), "precision": self.precision, "data": self.data}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the schedule; one that had ended with its minutes starts again."""
        progress = checkpoint["progress"]
        self.begun = progress if progress < 1 else 0.0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its schedule."""
        recipe = self.training_recipe
        groups = self.trainable.parameter_groups(recipe.learning_rate)
        optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_cosine(step, recipe.warmup_steps, self._progress(step))
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by the total norm; Lightning's own clipping refuses the fused optimiser."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), gradient_clip_val or math.inf)
        self.stepped = True

    def _progress(self, step: int) -> float:
        """Return the share of the schedule that is done: by steps, or by this call's minutes if they run out first."""
        by_minutes = self.begun + (1 - self.begun) * self.time_limit.spent
        return min(1.0, max(step / self.training_recipe.steps, by_minutes))
