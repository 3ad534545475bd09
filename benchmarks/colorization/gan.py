r"""A conditional generative adversarial network, after pix2pix (Isola et al. 2017, arXiv 1611.07004).

.. math::
    \mathcal L_G = -\log D(L, G(L, z)) + \lambda \, |ab - G(L, z)|, \quad
    \mathcal L_D = -\tfrac12 \log D(L, ab) - \tfrac12 \log (1 - D(L, G(L, z)))

The discriminator judges patches. The noise is a latent code instead of pix2pix's dropout;
the generator mostly ignores it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.model import TARGET_STRIDE, denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from cinn_app.systems.colorization.training import weights_by_pace
from colorization.baseline import LATENT, MEETING, Baseline, LatentDecoder

#: Weight of the absolute error, pix2pix's own.
ABSOLUTE = 100.0
#: Learning rate and first momentum of both, pix2pix's own.
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)


class ConditionalGAN(Baseline):
    """Generator and discriminator, a step each in turn."""

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe, MEETING)
        self.latent_decoder = LatentDecoder()
        self.discriminator = nn.Sequential(
            nn.Conv2d(2 + TARGET_STRIDE**2, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, stride=2, padding=1),
            nn.GroupNorm(8, 128),
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 1, 3, padding=1),
        )

    def configure(self) -> None:
        """Make an optimiser for either side."""
        generator = nn.ModuleList([self.encoder, self.decoder, self.latent_decoder])
        pace = self.recipe.training.encoder_pace
        sides = (
            weights_by_pace(generator.parameters(), self.encoder, pace * LEARNING_RATE),
            self.discriminator.parameters(),
        )
        self.optimizers = [torch.optim.Adam(side, LEARNING_RATE, BETAS) for side in sides]

    def train_step(self, batch: ColourBatch) -> float:
        """Let the discriminator learn, then the generator; return the generator's loss."""
        generator, discriminator = self.optimizers
        with self.autocast():
            drawn, target = self.generate(batch), normalise(batch.ab)
            real, fake = self.discriminate(batch.lightness, target), self.discriminate(batch.lightness, drawn.detach())
        self.descend(discriminator, (_entropy(real, 1.0) + _entropy(fake, 0.0)) / 2)
        with self.autocast():
            fooled = _entropy(self.discriminate(batch.lightness, drawn), 1.0)
        loss = fooled + ABSOLUTE * (drawn - target).abs().mean()
        self.descend(generator, loss)
        return loss.item()

    def generate(self, batch: ColourBatch) -> Tensor:
        """Draw one normalised colouring of each photograph."""
        features = self.read(batch.lightness, batch.features).mean
        return self.latent_decoder(features, torch.randn(len(features), LATENT, device=features.device))

    def discriminate(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Score patches: positive for what looks real."""
        pixels = functional.pixel_unshuffle(lightness / 50 - 1, TARGET_STRIDE)
        return self.discriminator(torch.cat([pixels, ab], 1)).float()

    def centre(self, lightness: Tensor) -> Tensor:
        """Decode the code in the middle."""
        features = self.read(lightness).mean
        return denormalise(self.latent_decoder(features, features.new_zeros(len(features), LATENT)))

    def sample(self, lightness: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw codes and decode them."""
        z = torch.randn(count, LATENT, generator=generator).to(self.device)
        return denormalise(self.latent_decoder(self.read(lightness).mean.expand(count, -1, -1, -1), z))


def _entropy(scores: Tensor, truth: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, truth))
