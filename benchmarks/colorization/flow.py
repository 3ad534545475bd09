"""Our own model in the baselines' place, so that it has the same loop, data and minutes as they."""

import torch
from torch import Tensor

from cinn_app.data.packed import ColourBatch
from cinn_app.networks.encoder import ImageEncoder
from cinn_app.recipes import ColorizationRecipe
from cinn_app.systems.colorization.model import ColorizationModel
from colorization.baseline import Baseline


class Flow(Baseline):
    """The conditional flow of :class:`ColorizationModel`, whose pyramid is the one trained."""

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe)
        self.model = ColorizationModel(recipe.architecture)
        self.model.encoder = self.encoder
        self.pyramid = self.model.pyramid

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return the likelihood of every scale and the squared error of the mean, as our training does."""
        return self.model.losses(*batch, self.recipe.objective, self.recipe.objective.flow_share).total

    def sample(
        self, lightness: Tensor, count: int, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw at the recipe's temperatures, each times the given one, and settle."""
        guidance = self.model.guide(lightness).repeat(count)
        scales = [temperature * scale for scale in self.recipe.sampling.temperature]
        generator = generator or torch.Generator().manual_seed(0)
        latents = self.model.draw(guidance.mean.shape, scales, self.recipe.sampling.coherence, generator)
        ab = self.model.decode([z.to(self.device) for z in latents], guidance)[0]
        return self.model.settle(ab, guidance, lightness)
