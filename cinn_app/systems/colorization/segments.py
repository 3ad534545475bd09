"""Segments: the things in a photograph as soft masks, and the tree of their mergers.

The masks come from a differentiable k-means in a learnt embedding (after Jampani et al. 2018, arXiv 1807.10174). Ward's
criterion merges them pair by pair into a tree: its root is the whole picture, the next splits separate things, the last
ones their parts. The colours that the tree can tell apart have an orthonormal basis, the unbalanced Haar basis.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.flows.numerics import without_autocast
from cinn_app.nn.blocks import zero_init
from cinn_app.systems.colorization.decoder import FEATURE_SCALE, Decoded, double_size

__all__ = ["SIZE_MULTIPLE", "THINGS", "Segmenter", "Segments", "merge_clusters"]

#: Height and width of the lightness must be multiples of this. There is a segment for each such square.
SIZE_MULTIPLE = 32
#: Rounds of k-means: the first ones find the centres, and gradients reach the embedding through the last ones.
FIRST_ROUNDS, LAST_ROUNDS = 4, 3
#: Pixels whose colours count as known for each segment, so that a segment of few pixels is worth little.
RIDGE = 4.0
#: Splits of the tree up to this one separate things, later ones parts of things.
THINGS = 8


class Segments(NamedTuple):
    """The segments of a batch of photographs, K per photograph.

    Attributes:
        masks: at stride 4, positive, with sum 1 over the segments, ``(batch, K, height / 4, width / 4)``.
        first: the smaller side of each split of the tree, from the whole picture to the parts, as a set of segments:
            zeros and ones, ``(batch, K - 1, K)``.
        second: the larger side.
    """

    masks: Tensor
    first: Tensor
    second: Tensor

    def detach(self) -> "Segments":
        """Return them without gradients."""
        return Segments(*(part.detach() for part in self))

    def columns(self) -> Tensor:
        """Return the columns that span the basis: the whole, then the smaller side of each split, as the masks are."""
        pixels = self.masks.flatten(2)
        return torch.cat([torch.ones_like(pixels[:, :1]), self.first @ pixels], 1).view_as(self.masks)

    def sizes(self) -> Tensor:
        """Return the pixels of each segment, ``(batch, K)``."""
        return self.masks.sum((2, 3))

    def things(self) -> Tensor:
        """Return the masks of the things that the first splits separate, ``(batch, things, height / 4, width / 4)``."""
        batch, count, _ = self.first.shape
        label = torch.zeros(batch, count + 1, dtype=torch.long, device=self.masks.device)
        for number in range(min(THINGS - 1, count)):
            label[self.first[:, number] > 0] = number + 1
        members = functional.one_hot(label, min(THINGS, count + 1)).to(self.masks.dtype)
        return (members.mT @ self.masks.flatten(2)).unflatten(2, self.masks.shape[2:])

    def held_energy(self, error: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shares of an error's energy that lie in the span of the things, and of all segments.

        Args:
            error: at stride 4, ``(batch, 2, height / 4, width / 4)``.

        Returns:
            Two shares, ``(batch,)``; small segments count less, by a ridge.
        """
        wanted = error.flatten(2).mT
        total = wanted.square().sum((1, 2)).clamp(min=1e-6)
        with without_autocast(wanted):  # which has no rule for the solver on a GPU
            columns = self.columns().flatten(2)
            return tuple(_held(part, wanted) / total for part in (columns[:, :THINGS], self.masks.flatten(2)))  # type: ignore[return-value]


