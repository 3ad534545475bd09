"""Diverse colorization: a conditional flow over the chroma of a photograph, given its lightness.

After Ardizzone et al. 2019 (arXiv 1907.02392) with the pyramid of Wavelet Flow (Yu et al. 2020, arXiv 2010.13821):

* a pretrained encoder and a feature pyramid read the lightness `L` and predict the mean chroma `m`;
* the normalised chroma's residual `r = ab - m` is a Haar pyramid, each band a conditional flow of its own:
  `log p(ab | L) = sum over scales of log N(z_s; 0, 1) + log|det dz_s / dr_s|`.

Meaning lives in the mean, and samples vary around it. Everything here works on batches of tensors; photographs and
full resolution are the business of :class:`cinn_app.systems.colorization.colorizer.Colorizer`.
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
#: Turns nats per normalised dimension into nats per dimension in Lab units: the mean log-scale of a and b.
LOG_SCALE = sum(map(math.log, AB_SCALE)) / 2
#: The guided filter's window in pixels of the chroma, and the variance of lightness in 0..1 that is an edge to it.
SETTLING_WINDOW, SETTLING_EPSILON = 13, 0.01
#: Bounds the log-scales that come straight from the condition.
CONDITIONAL_CLAMP = 4.0


class Conditions(NamedTuple):
    """What the flow is told about a batch of photographs.

    Attributes:
        mean: the expected chroma, normalised, ``(batch, 2, height / 4, width / 4)``.
        scales: one tensor per scale of the flow, at strides 8, 16, 32 and 64.
    """

    mean: Tensor
    scales: tuple[Tensor, ...]

    def first(self, count: int) -> "Conditions":
        """Keep the first photographs only."""
        return Conditions(self.mean[:count], tuple(condition[:count] for condition in self.scales))

    def repeat(self, samples: int) -> "Conditions":
        """Repeat each photograph so that several samples of it make one batch."""
        return Conditions(
            self.mean.repeat_interleave(samples, 0),
            tuple(condition.repeat_interleave(samples, 0) for condition in self.scales),
        )


class Losses(NamedTuple):
    """What one batch costs; all but the total are only watched.

    Attributes:
        total: what is minimised.
        bits_per_dim: of ab in Lab units at stride 4, noise included.
        mean_rmse: root mean squared error of the mean, in Lab units.
        nats_by_scale: negative log-likelihood per normalised dimension, fine to coarse.
    """

    total: Tensor
    bits_per_dim: Tensor
    mean_rmse: Tensor
    nats_by_scale: tuple[Tensor, ...]


def normalise(ab: Tensor) -> Tensor:
    """Bring ab ``(..., 2, height, width)`` from Lab units to zero mean and unit deviation."""
    return (ab - ab.new_tensor(AB_OFFSET)[:, None, None]) / ab.new_tensor(AB_SCALE)[:, None, None]


def denormalise(ab: Tensor) -> Tensor:
    """Undo :func:`normalise`."""
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
        """Read a batch of photographs.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``, sides divisible by 64.
            stem_features: what the encoder's stem makes of it, where that has been computed before.
        """
        output = self.pyramid(self.encoder(lightness, stem_features), lightness)
        mean = output.mean.float()
        # Each scale sees the predicted colours at its own stride, as they are and as the bands they would give. What
        # the flow wants of them must not bend the mean: that is the squared error's.
        low, conditions = mean.detach(), []
        for level, condition in enumerate(output.conditions, start=1):
            bands = self.haar(low)[0] / 2**level
            conditions.append(torch.cat([condition.float(), bands], 1))
            low = self.haar(low)[0][:, :2]
        return Conditions(mean, tuple(conditions))

    def residual(self, conditions: Conditions) -> FlowDistribution:
        """Return ``p(r | L)``, the distribution of the residual ``r = ab - m``, all normalised."""
        return FlowDistribution(self.flow, conditions.mean.shape[1:], conditions.scales)

    def encode(self, ab: Tensor, conditions: Conditions) -> tuple[tuple[Tensor, ...], Tensor]:
        """Map chroma in Lab units, ``(batch, 2, height / 4, width / 4)``, to latents and ``log p(ab | L)`` in nats."""
        latents, log_probs = self.residual(conditions).encode_by_scale(normalise(ab) - conditions.mean.detach())
        return latents, torch.stack(log_probs).sum(0) - LOG_SCALE * ab[0].numel()

    def decode(self, latents: Sequence[Tensor], conditions: Conditions) -> tuple[Tensor, Tensor]:
        """Map latents, fine to coarse, to chroma in Lab units and its ``log p(ab | L)`` in nats, ``(batch,)``."""
        residual, log_prob = self.residual(conditions).decode(tuple(latents))
        return denormalise(residual + conditions.mean), log_prob - LOG_SCALE * residual[0].numel()

    def draw(
        self, shape: Sequence[int], temperature: Sequence[float], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        r"""Draw latents, fine to coarse, each value from :math:`N(0, T_s^2)` of its scale.

        Temperature 1, decoded and not settled, samples the density that was learnt.

        Args:
            shape: of the chroma, ``(batch, 2, height / 4, width / 4)``.
            temperature: standard deviation of the latent per scale, fine to coarse.
            generator: makes draws repeatable.
        """
        return tuple(FlowDistribution(self.flow, shape[1:]).sample_latent(shape[:1], temperature, generator))

    def settle(self, ab: Tensor, conditions: Conditions, lightness: Tensor) -> Tensor:
        """Let a sample's departure from the mean follow the things in the picture instead of the wavelets' blocks.

        The departure, not the mean, goes through a guided filter (He et al. 2010): it becomes locally linear in the
        lightness, so that steps where there is no edge are smoothed away. What comes out is encoded anew where its
        likelihood is wanted.

        Args:
            ab: Lab units, ``(batch, 2, height / 4, width / 4)``.
            conditions: from :meth:`condition`.
            lightness: L* in 0..100, ``(batch, 1, height, width)``, or a batch of one for all.

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
        """Compute the training objective of one batch.

        .. math::
            \\mathcal L = \\frac1S \\sum_s \\frac{-\\log p(r_s \\mid r_{>s}, L)}{\\dim r_s}
                + \\lambda \\, \\lVert ab - m(L) \\rVert^2

        Every scale weighs the same, per dimension of its own: each density has its own weights, so the optimum is that
        of the plain likelihood, but the pyramid they share is not drowned in fine texture.

        Args:
            lightness: L* in 0..100, ``(batch, 1, height, width)``.
            ab: Lab units, ``(batch, 2, height / 4, width / 4)``.
            stem_features: what the encoder's stem makes of the lightness, or ``None`` to compute it.
            objective: the recipe's.
            flow_share: of the batch, the first views, from which the likelihood's mean is estimated. The flow takes
                most of the time, and the mean, which decides what is sky and what is skin, most pictures.
        """
        conditions = self.condition(lightness, stem_features)
        target = normalise(ab)
        error = (target - conditions.mean).square()
        few = math.ceil(flow_share * len(ab))
        noisy = target[:few] + objective.noise * torch.randn_like(target[:few])
        conditions = conditions.first(few)
        latents, log_probs = self.residual(conditions).encode_by_scale(noisy - conditions.mean.detach())
        nats = [-log_prob.mean() / z[0].numel() for z, log_prob in zip(latents, log_probs, strict=True)]
        total = torch.stack(nats).mean() + objective.mean_weight * error.mean()
        dims = target[0].numel()
        bits = (-torch.stack(log_probs).sum(0).mean() / dims + LOG_SCALE) / math.log(2)
        lab_error = error.mean((0, 2, 3)) * error.new_tensor(AB_SCALE).square()
        return Losses(total, bits.detach(), lab_error.mean().sqrt().detach(), tuple(n.detach() for n in nats))


def _build_flow(architecture: ColorizationArchitecture) -> HaarPyramid:
    scales = []
    for scale, couplings in enumerate(architecture.couplings):
        base = scale == len(architecture.couplings) - 1
        channels = 8 if base else 6
        # The pyramid's condition, the mean's four bands of two channels, and for details the coarser residual.
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
