"""Training the digits: the likelihood alone; afterwards the axes of the handwriting are looked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cinn_app.data.mnist import Digits, load_mnist, require_mnist
from cinn_app.data.stream import BatchStream
from cinn_app.errors import DataError
from cinn_app.imaging import digit_sheet
from cinn_app.progress import Progress
from cinn_app.recipes import DigitsRecipe
from cinn_app.systems.digits.axes import find_axes
from cinn_app.systems.digits.model import CLASSES, DIMS, DigitModel, quantise
from cinn_app.training.guard import TimeLimit
from cinn_app.training.job import Job
from cinn_app.training.likelihood import LikelihoodTraining

__all__ = ["DigitsTraining", "prepare_digits"]

DIGITS_PER_CHECK = 250
SHEET_DIGITS = 12


class DigitsTraining(LikelihoodTraining):
    """One objective: the bits per dimension of pictures given their labels."""

    model: DigitModel

    def __init__(self, model: DigitModel, recipe: DigitsRecipe, limit: TimeLimit) -> None:
        super().__init__(model, recipe.training, limit)
        self.objective = recipe.objective

    def training_step(self, batch: Digits, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        loss = self.model.loss(batch.images, batch.labels, self.objective.fine_share)
        self.log("bits/dim", loss.detach(), prog_bar=True)
        return loss

    def validation_step(self, batch: Digits, batch_idx: int) -> None:
        """Measure one held-out batch, with the averaged weights."""
        self.log("held-out bits/dim", self.model.loss(batch.images, batch.labels), prog_bar=True)


def prepare_digits(
    recipe: DigitsRecipe,
    sources: Sequence[Path],
    cache: Path,
    weights: dict[str, Tensor] | None,
    limit: TimeLimit,
    start: int,
    progress: Progress,
) -> Job:
    """Load MNIST and set up model and batches.

    Args:
        recipe: architecture, data and schedule.
        sources: the folder that holds MNIST/raw, or nothing to download MNIST into the cache.
        cache: see `sources`.
        weights: to begin with.
        limit: of the training's minutes.
        start: the step to begin with.
        progress: shows how the search for axes gets on, after the training.

    Raises:
        DataError: if MNIST is damaged, or missing and cannot be downloaded, or too little of it is left to learn from.
    """
    if len(sources) > 1:
        raise DataError(f"{len(sources)} folders were given where one holds MNIST: give --data once, or not at all.")
    if sources:
        require_mnist(sources[0])
    folder = sources[0] if sources else cache
    digits, test = load_mnist(folder, train=True), load_mnist(folder, train=False)
    learnt = len(digits.labels) - recipe.data.held_out
    if learnt < recipe.training.batch_size:
        raise DataError(
            f"{len(digits.labels)} digits are too few: {recipe.data.held_out} are held out (data.held_out), and "
            f"{recipe.training.batch_size} (training.batch_size) are needed to learn from."
        )
    model = DigitModel(recipe.architecture)
    if weights is not None:
        model.load_state_dict(weights)
    held_out = Digits(digits.images[learnt:], digits.labels[learnt:])
    return Job(
        module=DigitsTraining(model, recipe, limit),
        batches=BatchStream(digits, np.arange(learnt), recipe.training.batch_size, recipe.training.seed, start),
        checks=[Digits(*part) for part in zip(*(t.split(DIGITS_PER_CHECK) for t in held_out), strict=True)],
        pictures=learnt,
        data=["MNIST"],
        sheet=lambda: _sample_sheet(model, recipe.sampling.temperature),
        figures={"held-out bits/dim": "held_out_bits_per_dim"},
        finish=lambda: _find_axes(model, test, progress),
    )


def _find_axes(model: DigitModel, test: Digits, progress: Progress) -> dict[str, Any]:
    """Put the axes' directions into the model, and return what is told of them."""
    found = find_axes(model, test, progress)
    model.axes.copy_(found.directions)
    rows = zip(found.names, found.shares.tolist(), strict=True)
    return {"axes": [list(zip(names, [round(share, 4) for share in shares], strict=True)) for names, shares in rows]}


@torch.inference_mode()
def _sample_sheet(model: DigitModel, temperature: float) -> Image.Image:
    """Draw one row per class, the handwritings the same in each."""
    device = next(model.parameters()).device
    latents = temperature * torch.randn(SHEET_DIGITS, DIMS, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(CLASSES).repeat_interleave(SHEET_DIGITS)
    images = quantise(model.decode(latents.repeat(CLASSES, 1).to(device), labels.to(device))[0]).cpu()
    return Image.fromarray(digit_sheet(images.unflatten(0, (CLASSES, SHEET_DIGITS))))
