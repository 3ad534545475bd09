"""The joint density of the colours of segments: from the whole picture down the tree of splits, split by split."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.flows import Bijection, Condition, LatentShape, Shape, ShapeError
from cinn_app.flows.numerics import full_precision, sum_per_sample
from cinn_app.flows.splines import bend, unbend
from cinn_app.nn.blocks import zero_init
from cinn_app.systems.colorization.decoder import FEATURE_SCALE, Decoded
from cinn_app.systems.colorization.segments import Segments, places

__all__ = ["SplitEncoder", "Splits", "Summary", "TreeFlow", "summarise"]

#: Bins and bound of the splines, and the bound of log-scales.
BINS, BOUND, CLAMP = 8, 4.0, 4.0
HEADS = 4
#: The channel of the pooled features that holds the column, -1 at the left and 1 at the right.
COLUMN = 5


class Summary(NamedTuple):
    """The segments of a batch of photographs, K per photograph, as the split encoder sees them.

    Attributes:
        pooled: features averaged over each segment, ``(batch, K, channels)``.
        sizes: the pixels of each segment, ``(batch, K)``.
        first, second: the sides of each split of the tree, see :class:`Segments`, ``(batch, K - 1, K)``.
    """

    pooled: Tensor
    sizes: Tensor
    first: Tensor
    second: Tensor

    def mirrored(self) -> "Summary":
        """Exchange left and right. The features of a mirrored picture are nearly the mirrored features."""
        pooled = self.pooled.clone()
        pooled[..., COLUMN] = -pooled[..., COLUMN]
        return self._replace(pooled=pooled)


class Splits(NamedTuple):
    """The splits of the trees of a batch of photographs, K per photograph: the whole picture is the first.

    Attributes:
        features: what the network knows about the two sides of each split, ``(batch, K, width)``.
        scales: the size of a coefficient where the sides differ by one, ``(batch, K)``.
        ancestors: maps the coefficients of earlier splits to the colour that the sides of each split have in common so
            far, ``(batch, K, K)``, strictly lower triangular. It is exact for hard segments.
    """

    features: Tensor
    scales: Tensor
    ancestors: Tensor


class SplitEncoder(nn.Module):
    """Averages features over both sides of each split, and connects the splits by self-attention.

    Args:
        feature_channels: of the encoder's features at strides 16 and 32.
        level_channels: of the decoder's levels at strides 8 and 16.
        width: of the splits' features.
        layers: of the transformer.
        dropout: share of values that training leaves out.
    """

    def __init__(
        self, feature_channels: Sequence[int], level_channels: Sequence[int], width: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        channels = 8 + sum(feature_channels) + sum(level_channels)
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(2 * channels + 5, width)
        self.layers = nn.ModuleList(TransformerLayer(width, dropout) for _ in range(layers))

    def forward(self, summary: Summary) -> Splits:
        """Describe the splits of a batch of photographs."""
        sizes = summary.sizes
        whole = torch.ones_like(sizes)[:, None]
        first, second = (torch.cat([whole, side], 1) * sizes[:, None] for side in (summary.first, summary.second))
        size_first, size_second = (side.sum(2, keepdim=True).clamp(min=1e-3) for side in (first, second))
        pooled = self.norm(summary.pooled)
        sides = (first @ pooled / size_first, second @ pooled / size_second)
        count = sizes.shape[1]
        rank = torch.linspace(0, 1, count, device=sizes.device).expand(len(sizes), count)
        shares = torch.cat([size_first, size_second], 2) / sizes.sum(1)[:, None, None]
        numbers = torch.cat(
            [(shares.log() + 3) / 3, rank[..., None], rank.square()[..., None], rank[..., None] == 0], 2
        )
        tokens = self.project(torch.cat([*map(self.dropout, sides), numbers], 2))
        for layer in self.layers:
            tokens, _ = layer(tokens)
        # A basis vector of a split is constant on each side, with sum zero: by its norm the sides differ.
        scales = (size_first * size_second / (size_first + size_second))[..., 0].sqrt()
        scales = torch.cat([size_first[:, 0].sqrt(), scales[:, 1:]], 1)
        on_first = torch.cat([whole, summary.first], 1) * (scales[..., None] / size_first)
        on_second = torch.cat([0 * whole, summary.second], 1) * (scales[..., None] / size_second)
        union = torch.cat([first[:, :1], first[:, 1:] + second[:, 1:]], 1)
        union = union / union.sum(2, keepdim=True).clamp(min=1e-3)
        ancestors = (union @ (on_first - on_second).mT).tril(-1)
        return Splits(tokens, scales, ancestors)


class TreeFlow(Bijection):
    r"""An autoregressive flow over the coefficients of a tree's basis, from the whole picture to the parts.

    .. math::
        z_{k1} = R_\theta(y_{k1}; \, y_{<k}, c), \quad z_{k2} = R_\theta(y_{k2}; \, y_{k1}, y_{<k}, c)

    for the K splits and two channels, with an affine map and a rational-quadratic spline :math:`R_\theta` (Durkan et
    al. 2019) for each value. A causal transformer computes :math:`\theta`; it reads the splits' features, the values of
    earlier splits, and the colour that the sides of each split have so far.

    * inverse: split by split, with the keys and values of earlier splits kept;
    * log-determinant: the sum over all values.

    Shapes: ``x`` is ``(batch, 2, K)`` for any K. The condition is a tuple, the fields of :class:`Splits`.

    Args:
        width: of the splits' features.
        layers: of the transformer.
    """

    condition_count = 3

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        outputs = 3 * BINS + 1  # of each value: log-scale, shift, spline
        self.earlier = nn.Linear(width + 4, width)
        self.layers = nn.ModuleList(TransformerLayer(width) for _ in range(layers))
        self.to_first = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), zero_init(nn.Linear(width, outputs))
        )
        self.to_second = nn.Sequential(nn.Linear(width + 1, width), nn.SiLU(), zero_init(nn.Linear(width, outputs)))

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        splits, units = self._splits(condition, x)
        values = x.mT / units
        earlier = functional.pad(torch.cat([splits.features, values], 2), (0, 0, 1, 0))[:, :-1]
        hidden = splits.features + self.earlier(torch.cat([earlier, splits.ancestors @ x.mT], 2))
        for layer in self.layers:
            hidden, _ = layer(hidden, causal=True)
        outputs = self.to_second(torch.cat([hidden, values[..., :1]], 2))
        first, log_first = bend(values[..., 0], self.to_first(hidden), BINS, BOUND, CLAMP)
        second, log_second = bend(values[..., 1], outputs, BINS, BOUND, CLAMP)
        log_det = sum_per_sample(log_first + log_second) - 2 * sum_per_sample(units.log())
        return torch.stack([first, second], 1), log_det

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        splits, units = self._splits(condition, z)
        pasts: list[Past | None] = [None] * len(self.layers)
        earlier = splits.features.new_zeros(len(z), 1, splits.features.shape[2] + 2)
        found, log_det = [z.mT[:, :0]], 2 * sum_per_sample(units.log())
        for k in range(z.shape[2]):
            here = slice(k, k + 1)
            common = splits.ancestors[:, here, :k] @ torch.cat(found, 1)
            hidden = splits.features[:, here] + self.earlier(torch.cat([earlier, common], 2))
            for number, layer in enumerate(self.layers):
                hidden, pasts[number] = layer(hidden, pasts[number])
            first, log_first = unbend(z[:, 0, here], self.to_first(hidden), BINS, BOUND, CLAMP)
            outputs = self.to_second(torch.cat([hidden, first[..., None]], 2))
            second, log_second = unbend(z[:, 1, here], outputs, BINS, BOUND, CLAMP)
            values = torch.stack([first, second], 2)
            found.append(values * units[:, here])
            earlier = torch.cat([splits.features[:, here], values], 2)
            log_det = log_det + sum_per_sample(log_first + log_second)
        return torch.cat(found, 1).mT, log_det

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        if len(event_shape) != 2 or event_shape[0] != 2 or not event_shape[1]:
            raise ShapeError(
                "TreeFlow was given values of shape {given} after the batch where (2, K) is needed.", given=event_shape
            )
        return event_shape

    @staticmethod
    def _splits(condition: Condition, x: Tensor) -> tuple[Splits, Tensor]:
        """Return the splits, and the typical size of each coefficient: half of what a difference of one gives."""
        if (
            condition is None
            or isinstance(condition, Tensor)
            or len(condition) != 3
            or any(c is None for c in condition)
        ):
            raise ShapeError("TreeFlow needs three conditions: features, scales and ancestors of the splits.")
        splits = Splits(*(full_precision(part) for part in condition if part is not None))
        if splits.scales.shape != (len(x), x.shape[2]):
            raise ShapeError(
                "The splits have scales of shape {given} where {expected} is needed; give those of the data's splits.",
                given=tuple(splits.scales.shape),
                expected=(len(x), x.shape[2]),
            )
        return splits, (0.5 * splits.scales + 0.05)[..., None]


Past = tuple[Tensor, Tensor]


class TransformerLayer(nn.Module):
    """Attention and a perceptron, each normalised first and added; it keeps keys and values for later tokens."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attend = nn.Linear(width, 3 * width)
        self.out = zero_init(nn.Linear(width, width))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 3 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            zero_init(nn.Linear(3 * width, width)),
        )

    def forward(self, x: Tensor, past: Past | None = None, causal: bool = False) -> tuple[Tensor, Past]:
        """Map tokens ``(batch, tokens, width)``; they also attend to those of ``past``."""
        parts = self.attend(self.norm(x)).chunk(3, 2)
        query, key, value = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in parts)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        x = x + self.out(found.transpose(1, 2).flatten(2))
        return x + self.perceptron(x), (key, value)


def summarise(segments: Segments, lightness: Tensor, features: Sequence[Tensor], decoded: Decoded) -> Summary:
    """Average features over each segment of a batch of photographs.

    Args:
        segments: with their tree.
        lightness: L* in 0..100, ``(batch, 1, height, width)``.
        features: the encoder's, at strides 8, 16 and 32.
        decoded: of the decoder.
    """
    light = functional.avg_pool2d(lightness, 4) / 50 - 1
    place = places(light)
    plain = torch.cat([light, light.square(), decoded.mean, place, place.square()], 1)
    learnt = [feature.float() / FEATURE_SCALE for feature in features[1:]]
    masks, pooled = segments.masks, []
    for feature in (plain, *decoded.levels[:2], *learnt):
        weights = functional.avg_pool2d(masks, masks.shape[-1] // feature.shape[-1]).flatten(2)
        weights = weights / weights.sum(2, keepdim=True).clamp(min=1e-4)
        pooled.append(weights @ feature.flatten(2).mT)
    return Summary(torch.cat(pooled, 2), segments.sizes(), segments.first, segments.second)
