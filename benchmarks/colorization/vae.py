r"""Variational autoencoders of chroma given the lightness: one latent code says how a whole picture is coloured.

.. math::
    \mathcal L = \frac12 \log \operatorname{mean} (ab - \widehat{ab}(z, L))^2
        + \frac1d E_q [\log q(z \mid ab, L) - \log p(z \mid L)], \quad z \sim q

The first term is the likelihood per dimension under the best variance (Rybkin et al. 2021, arXiv 2006.13202), so that
no weight between the two has to be guessed.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.decoder import Decoded
from cinn_app.systems.colorization.model import denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from colorization.baseline import LATENT, MEETING, Baseline, LatentDecoder

#: Components of the learnt prior.
COMPONENTS = 8
#: Bounds of log standard deviations.
LOG_DEVIATION = (-6.0, 2.0)


class ConditionalVAE(Baseline):
    """The prior is a standard normal distribution."""

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe, MEETING)
        self.reader = nn.Sequential(
            nn.Conv2d(2 + MEETING, 64, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(64, 96, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(96, 128, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(128, 2 * LATENT),
        )
        self.latent_decoder = LatentDecoder()

    def prior(self, seen: Decoded) -> Distribution:
        """Return p(z | L), of event shape ``(LATENT,)`` for each picture."""
        zeros = torch.zeros(len(seen.mean), LATENT, device=seen.mean.device)
        return Independent(Normal(zeros, 1.0), 1)

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return the negative evidence lower bound per dimension of ab, up to a constant."""
        seen = self.read(batch.lightness, batch.features)
        target = normalise(batch.ab)
        posterior = normal(self.reader(torch.cat([target, seen.mean], 1)).float())
        z = posterior.rsample()
        error = (self.latent_decoder(seen.mean, z) - target).square().mean()
        nats = posterior.log_prob(z) - self.prior(seen).log_prob(z)
        return error.log() / 2 + nats.mean() / target[0].numel()

    def centre(self, lightness: Tensor) -> Tensor:
        """Decode the prior's mean."""
        seen = self.read(lightness)
        return denormalise(self.latent_decoder(seen.mean, self.prior(seen).mean))

    def sample(self, lightness: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw from the prior and decode."""
        seen = self.read(lightness)
        z = self.draw(self.prior(seen), count, generator)
        return denormalise(self.latent_decoder(seen.mean.expand(count, -1, -1, -1), z))

    def draw(self, prior: Any, count: int, generator: torch.Generator) -> Tensor:
        """Draw codes of one picture, ``(count, LATENT)``."""
        return prior.mean + torch.randn(count, LATENT, generator=generator).to(self.device)


class MixtureDensityVAE(ConditionalVAE):
    """The prior is a mixture of normal distributions that a network reads from the lightness.

    After Deshpande et al. 2017 (arXiv 1612.00958), whose mixture density network was trained after an autoencoder that
    did not see the lightness; here both learn together, and the decoder sees it.
    """

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe, ab)
        channels = recipe.architecture.decoder_widths[-1]
        self.mixture = nn.Sequential(nn.Linear(channels, 256), nn.SiLU(), nn.Linear(256, COMPONENTS * (1 + 2 * LATENT)))

    def prior(self, seen: Decoded) -> MixtureSameFamily:
        """Return the mixture that the coarsest level, averaged over the picture, gives."""
        return mixture(self.mixture(seen.levels[-1].mean((-2, -1))).float())

    def draw(self, prior: Any, count: int, generator: torch.Generator) -> Tensor:
        """Choose components, then draw from each."""
        assert isinstance(prior, MixtureSameFamily)
        probabilities = prior.mixture_distribution.probs[0].cpu()
        normals: Any = prior.component_distribution
        normals = normals.base_dist
        chosen = torch.multinomial(probabilities, count, replacement=True, generator=generator).to(self.device)
        noise = torch.randn(count, LATENT, generator=generator).to(self.device)
        return normals.loc[0, chosen] + normals.scale[0, chosen] * noise


def normal(values: Tensor) -> Independent:
    """Read means and log standard deviations, ``(..., 2 * size)``, as a normal distribution of ``(..., size)``."""
    mean, log_deviation = values.chunk(2, dim=-1)
    return Independent(Normal(mean, log_deviation.clamp(*LOG_DEVIATION).exp()), 1)


def mixture(values: Tensor) -> MixtureSameFamily:
    """Read ``(batch, components * (1 + 2 * size))`` as a mixture: per component its score, means, log deviations."""
    by_component = values.unflatten(1, (COMPONENTS, -1))
    return MixtureSameFamily(Categorical(logits=by_component[..., 0]), normal(by_component[..., 1:]))
