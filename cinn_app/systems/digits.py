"""Handwritten digits: a class-conditional flow on pictures of 28x28 pixels, and its likelihood.

Ardizzone et al. 2019 (arXiv 1907.02392), section 4.1, as a pyramid of wavelets: the coarse scale, 7x7 positions of four
Haar bands, is a picture of the digit as a whole, and the fine scale adds the details that the coarse picture leaves
open. The label steers both through a map that it is embedded in.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.flows import (
    ActNorm,
    Bijection,
    Chain,
    ConditionalAffine,
    Conditioned,
    HaarPyramid,
    Logit,
    OrthogonalMixing,
    SplineCoupling,
    Subnet,
    standard_normal_log_prob,
)
from cinn_app.networks.residual import ResidualBlock
from cinn_app.networks.subnets import conv_subnet, dense_subnet, start_at_zero
from cinn_app.recipes import DigitsArchitecture

__all__ = ["AXES", "CLASSES", "DIMS", "SIDE", "DigitModel", "bits_per_dim", "dequantise", "quantise"]

CLASSES = 10
SIDE = 28
DIMS = SIDE * SIDE
#: Principal axes that are kept.
AXES = 12
#: The coarse scale has 4 channels of 7x7, the fine one 3 of 14x14.
COARSE, FINE = (4, 7, 7), (3, 14, 14)
COARSE_DIMS = math.prod(COARSE)
#: The conditional affine layer in front of each scale may stretch by e to this.
CONDITIONAL_CLAMP = 4.0


def dequantise(images: Tensor, noise: Tensor | None = None) -> Tensor:
    """Bring grays to the range that the flow models: ``(images + noise) / 256``.

    Args:
        images: uint8, ``(batch, 28, 28)``.
        noise: uniform in 0..1, of the same shape; without it the middle of each step is taken.

    Returns:
        ``(batch, 1, 28, 28)``, in 0..1.
    """
    return ((images.float() + (0.5 if noise is None else noise)) / 256).unsqueeze(1)


def quantise(x: Tensor) -> Tensor:
    """Undo :func:`dequantise`; what lies outside the range becomes black or white."""
    return (x.squeeze(1) * 256).floor().clamp(0, 255).to(torch.uint8)


class DigitModel(nn.Module):
    """Label map, conditioning network and flow, as a recipe's architecture describes them.

    Latents are flat, ``(batch, 784)``: first the 196 values of the coarse scale, then the 588 of the fine one. Labels
    are int64, ``(batch,)``, or weights of the classes, ``(batch, 10)``, whose maps are then mixed.

    Attributes:
        axes: principal axes of the handwriting as unit vectors, ``(11, AXES, 784)``: those within each class, and last
            those over all classes. Found after training; zero before.
    """

    axes: Tensor

    def __init__(self, architecture: DigitsArchitecture) -> None:
        super().__init__()
        self.label_map = nn.Embedding(CLASSES, architecture.label_channels * 7 * 7)
        self.flow = Chain([Logit(architecture.margin), HaarPyramid(_coarse(architecture), [_fine(architecture)])])
        self.register_buffer("axes", torch.zeros(CLASSES + 1, AXES, DIMS))

    def encode(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map dequantised pictures ``(batch, 1, 28, 28)`` to latents and ``log p(x | y)`` in nats, ``(batch,)``."""
        (fine, coarse), log_det = self.flow(x, self._conditions(labels))
        z = torch.cat([coarse.flatten(1), fine.flatten(1)], dim=1)
        return z, standard_normal_log_prob(z) + log_det

    def decode(self, z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map latents ``(batch, 784)`` to pictures ``(batch, 1, 28, 28)`` and their ``log p(x | y)``, ``(batch,)``."""
        coarse, fine = z.split([COARSE_DIMS, DIMS - COARSE_DIMS], dim=1)
        latent = (fine.unflatten(1, FINE), coarse.unflatten(1, COARSE))
        x, log_det = self.flow.inverse(cast(Tensor, latent), self._conditions(labels))  # a pyramid takes a tuple
        return x, standard_normal_log_prob(z) - log_det

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        r"""Return the bits per dimension of the grays, dequantised with fresh noise: a scalar.

        .. math::
            \mathcal L = -\frac{\log_2 p(x \mid y)}{784} + 8, \quad x = \frac{k + u}{256}, \; u \sim U(0, 1)

        It is an upper bound on what a code for the grays :math:`k` needs (Theis et al. 2016, arXiv 1511.01844).

        Args:
            images: uint8, ``(batch, 28, 28)``.
            labels: int64, ``(batch,)``.
        """
        x = dequantise(images, torch.rand(images.shape, device=images.device))
        return bits_per_dim(self.encode(x, labels)[1]).mean()

    def _conditions(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return what steers the fine scale and the coarse one."""
        mixed = labels.is_floating_point()
        flat = labels @ self.label_map.weight if mixed else self.label_map(labels)
        coarse = flat.unflatten(1, (-1, 7, 7))
        return functional.interpolate(coarse, scale_factor=2.0), coarse


def bits_per_dim(log_prob: Tensor) -> Tensor:
    """Turn ``log p(x | y)`` in nats, of values in 0..1, into bits per dimension of grays in 0..255."""
    return -log_prob / (DIMS * math.log(2)) + 8


def _coarse(architecture: DigitsArchitecture) -> Bijection:
    """Build the flow of the digit as a whole: subnets that see neighbours and ones that see everything, in turn."""
    return _scale(
        architecture,
        scale=1,
        channels=COARSE[0],
        condition_channels=architecture.label_channels,
        subnets=[conv_subnet(architecture.subnet_widths[1]), dense_subnet(architecture.dense_width, COARSE[1:])],
    )


def _fine(architecture: DigitsArchitecture) -> Bijection:
    """Build the flow of the details, steered by what a network sees in the coarser image and the label."""
    width = architecture.feature_width
    network = nn.Sequential(
        nn.Conv2d(architecture.label_channels + 1, width, 3, padding="same"),
        *[ResidualBlock(width) for _ in range(architecture.feature_blocks)],
        nn.SiLU(),
    )
    subnets = [conv_subnet(architecture.subnet_widths[0])]
    return Conditioned(network, _scale(architecture, 0, FINE[0], width, subnets))


def _scale(
    architecture: DigitsArchitecture, scale: int, channels: int, condition_channels: int, subnets: list[Subnet]
) -> Chain:
    """Chain normalisation, what the condition foretells, and couplings with random orthogonal mixing between them."""

    def direct(in_channels: int, out_channels: int) -> nn.Module:
        return start_at_zero(nn.Conv2d(in_channels, out_channels, 1))

    steps: list[Bijection] = [
        ActNorm(channels),
        ConditionalAffine(channels, direct, condition_channels, CONDITIONAL_CLAMP),
    ]
    for number in range(architecture.couplings[scale]):
        coupling = SplineCoupling(
            channels,
            subnets[number % len(subnets)],
            condition_channels,
            architecture.bins,
            architecture.bound,
            architecture.clamp,
            flip=number // len(subnets) % 2 == 1,
        )
        steps += [coupling, OrthogonalMixing(channels, architecture.mixing_seed + 1000 * scale + number)]
    return Chain(steps)
