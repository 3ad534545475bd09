"""Maximum likelihood as Lightning runs it: what every system's training shares."""

import math
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import nn

from cinn_app.recipes import Training
from cinn_app.training.guard import TimeLimit

__all__ = ["LikelihoodTraining", "warmup_cosine"]


def warmup_cosine(step: int, warmup_steps: int, progress: float) -> float:
    """Return the factor of the learning rate: a linear rise, then half a cosine down to 1%.

    Args:
        step: optimiser steps done.
        warmup_steps: of the rise.
        progress: how much of the training is done, in 0..1.

    >>> warmup_cosine(0, 100, 0.0), warmup_cosine(500, 100, 0.5), round(warmup_cosine(999, 100, 1.0), 6)
    (0.01, 0.505, 0.01)
    """
    rise = min(1.0, (step + 1) / max(1, warmup_steps))
    return rise * (0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, progress))) / 2)


class LikelihoodTraining(pl.LightningModule):
    """Optimiser, schedule and clipping. A system's own training adds the losses of a batch.

    It logs at least ``bits/dim`` in training and ``held-out bits/dim`` on what is held out.

    Args:
        model: what learns.
        training: the recipe's schedule.
        time_limit: ends the schedule earlier when the minutes run out first.
    """

    def __init__(self, model: nn.Module, training: Training, time_limit: TimeLimit) -> None:
        super().__init__()
        self.model, self.training_recipe, self.time_limit = model, training, time_limit
        self.begun = 0.0

    def weights(self) -> list[dict[str, Any]]:
        """Group what learns, each group with a learning rate where it is not the recipe's."""
        return [{"params": [weight for weight in self.model.parameters() if weight.requires_grad]}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep how far the schedule is."""
        checkpoint["progress"] = self._progress(self.global_step)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the schedule was; one that had ended in its minutes begins anew."""
        progress = checkpoint["progress"]
        self.begun = progress if progress < 1 else 0.0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its schedule."""
        recipe = self.training_recipe
        optimizer = torch.optim.AdamW(
            self.weights(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
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
        """Clip by the total norm; Lightning's own way refuses the fused optimiser."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), gradient_clip_val or math.inf)

    def _progress(self, step: int) -> float:
        """Follow the steps, or the minutes of this call where they run out first."""
        by_minutes = self.begun + (1 - self.begun) * self.time_limit.spent
        return min(1.0, max(step / self.training_recipe.steps, by_minutes))
