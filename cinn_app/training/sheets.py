"""Pictures of how a training is getting on."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.utils import make_grid

from cinn_app.data.packed import ColourBatch
from cinn_app.imaging.colour import lightness_and_ab_to_rgb8
from cinn_app.recipes import ColorizationSampling
from cinn_app.systems.colorization import ColorizationModel, denormalise

__all__ = ["SampleSheets", "sample_sheet"]


@torch.inference_mode()
def sample_sheet(
    model: ColorizationModel, batch: ColourBatch, sampling: ColorizationSampling, samples: int = 4
) -> Image.Image:
    """Draw one row per view: gray, true colours, the mean, and samples."""
    guidance = model.guide(batch.lightness, batch.features)
    generator = torch.Generator().manual_seed(0)
    latents = [
        model.draw(guidance.mean.shape, sampling.temperature, sampling.coherence, generator) for _ in range(samples)
    ]
    drawn = [model.decode([z.to(guidance.mean) for z in latent], guidance)[0] for latent in latents]
    columns = [torch.zeros_like(batch.ab), batch.ab, denormalise(guidance.mean), *drawn]
    pictures = torch.stack([_show(batch.lightness, ab) for ab in columns], dim=1).flatten(0, 1)
    return Image.fromarray(make_grid(pictures, nrow=len(columns)).permute(1, 2, 0).numpy())


class SampleSheets(Callback):
    """Write a sample sheet every few minutes, with the weights as they are.

    Args:
        batch: held-out views to show.
        folder: where the sheets go, named by step.
        sampling: how the samples are drawn.
        minutes: between sheets.
    """

    def __init__(self, batch: ColourBatch, folder: Path, sampling: ColorizationSampling, minutes: float = 10) -> None:
        self.batch, self.folder, self.sampling, self.minutes = batch, folder, sampling, minutes
        self.written_at = time.monotonic()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write a sheet if it is time; in validation, since then the averaged weights are in place."""
        if trainer.sanity_checking or time.monotonic() - self.written_at < 60 * self.minutes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        batch = pl_module.transfer_batch_to_device(self.batch, pl_module.device, 0)
        sample_sheet(pl_module.model, batch, self.sampling).save(self.folder / f"step-{trainer.global_step:06d}.png")
        self.written_at = time.monotonic()


def _show(lightness: Tensor, ab: Tensor) -> Tensor:
    """Join lightness with enlarged chroma: uint8 ``(batch, 3, size, size)``."""
    enlarged = functional.interpolate(ab.float(), lightness.shape[-2:], mode="bilinear")
    return lightness_and_ab_to_rgb8(lightness.cpu(), enlarged.cpu()).movedim(-1, -3)
