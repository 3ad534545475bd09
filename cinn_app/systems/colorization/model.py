r"""The colorization model: a conditional flow over the chroma of a photograph, given its lightness.

After Ardizzone et al. 2019 (arXiv 1907.02392), with the pyramid of Wavelet Flow (Yu et al. 2020, arXiv 2010.13821),
whose coarsest scale follows the things in the photograph:

* a pretrained encoder and a decoder predict the mean chroma :math:`m` from the lightness :math:`L`;
* soft segments of the photograph are merged into a tree, which has an orthonormal basis;
* the residual :math:`r = ab - m`, normalised, is rotated so that its coordinates in that basis come first; they and the
  Haar details that are left each have a conditional flow:

.. math:: \log p(ab \mid L) = \sum_s \log N(z_s; 0, 1) + \log |\det \partial z_s / \partial r_s|

The mean carries the meaning, and samples vary around it, thing by thing. This module works on batches of tensors;
:class:`cinn_app.systems.colorization.colorizer.Colorizer` works on photographs at full resolution.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cinn_app.flows import (
    AffineCoupling,
    Bijection,
    Chain,
    ConditionalAffine,
    FlowDistribution,
    OrthogonalMixing,
    SpanPyramid,
)
from cinn_app.flows.numerics import without_autocast
from cinn_app.nn.blocks import conv_subnet
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.decoder import ColourDecoder
from cinn_app.systems.colorization.polarity import Polarity
from cinn_app.systems.colorization.recipe import ColorizationArchitecture, ColorizationObjective
from cinn_app.systems.colorization.segments import SIZE_MULTIPLE, THINGS, Segmenter, Segments
from cinn_app.systems.colorization.tree_flow import SplitEncoder, Splits, Summary, TreeFlow, summarise

__all__ = ["SIZE_MULTIPLE", "ColorizationModel", "Conditions", "Losses", "denormalise", "normalise"]

#: The chroma's side is the lightness's divided by this.
TARGET_STRIDE = 4
#: Mean and standard deviation of a and b over photographs, in Lab units.
AB_OFFSET = (2.4, 7.4)
AB_SCALE = (11.2, 16.8)
#: The mean log-scale of a and b: converts nats per normalised dimension to nats per dimension in Lab units.
LOG_SCALE = sum(map(math.log, AB_SCALE)) / 2
#: Bound of the log-scales that come directly from the condition.
CONDITIONAL_CLAMP = 4.0
#: Weights of the segments' objective beside the likelihoods: energy held by things, and sharpness of the masks.
THINGS_WEIGHT, ENTROPY_WEIGHT = 0.5, 0.03


class Conditions(NamedTuple):
    """The conditions of the flow for a batch of photographs.

    Attributes:
        mean: the mean chroma, normalised, ``(batch, 2, height / 4, width / 4)``.
        details: one tensor per scale of details, at strides 8, 16 and 32.
        segments: the things in the photographs.
        splits: what the network knows about the splits of the segments' tree.
        levels: the decoder's features at strides 8, 16 and 32.
    """

    mean: Tensor
    details: tuple[Tensor, ...]
    segments: Segments
    splits: Splits
    levels: tuple[Tensor, ...]

    @property
    def of_flow(self) -> tuple[Tensor, ...]:
        """What :class:`cinn_app.flows.SpanPyramid` takes."""
        return (*self.details, *self.splits, self.segments.columns())

    def rows(self, start: int, stop: int) -> "Conditions":
        """Return those of some of the photographs."""
        here = slice(start, stop)
        return Conditions(
            self.mean[here],
            tuple(condition[here] for condition in self.details),
            Segments(*(part[here] for part in self.segments)),
            Splits(*(part[here] for part in self.splits)),
            tuple(level[here] for level in self.levels),
        )


class Losses(NamedTuple):
    """The losses of a batch; all but the total are only logged.

    Attributes:
        total: the training objective.
        bits_per_dim: of ab in Lab units at stride 4, with the training's noise.
        mean_rmse: root mean squared error of the mean, in Lab units.
        held_energy: share of the mean's squared error that colours of the segments could correct.
        nats_by_scale: negative log-likelihood per normalised dimension, fine to coarse.
    """

    total: Tensor
    bits_per_dim: Tensor
    mean_rmse: Tensor
    held_energy: Tensor
    nats_by_scale: tuple[Tensor, ...]


def normalise(ab: Tensor) -> Tensor:
    """Convert ab ``(..., 2, height, width)`` from Lab units to zero mean and unit deviation."""
    return (ab - ab.new_tensor(AB_OFFSET)[:, None, None]) / ab.new_tensor(AB_SCALE)[:, None, None]


def denormalise(ab: Tensor) -> Tensor:
    """Convert ab back to Lab units: the inverse of :func:`normalise`."""
    return ab * ab.new_tensor(AB_SCALE)[:, None, None] + ab.new_tensor(AB_OFFSET)[:, None, None]


class ColorizationModel(nn.Module):
    """Encoder, decoder, segmenter and flow, as a recipe's architecture describes them."""

    def __init__(self, architecture: ColorizationArchitecture) -> None:
        super().__init__()
        self.encoder = ImageEncoder(architecture.encoder)
        widths, channels = architecture.decoder_widths, self.encoder.channels
        self.decoder = ColourDecoder(
            channels, widths, architecture.decoder_blocks, architecture.attention_layers, architecture.dropout
        )
        self.segmenter = Segmenter(widths[:2], channels[1])
        self.splits = SplitEncoder(
            channels[1:], widths[:2], architecture.split_width, architecture.split_layers, architecture.dropout
        )
        self.to_details = nn.ModuleList(
            nn.Conv2d(width, out, 1) for width, out in zip(widths, architecture.condition_channels, strict=True)
        )
        self.flow = _build_flow(architecture)
        self.polarity = Polarity(sum(channels[1:]))

    def predict_mean(self, lightness: Tensor) -> Tensor:
        """Predict the mean chroma of a batch of photographs alone, normalised, ``(batch, 2, height / 4, width / 4)``.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.
        """
        mean: Tensor = self.decoder(self.encoder(lightness), lightness).mean
        return mean.float()

    def condition(self, lightness: Tensor, features: Sequence[Tensor] = ()) -> Conditions:
        """Compute the conditions of a batch of photographs.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 32.
            features: of the encoder, if they are cached: at strides 8, 16 and 32, or at stride 8 alone.
        """
        features = features if len(features) == 3 else self.encoder(lightness, *features)
        decoded = self.decoder(features, lightness)
        # The mean is that of the squared error: what else learns must not change it.
        fixed = decoded.detach()
        segments = self.segmenter(lightness, features, fixed)
        splits = self.splits(summarise(segments.detach(), lightness, features, fixed))
        details = tuple(project(level) for project, level in zip(self.to_details, fixed.levels, strict=True))
        return Conditions(decoded.mean.float(), details, segments, splits, fixed.levels)

    def distribution(self, conditions: Conditions) -> FlowDistribution:
        """Return the distribution of the residual ``ab - m``, normalised, ``(2, height / 4, width / 4)``."""
        return FlowDistribution(self.flow, conditions.mean.shape[1:], conditions.of_flow)

    def encode(self, ab: Tensor, conditions: Conditions) -> tuple[tuple[Tensor, ...], Tensor]:
        """Map chroma to latents.

        Args:
            ab: Lab units, ``(batch, 2, height / 4, width / 4)``.
            conditions: of as many photographs, or of one.

        Returns:
            The latents, fine to coarse, and ``log p(ab | L)`` in nats, ``(batch,)``.
        """
        latents, log_probs = self.distribution(conditions).encode_by_scale(normalise(ab) - conditions.mean)
        return latents, torch.stack(log_probs).sum(0) - LOG_SCALE * ab[0].numel()

    def decode(self, latents: Sequence[Tensor], conditions: Conditions) -> tuple[Tensor, Tensor]:
        """Map latents to chroma: the inverse of :meth:`encode`, with the same log-likelihood."""
        residual, log_prob = self.distribution(conditions).decode(tuple(latents))
        return denormalise(residual + conditions.mean), log_prob - LOG_SCALE * residual[0].numel()

    def decode_segments(self, latents: Tensor, conditions: Conditions, temperature: float = 1.0) -> Tensor:
        """Map latents of the segments to chroma whose details are those of the mean.

        Args:
            latents: ``(batch, 2, K)``.
            conditions: of one photograph.
            temperature: factor of the residual.

        Returns:
            Lab units, ``(batch, 2, height / 4, width / 4)``.
        """
        splits = tuple(part.expand(len(latents), *part.shape[1:]) for part in conditions.splits)
        coordinates, _ = self.flow.base.inverse(latents, splits)
        directions = self.flow.directions(conditions.segments.columns())[0]
        residual = temperature * torch.einsum("bck,kyx->bcyx", coordinates, directions)
        return denormalise(residual + conditions.mean)

    def cool(self, ab: Tensor, conditions: Conditions, temperature: Sequence[float]) -> Tensor:
        """Bring samples nearer to the mean, scale by scale: 1 leaves them as they are, and 0 gives the mean.

        The temperature is a factor of the coefficients, not of the latents: the density is skewed, so latent zero is
        not the mean, and cooler latents would not lead to it.

        Args:
            ab: Lab units, ``(batch, 2, height / 4, width / 4)``.
            conditions: of as many photographs, or of one.
            temperature: per scale, fine to coarse: of details at strides 8, 16 and 32, of parts, and of things.
        """
        count = len(ab)
        *details, parts, things = temperature
        splits = ab.new_full(conditions.splits.scales.shape[1:], parts)
        splits[:THINGS] = things
        of_flow = tuple(part.expand(count, *part.shape[1:]) for part in conditions.of_flow)
        residual = self.flow.scaled(normalise(ab) - conditions.mean, of_flow, [*details, splits])
        return denormalise(residual + conditions.mean)

    def summarise(self, lightness: Tensor, ab: Tensor, features: Sequence[Tensor]) -> tuple[Summary, Tensor]:
        """Return all that the flow of the segments' colours learns from.

        Args:
            lightness, ab, features: as for :meth:`losses`.

        Returns:
            The summary of the segments, and the coordinates of the residual along their directions, ``(batch, 2, K)``.
        """
        features = features if len(features) == 3 else self.encoder(lightness, *features)
        decoded = self.decoder(features, lightness).detach()
        segments = self.segmenter(lightness, features, decoded).detach()
        directions = self.flow.directions(segments.columns())
        residual = normalise(ab) - decoded.mean.float()
        with without_autocast(residual):
            coordinates = torch.einsum("bkyx,bcyx->bck", directions, residual)
        return summarise(segments, lightness, features, decoded), coordinates

    def segment_nats(self, summary: Summary, coordinates: Tensor, noise: float) -> Tensor:
        """Return the negative log-likelihood of the segments' colours per value, averaged over a batch.

        Args:
            summary, coordinates: from :meth:`summarise`.
            noise: standard deviation of what is added to the normalised chroma.
        """
        noisy = coordinates + noise * torch.randn_like(coordinates)  # the directions are orthonormal
        distribution = FlowDistribution(self.flow.base, coordinates.shape[1:], tuple(self.splits(summary)))
        return -distribution.log_prob(noisy).mean() / coordinates[0].numel()

    def losses(
        self,
        lightness: Tensor,
        ab: Tensor,
        features: Sequence[Tensor],
        objective: ColorizationObjective,
        details_share: float = 1.0,
    ) -> Losses:
        r"""Compute the training objective of a batch.

        .. math::
            \mathcal L = \lambda \, \lVert ab - m(L) \rVert^2
                + \frac{-\log p(s \mid L)}{\dim s}
                + \frac13 \sum_l \frac{-\log p(d_l \mid d_{>l}, s, L)}{\dim d_l}
                - E_{24} - \tfrac12 E_8 + \epsilon H

        with the share :math:`E` of the mean's squared error that lies in the span of the segments and of the things,
        and the entropy :math:`H` of the masks. The four parts have weights of their own, apart from the encoder's: the
        mean learns from the first, the flow from the likelihoods, the segments from the last.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``.
            ab: Lab units, ``(batch, 2, height / 4, width / 4)``.
            features: as for :meth:`condition`.
            objective: the recipe's.
            details_share: share of the batch that the details learn from, the first views. They take most of the time,
                and decide least.
        """
        conditions = self.condition(lightness, features)
        target = normalise(ab)
        error = target - conditions.mean
        residual = error.detach()
        noisy = residual + objective.noise * torch.randn_like(residual)
        things, held = conditions.segments.held_energy(residual)
        masks = conditions.segments.masks
        entropy = -(masks * (masks + 1e-8).log()).sum(1).mean()
        importance = residual.square().mean((1, 2, 3)).clamp(max=1).sqrt()
        energy = (importance * (held + THINGS_WEIGHT * things)).sum() / importance.sum()
        # The flow learns the density, and not where the segments lie.
        conditions = conditions._replace(segments=conditions.segments.detach())
        few = max(1, math.ceil(details_share * len(ab)))
        nats: list[Tensor] = []
        log_probs: list[Tensor] = []
        for start, stop, skip in ((0, few, 0), (few, len(ab), len(self.flow.details))):
            if start < stop:
                part = conditions.rows(start, stop)
                latents, scales = self.distribution(part).encode_by_scale(noisy[start:stop], skip)
                log_probs = log_probs or list(scales)
                nats = nats or [-scale.mean() / z[0].numel() for z, scale in zip(latents, scales, strict=True)]
                if skip:
                    nats[-1] = torch.lerp(-scales[-1].mean() / latents[-1][0].numel(), nats[-1], few / len(ab))
        total = (
            objective.mean_weight * error.square().mean()
            + nats[-1]
            + torch.stack(nats[:-1]).mean()
            - energy
            + ENTROPY_WEIGHT * entropy
        )
        bits = (-torch.stack(log_probs).sum(0).mean() / target[0].numel() + LOG_SCALE) / math.log(2)
        lab_error = residual.square().mean((0, 2, 3)) * residual.new_tensor(AB_SCALE).square()
        return Losses(
            total, bits.detach(), lab_error.mean().sqrt(), held.mean().detach(), tuple(n.detach() for n in nats)
        )


def _build_flow(architecture: ColorizationArchitecture) -> SpanPyramid:
    details = []
    for scale, couplings in enumerate(architecture.couplings):
        subnet = conv_subnet(architecture.subnet_widths[scale])
        condition = architecture.condition_channels[scale] + 8  # and four bands of the picture so far
        steps: list[Bijection] = [ConditionalAffine(6, subnet, condition, CONDITIONAL_CLAMP)]
        for step in range(couplings):
            seed = architecture.mixing_seed + 1000 * scale + step
            steps += [OrthogonalMixing(6, seed), AffineCoupling(6, subnet, condition, architecture.clamp)]
        details.append(Chain(steps))
    return SpanPyramid(TreeFlow(architecture.split_width, architecture.tree_layers), details)
