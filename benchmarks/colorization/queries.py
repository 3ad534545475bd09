"""A decoder of colour queries, after DDColor (Kang et al. 2023, arXiv 2212.11613).

Learnt queries look at the picture's features from coarse to fine and become colour embeddings; each is compared with
every pixel's embedding, and the maps of how well they match are mixed to ab. It is trained by the absolute error
alone: DDColor's perceptual, adversarial and colourfulness losses are left out. It looks once where DDColor looks three
times, since its minutes are counted.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.model import TARGET_STRIDE, denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from colorization.baseline import Baseline

#: Queries and their width; DDColor has 100 of 256.
QUERIES, WIDTH, HEADS = 100, 128, 8


class ColourQueries(Baseline):
    """Queries, a transformer that lets them look, and the maps of where they match."""

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe, WIDTH)
        self.queries = nn.Parameter(torch.randn(QUERIES, WIDTH))
        widths = recipe.architecture.decoder_widths  # the queries look at strides 32, 16 and 8 in turn
        self.views = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in widths)
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in widths
        )
        self.out = nn.Conv2d(QUERIES + 1, 2, 1)

    def paint(self, lightness: Tensor, cached: Sequence[Tensor] = ()) -> Tensor:
        """Predict normalised chroma, ``(batch, 2, height / 4, width / 4)``."""
        pixels, seen = self.read(lightness, cached)
        levels = [view(level).flatten(2).mT for view, level in zip(self.views, seen, strict=True)]
        colours = self.queries.expand(len(pixels), -1, -1)
        with sdpa_kernel(SDPBackend.MATH):  # on CPUs the fused kernel's backward pass is slower
            for layer, level in zip(self.layers, reversed(levels), strict=True):
                colours = layer(colours, level)
        maps = torch.einsum("bqc,bchw->bqhw", colours, pixels) / math.sqrt(WIDTH)
        gray = functional.avg_pool2d(lightness, TARGET_STRIDE) / 50 - 1
        return self.out(torch.cat([maps, gray.to(maps)], 1)).float()

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return the absolute error, normalised."""
        return (self.paint(batch.lightness, batch.features) - normalise(batch.ab)).abs().mean()

    def centre(self, lightness: Tensor) -> Tensor:
        """Return what is painted."""
        return denormalise(self.paint(lightness))
