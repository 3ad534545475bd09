"""Pictures of how a training advances."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from PIL import Image

__all__ = ["TrainingPictures"]


class TrainingPictures(Callback):
    """Write a picture every few minutes.

    Args:
        draw: draws it with the weights as they are; ``None`` for a system without pictures.
        folder: for the pictures, named by step.
        minutes: between pictures.
    """

    def __init__(self, draw: Callable[[], Image.Image | None], folder: Path, minutes: float = 10) -> None:
        self.draw, self.folder, self.minutes = draw, folder, minutes
        self.written_at = time.monotonic()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write a picture if it is due; in validation the averaged weights are in place."""
        if trainer.sanity_checking or time.monotonic() - self.written_at < 60 * self.minutes:
            return
        if (picture := self.draw()) is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            picture.save(self.folder / f"step-{trainer.global_step:06d}.png")
        self.written_at = time.monotonic()