class Segmenter(nn.Module):
    """Soft k-means in an embedding of lightness, mean chroma, place, and the encoder's features at stride 16.

    The centres start as the means of the cells of a grid. All rounds are soft, so that small changes of a photograph
    change its segments little: farthest points, and hard rounds, make jumps.

    The embedding starts as these, and a convolutional head on the decoder's levels, at first zero, is added. There is
    one segment for each cell of 32x32 pixels, so 25 for 160x160 pixels.

    Args:
        widths: channels of the decoder's levels at strides 8 and 16.
        feature_channels: of the encoder's features at stride 16.
        dimensions: of the projected features.
    """

    def __init__(self, widths: Sequence[int], feature_channels: int, dimensions: int = 16) -> None:
        super().__init__()
        self.plain_weights = nn.Parameter(torch.tensor([1.0, 0.7, 0.7, 0.15, 0.15]))  # L*, a, b, row, column
        self.features = nn.Conv2d(feature_channels, dimensions, 1)
        nn.init.normal_(self.features.weight, std=0.5 * feature_channels**-0.5)
        self.head = nn.Sequential(
            nn.Conv2d(sum(widths), 64, 1),
            nn.SiLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.SiLU(),
            zero_init(nn.Conv2d(64, dimensions + 5, 1)),
        )
        self.log_sharpness = nn.Parameter(torch.tensor(1.5))

    def forward(self, lightness: Tensor, features: Sequence[Tensor], decoded: Decoded) -> Segments:
        """Segment a batch of photographs.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.
            features: the encoder's, at strides 8, 16 and 32.
            decoded: of the decoder.
        """
        embedding = self._embed(lightness, features, decoded).float()
        grid = (lightness.shape[2] // SIZE_MULTIPLE, lightness.shape[3] // SIZE_MULTIPLE)
        with without_autocast(embedding):  # squared distances cancel
            return self._cluster(embedding, grid)

    def _cluster(self, embedding: Tensor, grid: tuple[int, int]) -> Segments:
        """Cluster the pixels of an embedding, with a centre for each cell of a grid."""
        points = embedding.flatten(2).mT
        sharpness = self.log_sharpness.exp()
        with torch.no_grad():  # at half the size, which is as good for finding centres
            few = functional.avg_pool2d(embedding, 2).flatten(2).mT
            centres = functional.adaptive_avg_pool2d(embedding, grid).flatten(2).mT
            for _ in range(FIRST_ROUNDS):
                centres = _centres(few, (-sharpness * _squared_distances(few, centres)).softmax(2), centres)
        for _ in range(LAST_ROUNDS):
            centres = _centres(points, (-sharpness * _squared_distances(points, centres)).softmax(2), centres)
        masks = (-sharpness * _squared_distances(points, centres)).softmax(2)
        first, second = merge_clusters(centres.detach(), masks.detach().sum(1))
        return Segments(masks.mT.unflatten(2, embedding.shape[2:]), first, second)

    def _embed(self, lightness: Tensor, features: Sequence[Tensor], decoded: Decoded) -> Tensor:
        """Embed every pixel at stride 4, ``(batch, dimensions, height / 4, width / 4)``."""
        light = functional.avg_pool2d(lightness, 4) / 25 - 2
        plain = torch.cat([light, 2 * decoded.mean, places(light)], 1) * self.plain_weights[:, None, None]
        level8, level16 = decoded.levels[:2]
        learnt = self.head(torch.cat([level8, double_size(level16)], 1))
        projected = double_size(self.features(features[1].float() / FEATURE_SCALE))
        dimensions = projected.shape[1]
        learnt = learnt + functional.pad(projected, (0, 0, 0, 0, 5, 0))
        return double_size(learnt) + functional.pad(plain, (0, 0, 0, 0, 0, dimensions))


def places(like: Tensor) -> Tensor:
    """Return row and column of each pixel, -1 to 1: ``(batch, 2, height, width)``."""
    height, width = like.shape[2:]
    rows = torch.linspace(-1, 1, height, device=like.device)[:, None].expand(height, width)
    columns = torch.linspace(-1, 1, width, device=like.device).expand(height, width)
    return torch.stack([rows, columns]).expand(len(like), -1, -1, -1)


def _held(masks: Tensor, wanted: Tensor) -> Tensor:
    gram = masks @ masks.mT + RIDGE * torch.eye(masks.shape[1], device=masks.device)
    right = masks @ wanted
    return (right * torch.linalg.solve(gram, right)).sum((1, 2))


def _squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Return ``(batch, points, centres)``."""
    squares = points.square().sum(2)[:, :, None] + centres.square().sum(2)[:, None]
    return (squares - 2 * points @ centres.mT).clamp(min=0)


def _centres(points: Tensor, weights: Tensor, old: Tensor) -> Tensor:
    """Average the points of each centre; one without points stays where it was."""
    return (weights.mT @ points + 0.1 * old) / (weights.sum(1)[:, :, None] + 0.1)


def merge_clusters(centres: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Merge clusters pair by pair, first the pair that adds least to the squared distances (Ward 1963).

    Args:
        centres: ``(batch, K, dimensions)``.
        sizes: ``(batch, K)``.

    Returns:
        The smaller and the larger side of each merger, the last one first, ``(batch, K - 1, K)``.
    """
    batch, count, _ = centres.shape
    rows = torch.arange(batch, device=centres.device)
    sizes = sizes.clamp(min=1e-3)
    members = torch.eye(count, device=centres.device).repeat(batch, 1, 1)
    costs = _squared_distances(centres, centres)
    # Lance-Williams: the cost of each pair follows from those of the pairs before a merger.
    costs = costs * (sizes[:, :, None] * sizes[:, None]) / (sizes[:, :, None] + sizes[:, None])
    costs.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    smaller, larger = ([members[:, :0]] for _ in range(2))
    for _ in range(count - 1):
        place = costs.flatten(1).argmin(1)
        i, j = place // count, place % count
        swap = (sizes[rows, i] > sizes[rows, j])[:, None]
        one, other = members[rows, i], members[rows, j]
        smaller.append(torch.where(swap, other, one)[:, None])
        larger.append(torch.where(swap, one, other)[:, None])
        size_i, size_j, cost = sizes[rows, i, None], sizes[rows, j, None], costs[rows, i, j][:, None]
        merged = (size_i + sizes) * costs[rows, i] + (size_j + sizes) * costs[rows, j] - sizes * cost
        merged = merged / (size_i + size_j + sizes)
        merged[rows, i] = torch.inf
        costs[rows, i], costs[rows, :, i] = merged, merged
        costs[rows, j], costs[rows, :, j] = torch.inf, torch.inf
        members[rows, i] = one + other
        sizes = sizes.index_put((rows, i), (size_i + size_j)[:, 0])
    return torch.cat(smaller[::-1], 1), torch.cat(larger[::-1], 1)
