"""Training of the digits by maximum likelihood, and afterwards the search for the axes of the handwriting."""

from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cinn_app.data.stream import BatchStream
from cinn_app.errors import DataError
from cinn_app.systems.digits.axes import principal_axes
from cinn_app.systems.digits.data import Digits, load_mnist, require_mnist
from cinn_app.systems.digits.images import digit_sheet
from cinn_app.systems.digits.model import CLASSES, DIMS, DigitModel, quantise
from cinn_app.systems.digits.recipe import DigitsRecipe
from cinn_app.training.trainable import Setup, Trainable

__all__ = ["DigitsTraining", "prepare_training"]

DIGITS_PER_CHECK = 250
SHEET_DIGITS = 12


class DigitsTraining(Trainable):
    """Training by the bits per dimension of pictures given their labels.

    Args:
        recipe: architecture, data and schedule.
        train: MNIST's training set; its last digits are held out.
        test: MNIST's test set, from which the axes are computed.
        setup: of the training.

    Raises:
        DataError: if too few digits are left to learn from.
    """

    model: DigitModel
    figures = MappingProxyType({"held-out bits/dim": "held_out_bits_per_dim"})
    watched = ("bits/dim",)
    data = ("MNIST",)

    def __init__(self, recipe: DigitsRecipe, train: Digits, test: Digits, setup: Setup) -> None:
        count = len(train.labels) - recipe.data.held_out
        if count < recipe.training.batch_size:
            raise DataError(
                "{count} digits are too few: {held_out} are held out (data.held_out), and {batch_size} "
                "(training.batch_size) are needed to learn from.",
                count=len(train.labels),
                held_out=recipe.data.held_out,
                batch_size=recipe.training.batch_size,
            )
        self.recipe, self.test, self.progress = recipe, test, setup.progress
        self.model = DigitModel(recipe.architecture)
        setup.initialise(self.model)
        self.pictures = count
        self.batches = BatchStream(
            train, np.arange(count), recipe.training.batch_size, recipe.training.seed, setup.step
        )
        held_out = (part[count:].split(DIGITS_PER_CHECK) for part in train)
        self.held_out = [Digits(*batch) for batch in zip(*held_out, strict=True)]

    def loss(self, batch: Digits) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of one batch."""
        loss = self.model.loss(batch.images, batch.labels, self.recipe.objective.fine_share)
        return loss, {"bits/dim": loss.detach()}

    def measure(self, batch: Digits) -> dict[str, Tensor]:
        """Measure one held-out batch."""
        return {"held-out bits/dim": self.model.loss(batch.images, batch.labels)}

    def picture(self) -> Image.Image:
        """Write one row per class, with the same handwritings in each."""
        return _sample_sheet(self.model, self.recipe.sampling.temperature)

    def details(self) -> dict[str, Any]:
        """Compute the axes of the handwriting, store their directions in the model, return their names and shares."""
        found = principal_axes(self.model, self.test, self.progress)
        self.model.axes.copy_(found.directions)
        rows = zip(found.names, found.shares.tolist(), strict=True)
        return {
            "axes": [list(zip(names, [round(share, 4) for share in shares], strict=True)) for names, shares in rows]
        }


def prepare_training(recipe: DigitsRecipe, setup: Setup) -> DigitsTraining:
    """Load MNIST and set up model and batches.

    The source is the folder that holds MNIST/raw; without one, MNIST is downloaded into the cache.

    Raises:
        DataError: if MNIST is damaged, or missing and cannot be downloaded, or too few digits are left to learn from.
    """
    if len(setup.sources) > 1:
        raise DataError(
            "{count} folders were given where one holds MNIST: give --data once, or not at all.",
            count=len(setup.sources),
        )
    if setup.sources:
        require_mnist(setup.sources[0])
    folder = setup.sources[0] if setup.sources else setup.cache
    return DigitsTraining(recipe, load_mnist(folder, train=True), load_mnist(folder, train=False), setup)


@torch.inference_mode()
def _sample_sheet(model: DigitModel, temperature: float) -> Image.Image:
    """Write one row per class, with the same handwritings in each."""
    device = next(model.parameters()).device
    latents = temperature * torch.randn(SHEET_DIGITS, DIMS, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(CLASSES).repeat_interleave(SHEET_DIGITS)
    images = quantise(model.decode(latents.repeat(CLASSES, 1).to(device), labels.to(device))[0]).cpu()
    return Image.fromarray(digit_sheet(images.unflatten(0, (CLASSES, SHEET_DIGITS))))
