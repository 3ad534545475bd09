"""The two answers without a choice: leaving it gray, and the conditional mean."""

import torch
from torch import Tensor, nn

from cinn_app.data.packed import ColourBatch
from cinn_app.networks.encoder import ImageEncoder
from cinn_app.recipes import ColorizationRecipe
from cinn_app.systems.colorization.model import denormalise, normalise
from colorization.baseline import Baseline


class Gray(nn.Module):
    """No colour at all; nothing is learnt."""

    device = torch.device("cpu")

    def sample(
        self, lightness: Tensor, count: int, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return zeros, as :meth:`Baseline.sample` would colours."""
        return torch.zeros(count, 2, lightness.shape[-2] // 4, lightness.shape[-1] // 4)


class Regression(Baseline):
    """The mean chroma, by squared error."""

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe)

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return the squared error, normalised."""
        mean = self.read(batch.lightness, batch.seen).mean.float()
        return (mean - normalise(batch.ab)).square().mean()

    def sample(
        self, lightness: Tensor, count: int, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the mean, as often as asked for."""
        return denormalise(self.read(lightness).mean.float()).expand(count, -1, -1, -1)
