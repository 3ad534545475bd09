"""Pictures of how a training is getting on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from PIL import Image

__all__ = ["SampleSheets"]


class SampleSheets(Callback):
    """Write a sample sheet every few minutes.

    Args:
        sheet: draws it, with the weights as they are.
        folder: where the sheets go, named by step.
        minutes: between sheets.
    """

    def __init__(self, sheet: Callable[[], Image.Image], folder: Path, minutes: float = 10) -> None:
        self.sheet, self.folder, self.minutes = sheet, folder, minutes
        self.written_at = time.monotonic()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write a sheet if it is time; in validation, since then the averaged weights are in place."""
        if trainer.sanity_checking or time.monotonic() - self.written_at < 60 * self.minutes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sheet().save(self.folder / f"step-{trainer.global_step:06d}.png")
        self.written_at = time.monotonic()
