"""Handwritten digits: a class-conditional flow on pictures of 28x28 pixels, and its likelihood.

Ardizzone et al. 2019 (arXiv 1907.02392), section 4.1, as a pyramid of wavelets: first the digit as a whole in 7x7
values, then the details that these leave open, at 14x14 and at last at 28x28 pixels. The label steers all of it through
a map that it is embedded in.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.flows import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    ConditionalAffine,
    Conditioned,
    Flatten,
    FlowDistribution,
    HaarPyramid,
    Logit,
    OrthogonalMixing,
    SplineCoupling,
    Triangular,
)
from cinn_app.nn.blocks import ResidualBlock, conv_subnet, dense_subnet, zero_init
from cinn_app.systems.digits.images import DIGIT_SIDE
from cinn_app.systems.digits.recipe import DigitsArchitecture

__all__ = ["AXES", "CLASSES", "DIMS", "DigitModel", "bits_per_dim", "dequantise", "quantise"]

CLASSES = 10
DIMS = DIGIT_SIDE * DIGIT_SIDE
#: Principal axes that are kept.
AXES = 12
#: The wavelet bands: the whole digit, and the details at half and at full resolution.
WHOLE, MIDDLE, FINE = (1, 7, 7), (3, 7, 7), (3, 14, 14)
#: Values of the latent that stand for the whole, and with the details at half resolution.
WHOLE_DIMS = math.prod(WHOLE)
COARSE_DIMS = WHOLE_DIMS + math.prod(MIDDLE)
#: The conditional affine layer in front of each scale may stretch by e to this.
CONDITIONAL_CLAMP = 4.0
#: And the fully connected couplings, by e to this.
DENSE_CLAMP = 1.0


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

    Latents are flat, ``(batch, 784)``: 49 values for the digit as a whole, 147 for the details at half resolution and
    588 for those at full resolution. Labels are int64, ``(batch,)``, or weights of the classes, ``(batch, 10)``, whose
    maps are then mixed.

    Attributes:
        axes: principal axes of the handwriting as unit vectors, ``(11, AXES, 784)``: those within each class, and last
            those over all classes. Found after training; zero before.
    """

    axes: Tensor

    def __init__(self, architecture: DigitsArchitecture) -> None:
        super().__init__()
        self.label_map = nn.Embedding(CLASSES, architecture.label_channels * 7 * 7)
        self.logit = Logit(architecture.margin)
        self.pyramid = HaarPyramid(_coarse(architecture), [_fine(architecture)])
        self.register_buffer("axes", torch.zeros(CLASSES + 1, AXES, DIMS))
        self.to(memory_format=torch.channels_last)  # convolutions on a CPU are a quarter faster so

    def distribution(self, labels: Tensor) -> FlowDistribution:
        """Return ``p(x | y)``, the distribution of dequantised pictures ``(1, 28, 28)`` under each label."""
        return FlowDistribution(
            Chain([self.logit, self.pyramid]), (1, DIGIT_SIDE, DIGIT_SIDE), self._conditions(labels)
        )

    def encode(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map dequantised pictures ``(batch, 1, 28, 28)`` to latents and ``log p(x | y)`` in nats, ``(batch,)``."""
        (fine, coarse), log_prob = self.distribution(labels).encode(x)
        return torch.cat([coarse, fine.flatten(1)], dim=1), log_prob

    def decode(self, z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map latents ``(batch, 784)`` to pictures ``(batch, 1, 28, 28)`` and their ``log p(x | y)``, ``(batch,)``."""
        coarse, fine = z.split([COARSE_DIMS, DIMS - COARSE_DIMS], dim=1)
        return self.distribution(labels).decode((fine.unflatten(1, FINE), coarse))

    def loss(self, images: Tensor, labels: Tensor, fine_share: float = 1.0) -> Tensor:
        r"""Return the bits per dimension of the grays, dequantised with fresh noise: a scalar.

        .. math::
            \mathcal L = -\frac{\log_2 p(x \mid y)}{784} + 8, \quad x = \frac{k + u}{256}, \; u \sim U(0, 1)

        It is an upper bound on what a code for the grays :math:`k` needs (Theis et al. 2016, arXiv 1511.01844).

        Args:
            images: uint8, ``(batch, 28, 28)``.
            labels: int64, ``(batch,)``.
            fine_share: of the batch, the first pictures, from which the fine scale's part of the mean is estimated. The
                fine scale takes most of the time, and the coarse one, which decides what can be read, most pictures.
        """
        x = dequantise(images, torch.rand(images.shape, device=images.device))
        opened, log_slope = self.logit(x)
        few = math.ceil(fine_share * len(images))
        fine, coarse = self._log_probs_by_scale(opened[:few], labels[:few])
        if few < len(images):
            coarse = torch.cat([coarse, *self._log_probs_by_scale(opened[few:], labels[few:], skip=1)])
        return bits_per_dim(log_slope.mean() + fine.mean() + coarse.mean())

    def _log_probs_by_scale(self, opened: Tensor, labels: Tensor, skip: int = 0) -> tuple[Tensor, ...]:
        distribution = FlowDistribution(self.pyramid, opened.shape[1:], self._conditions(labels))
        return distribution.encode_by_scale(opened, skip)[1]

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
    """Build the flow of the coarse image: normalised bands, the whole digit, and its details given the whole."""
    whole = _overall(architecture, WHOLE, architecture.label_channels, stage=1)
    bands = WHOLE[0] + MIDDLE[0]
    return Chain([ActNorm(bands), Triangular(WHOLE[0], WHOLE_DIMS, whole, _middle(architecture))])


def _middle(architecture: DigitsArchitecture) -> Bijection:
    """Build the flow of the details at half resolution given the whole: first what is near counts, then everything."""
    sees = architecture.label_channels + WHOLE[0]
    local = _local(architecture, MIDDLE[0], sees, stage=1)
    return Chain([local, _overall(architecture, MIDDLE, sees, stage=0)])


def _fine(architecture: DigitsArchitecture) -> Bijection:
    """Build the flow of the details at full resolution, which are decided by what is near them."""
    return _local(architecture, FINE[0], architecture.label_channels + 1, stage=0)


def _local(architecture: DigitsArchitecture, channels: int, condition_channels: int, stage: int) -> Bijection:
    """Build a flow of details by what a convolutional network sees of the condition, and of their neighbours.

    It normalises, takes away what the condition foretells, and couples with random orthogonal mixing in between.
    """
    width = architecture.feature_width
    network = nn.Sequential(
        nn.Conv2d(condition_channels, width, 3, padding="same"),
        *[ResidualBlock(width) for _ in range(architecture.feature_blocks)],
        nn.SiLU(),
    )
    steps: list[Bijection] = [ActNorm(channels), ConditionalAffine(channels, _direct, width, CONDITIONAL_CLAMP)]
    subnet = conv_subnet(architecture.subnet_widths[stage], out_kernel_size=1)
    for number in range(architecture.couplings[stage]):
        steps += [
            SplineCoupling(channels, subnet, width, architecture.bins, architecture.bound, architecture.clamp),
            OrthogonalMixing(channels, architecture.mixing_seed + 1000 * stage + number),
        ]
    return Conditioned(network, Chain(steps))


def _overall(architecture: DigitsArchitecture, shape: tuple[int, int, int], sees: int, stage: int) -> Bijection:
    """Build a flow of a whole small image, laid out in a row, in which every subnet sees all values and the condition.

    Scale and shift suffice, since every value is a mean of many pixels, whose noise is nearly normal. The mixing in
    between is over all values, so that each coupling splits them anew.
    """
    dims, width, context = math.prod(shape), architecture.dense_width, architecture.context_width
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(sees * shape[1] * shape[2], width), nn.SiLU(), nn.Linear(width, context), nn.SiLU()
    )
    steps: list[Bijection] = [ActNorm(dims)]
    for number in range(architecture.dense_couplings[stage]):
        steps += [
            AffineCoupling(dims, dense_subnet(width, architecture.dropout), context, DENSE_CLAMP),
            OrthogonalMixing(dims, architecture.mixing_seed + 1000 * (stage + 2) + number),
        ]
    return Chain([Flatten(shape), Conditioned(network, Chain(steps))])


def _direct(in_channels: int, out_channels: int) -> nn.Module:
    return zero_init(nn.Conv2d(in_channels, out_channels, 1))
