"""What every baseline has in common: our encoder and decoder, one optimiser step, and chroma at stride 4."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cinn_app.devices import resolve_precision
from cinn_app.nn.blocks import ResidualBlock
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.comparison import Painter
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.decoder import ColourDecoder, Decoded
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from cinn_app.systems.colorization.training import weights_by_pace
from colorization.painter import BaselinePainter

#: Values of the latent code of the families that have one; it is common to the whole picture.
LATENT = 64
#: Channels that the latent code meets at stride 4.
MEETING = 64


class Baseline(nn.Module):
    """A family of colorizers on the decoder of our model, whose head at stride 4 has as many channels as it needs.

    Args:
        encoder: with its weights; every family has a copy, which learns at the recipe's pace.
        recipe: ours, for the decoder's sizes and the schedule.
        channels: of the head.
    """

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, channels: int = 2) -> None:
        super().__init__()
        self.encoder, self.recipe = copy.deepcopy(encoder), recipe
        if recipe.training.encoder_pace:
            self.encoder.unfreeze()
        sizes = recipe.architecture
        self.decoder = ColourDecoder(
            encoder.channels, sizes.decoder_widths, sizes.decoder_blocks, sizes.attention_layers, sizes.dropout
        )
        head = nn.Conv2d(sizes.decoder_widths[0], 4 * channels, 3, padding=1)
        self.decoder.mean = nn.Sequential(nn.SiLU(), head, nn.PixelShuffle(2))
        self.optimizers: list[torch.optim.Optimizer] = []

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return what one batch costs."""
        raise NotImplementedError

    def centre(self, lightness: Tensor) -> Tensor:
        """Give the one answer for each photograph, or the centre of all that would be drawn.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.

        Returns:
            Lab units, ``(batch, 2, height / 4, width / 4)``.
        """
        raise NotImplementedError

    def sample(self, lightness: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Colour one photograph; a family without a choice gives its one answer every time.

        Args:
            lightness: L* in 0..100, ``(1, 1, height, width)``, sides divisible by 32.
            count: how many colourings.
            generator: makes draws repeatable.

        Returns:
            Lab units, ``(count, 2, height / 4, width / 4)``.
        """
        return self.centre(lightness).expand(count, -1, -1, -1)

    def painter(self) -> Painter:
        """Return what colours photographs with it, for measuring."""
        return BaselinePainter(self, self.recipe.sizes)

    def configure(self) -> None:
        """Make the optimisers, once the model is where it learns."""
        self.optimizers = [self.optimizer()]

    def train_step(self, batch: ColourBatch) -> float:
        """Learn from one batch, and return its loss."""
        with self.autocast():
            loss = self.loss(batch)
        self.descend(self.optimizers[0], loss)
        return loss.item()

    def descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """Take one step down, its gradient clipped."""
        optimizer.zero_grad()
        loss.backward()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        nn.utils.clip_grad_norm_(weights, self.recipe.training.gradient_clip)
        optimizer.step()

    def optimizer(self) -> torch.optim.Optimizer:
        """Return ours."""
        training = self.recipe.training
        groups = weights_by_pace(self.parameters(), self.encoder, training.encoder_pace * training.learning_rate)
        return torch.optim.AdamW(groups, training.learning_rate, weight_decay=training.weight_decay)

    def features(self, lightness: Tensor, cached: Sequence[Tensor] = ()) -> Sequence[Tensor]:
        """Return the encoder's features; those of layers that learn are computed again."""
        if len(cached) == len(self.encoder.channels) and not self.recipe.training.encoder_pace:
            return cached
        return self.encoder(lightness, *cached[:1])

    def read(self, lightness: Tensor, cached: Sequence[Tensor] = ()) -> Decoded:
        """Let encoder and decoder read photographs; the head's output stands where the decoder's mean does."""
        return self.decoder(self.features(lightness, cached), lightness)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    def autocast(self) -> torch.autocast:
        """Compute in half precision where that is faster, as our training does."""
        dtype = resolve_precision("auto", self.device)
        return torch.autocast(self.device.type, dtype, enabled=dtype is torch.bfloat16)


class LatentDecoder(nn.Module):
    """From what the decoder says at stride 4 and a latent code to normalised chroma: the code scales and shifts."""

    def __init__(self) -> None:
        super().__init__()
        self.modulation = nn.Linear(LATENT, 2 * MEETING)
        self.out = nn.Sequential(ResidualBlock(MEETING), nn.SiLU(), nn.Conv2d(MEETING, 2, 3, padding=1))

    def forward(self, features: Tensor, z: Tensor) -> Tensor:
        """Decode ``(batch, MEETING, height, width)`` and ``(batch, LATENT)`` to ``(batch, 2, height, width)``."""
        scale, shift = self.modulation(z)[..., None, None].chunk(2, dim=1)
        return self.out((1 + scale) * features + shift).float()
