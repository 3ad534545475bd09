"""The two answers without a choice: leaving it gray, and the conditional mean."""

import torch
from torch import Tensor

from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.model import denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from colorization.baseline import Baseline


class Gray:
    """No colour at all; nothing is learnt."""

    device = torch.device("cpu")

    def centre(self, lightness: Tensor) -> Tensor:
        """Return zeros, as :meth:`Baseline.centre` would colours."""
        return torch.zeros(len(lightness), 2, lightness.shape[-2] // 4, lightness.shape[-1] // 4)

    def sample(self, lightness: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Return zeros, as :meth:`Baseline.sample` would colours."""
        return self.centre(lightness).expand(count, -1, -1, -1)


class Regression(Baseline):
    """The mean chroma, by squared error."""

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe)

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return the squared error, normalised."""
        mean = self.read(batch.lightness, batch.features).mean.float()
        return (mean - normalise(batch.ab)).square().mean()

    def centre(self, lightness: Tensor) -> Tensor:
        """Return the mean."""
        return denormalise(self.read(lightness).mean.float())
