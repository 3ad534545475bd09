r"""The colorization model: a conditional flow over the chroma of a photograph, given its lightness.

After Ardizzone et al. 2019 (arXiv 1907.02392), with the pyramid of Wavelet Flow (Yu et al. 2020, arXiv 2010.13821):

* a pretrained encoder and a feature pyramid predict the mean chroma :math:`m` from the lightness :math:`L`;
* the residual :math:`r = ab - m`, normalised, is a Haar pyramid whose bands each have a conditional flow:

.. math:: \log p(ab \mid L) = \sum_s \log N(z_s; 0, 1) + \log |\det \partial z_s / \partial r_s|

The mean carries the meaning, and samples vary around it. This module works on batches of tensors;
:class:`cinn_app.systems.colorization.colorizer.Colorizer` works on photographs at full resolution.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.flows import (
    AffineCoupling,
    Bijection,
    Chain,
    ConditionalAffine,
    FlowDistribution,
    HaarDownsampling,
    HaarPyramid,
    OrthogonalMixing,
)
from cinn_app.nn.blocks import conv_subnet
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.pyramid import ColourPyramid
from cinn_app.systems.colorization.recipe import ColorizationArchitecture, ColorizationObjective

__all__ = ["SIZE_MULTIPLE", "ColorizationModel", "Conditions", "Losses", "denormalise", "normalise"]

#: Height and width of the lightness must be multiples of this.
SIZE_MULTIPLE = 64
#: The chroma's side is the lightness's divided by this.
TARGET_STRIDE = 4
#: Mean and standard deviation of a and b over photographs, in Lab units.
AB_OFFSET = (2.4, 7.4)
AB_SCALE = (11.2, 16.8)
#: The mean log-scale of a and b: converts nats per normalised dimension to nats per dimension in Lab units.
LOG_SCALE = sum(map(math.log, AB_SCALE)) / 2
#: The guided filter's window in pixels of the chroma, and its regularisation: a variance of lightness in 0..1.
SETTLING_WINDOW, SETTLING_EPSILON = 13, 0.01
#: Bound of the log-scales that come directly from the condition.
CONDITIONAL_CLAMP = 4.0


class Conditions(NamedTuple):
    """The conditions of the flow for a batch of photographs.

    Attributes:
        mean: the mean chroma, normalised, ``(batch, 2, height / 4, width / 4)``.
        scales: one tensor per scale of the flow, at strides 8, 16, 32 and 64.
    """

    mean: Tensor
    scales: tuple[Tensor, ...]

    def first(self, count: int) -> "Conditions":
        """Return those of the first photographs."""
        return Conditions(self.mean[:count], tuple(condition[:count] for condition in self.scales))


class Losses(NamedTuple):
    """The losses of a batch; all but the total are only logged.

    Attributes:
        total: the training objective.
        bits_per_dim: of ab in Lab units at stride 4, with the training's noise.
        mean_rmse: root mean squared error of the mean, in Lab units.
        nats_by_scale: negative log-likelihood per normalised dimension, fine to coarse.
    """

    total: Tensor
    bits_per_dim: Tensor
    mean_rmse: Tensor
    nats_by_scale: tuple[Tensor, ...]


def normalise(ab: Tensor) -> Tensor:
    """Convert ab ``(..., 2, height, width)`` from Lab units to zero mean and unit deviation."""
    return (ab - ab.new_tensor(AB_OFFSET)[:, None, None]) / ab.new_tensor(AB_SCALE)[:, None, None]


def denormalise(ab: Tensor) -> Tensor:
    """Convert ab back to Lab units: the inverse of :func:`normalise`."""
    return ab * ab.new_tensor(AB_SCALE)[:, None, None] + ab.new_tensor(AB_OFFSET)[:, None, None]


class ColorizationModel(nn.Module):
    """Encoder, pyramid and flow, as a recipe's architecture describes them."""

    def __init__(self, architecture: ColorizationArchitecture) -> None:
        super().__init__()
        self.encoder = ImageEncoder(architecture.encoder)
        self.pyramid = ColourPyramid(
            self.encoder.channels,
            architecture.pyramid_widths,
            architecture.condition_channels,
            architecture.pyramid_blocks,
            architecture.attention_layers,
        )
        self.flow = _build_flow(architecture)
        self.haar = HaarDownsampling()

    def condition(self, lightness: Tensor, stem_features: Tensor | None = None) -> Conditions:
        """Compute the conditions of a batch of photographs.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 64.
            stem_features: of the encoder's stem, if they are cached.
        """
        output = self.pyramid(self.encoder(lightness, stem_features), lightness)
        mean = output.mean.float()
        # Each scale gets the mean at its own stride, as it is and as the bands it would give. The flow's gradient must
        # not change the mean, which is that of the squared error.
        low, scales = mean.detach(), []
        for level, condition in enumerate(output.conditions, start=1):
            bands = self.haar(low)[0]
            scales.append(torch.cat([condition.float(), bands / 2**level], 1))
            low = bands[:, :2]
        return Conditions(mean, tuple(scales))

    def distribution(self, conditions: Conditions) -> FlowDistribution:
        """Return the distribution of the residual ``ab - m``, normalised, ``(2, height / 4, width / 4)``."""
        return FlowDistribution(self.flow, conditions.mean.shape[1:], conditions.scales)

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

    def settle(self, ab: Tensor, conditions: Conditions, lightness: Tensor) -> Tensor:
        """Smooth a sample along the edges of the lightness, which removes the block steps of the wavelets.

        A guided filter (He et al. 2010) makes the difference between sample and mean locally linear in the lightness:
        steps without an edge in the lightness disappear. The mean stays. The result has other latents than the sample.

        Args:
            ab: Lab units, ``(batch, 2, height / 4, width / 4)``.
            conditions: of as many photographs, or of one.
            lightness: L* in 0..100, ``(batch, 1, height, width)``, or of one photograph.

        Returns:
            Chroma of the same shape.
        """
        from kornia.filters import guided_blur  # takes long to load

        mean = denormalise(conditions.mean)
        guide = functional.avg_pool2d(lightness, TARGET_STRIDE).expand(len(ab), -1, -1, -1) / 100
        return mean + guided_blur(guide, ab - mean, SETTLING_WINDOW, SETTLING_EPSILON)

    def losses(
        self,
        lightness: Tensor,
        ab: Tensor,
        stem_features: Tensor | None,
        objective: ColorizationObjective,
        flow_share: float = 1.0,
    ) -> Losses:
        r"""Compute the training objective of a batch.

        .. math::
            \mathcal L = \frac1S \sum_s \frac{-\log p(r_s \mid r_{>s}, L)}{\dim r_s}
                + \lambda \, \lVert ab - m(L) \rVert^2

        All scales have the same weight per dimension. Each density has its own weights, so the optimum is that of the
        plain likelihood, but the fine scales do not dominate the pyramid that all of them share.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``.
            ab: Lab units, ``(batch, 2, height / 4, width / 4)``.
            stem_features: of the encoder's stem, or ``None`` to compute them.
            objective: the recipe's.
            flow_share: share of the batch that the likelihood is estimated from, the first views. The flow takes most
                of the time, and the mean needs the most pictures.
        """
        conditions = self.condition(lightness, stem_features)
        target = normalise(ab)
        error = (target - conditions.mean).square()
        count = math.ceil(flow_share * len(ab))
        noisy = target[:count] + objective.noise * torch.randn_like(target[:count])
        distribution = self.distribution(conditions.first(count))
        latents, log_probs = distribution.encode_by_scale(noisy - conditions.mean[:count].detach())
        nats = [-log_prob.mean() / z[0].numel() for z, log_prob in zip(latents, log_probs, strict=True)]
        total = torch.stack(nats).mean() + objective.mean_weight * error.mean()
        bits = (-torch.stack(log_probs).sum(0).mean() / target[0].numel() + LOG_SCALE) / math.log(2)
        lab_error = error.mean((0, 2, 3)) * error.new_tensor(AB_SCALE).square()
        return Losses(total, bits.detach(), lab_error.mean().sqrt().detach(), tuple(n.detach() for n in nats))


def _build_flow(architecture: ColorizationArchitecture) -> HaarPyramid:
    scales = []
    for scale, couplings in enumerate(architecture.couplings):
        base = scale == len(architecture.couplings) - 1
        channels = 8 if base else 6
        # The pyramid's condition, four bands of the mean's two channels, and for details the coarser residual.
        condition = architecture.condition_channels[scale] + 8 + (0 if base else 2)
        subnet = conv_subnet(architecture.subnet_widths[scale])
        steps: list[Bijection] = [ConditionalAffine(channels, subnet, condition, CONDITIONAL_CLAMP)]
        for step in range(couplings):
            seed = architecture.mixing_seed + 1000 * scale + step
            steps += [
                OrthogonalMixing(channels, seed),
                AffineCoupling(channels, subnet, condition, architecture.clamp),
            ]
        scales.append(Chain(steps))
    return HaarPyramid(scales[-1], scales[:-1])
