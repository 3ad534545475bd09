"""Maximum likelihood for the colorization system, as Lightning runs it."""

import math
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from cinn_app.data.packed import ColourBatch
from cinn_app.recipes import Recipe
from cinn_app.systems.colorization import ColorizationModel, Losses
from cinn_app.training.guard import TimeLimit

__all__ = ["ColorizationTraining", "warmup_cosine"]

#: The scales' names in logs, fine to coarse.
SCALES = ("stride 8", "stride 16", "stride 32", "stride 64")


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


class ColorizationTraining(pl.LightningModule):
    """One objective: the likelihood of every scale, and the squared error of the mean.

    Args:
        model: what learns; its encoder stays as it is.
        recipe: objective and schedule.
        time_limit: ends the schedule earlier when the minutes run out first.
    """

    def __init__(self, model: ColorizationModel, recipe: Recipe, time_limit: TimeLimit) -> None:
        super().__init__()
        self.model, self.recipe, self.time_limit = model, recipe, time_limit
        self.begun = 0.0

    def training_step(self, batch: ColourBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        losses = self._losses(batch)
        self.log("bits/dim", losses.bits_per_dim, prog_bar=True)
        self._log_losses("train", losses)
        return losses.total

    def validation_step(self, batch: ColourBatch, batch_idx: int) -> None:
        """Measure one held-out batch, with the averaged weights."""
        losses = self._losses(batch)
        self.log("held-out bits/dim", losses.bits_per_dim, prog_bar=True)
        self._log_losses("held-out", losses)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep how far the schedule is."""
        checkpoint["progress"] = self._progress(self.global_step)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the schedule was; one that had ended in its minutes begins anew."""
        progress = checkpoint["progress"]
        self.begun = progress if progress < 1 else 0.0

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW and its schedule."""
        training = self.recipe.training
        weights = [p for p in self.model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            weights, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_cosine(step, training.warmup_steps, self._progress(step))
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
        return min(1.0, max(step / self.recipe.training.steps, by_minutes))

    def _losses(self, batch: ColourBatch) -> Losses:
        return self.model.losses(batch.lightness, batch.features, batch.ab, self.recipe.objective)

    def _log_losses(self, split: str, losses: Losses) -> None:
        self.log(f"{split}/ab rmse", losses.mean_rmse)
        for scale, nats in zip(SCALES, losses.nats_by_scale, strict=True):
            self.log(f"{split}/nats {scale}", nats)
