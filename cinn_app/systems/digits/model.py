"""Handwritten digits: a class-conditional flow on pictures of 28x28 pixels, and its likelihood.

Ardizzone et al. 2019 (arXiv 1907.02392), section 4.1, as a pyramid of wavelets: first the whole digit in 7x7 values,
then its details at 14x14 pixels, then those at 28x28 pixels. All of it is conditional on an embedding of the label.
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
#: Values of the latent for the whole digit, and with its details at half resolution.
WHOLE_DIMS = math.prod(WHOLE)
COARSE_DIMS = WHOLE_DIMS + math.prod(MIDDLE)
#: Bounds of the log-scales of the conditional affine layers and of the fully connected couplings.
CONDITIONAL_CLAMP, DENSE_CLAMP = 4.0, 1.0


def dequantise(images: Tensor, noise: Tensor | None = None) -> Tensor:
    """Map grays to the range that the flow models: ``(images + noise) / 256``.

    Args:
        images: uint8, ``(batch, 28, 28)``.
        noise: uniform in 0..1, of the same shape; by default the middle, 0.5.

    Returns:
        ``(batch, 1, 28, 28)``, in 0..1.
    """
    return ((images.float() + (0.5 if noise is None else noise)) / 256).unsqueeze(1)


def quantise(x: Tensor) -> Tensor:
    """Invert :func:`dequantise`; values outside the range become black or white."""
    return (x.squeeze(1) * 256).floor().clamp(0, 255).to(torch.uint8)


class DigitModel(nn.Module):
    """Embedding of the labels, conditioning networks and flow of a recipe's architecture.

    Latents are flat, ``(batch, 784)``: 49 values for the whole digit, 147 for the details at half resolution and 588
    for those at full resolution. Labels are int64, ``(batch,)``, or weights of the classes, ``(batch, 10)``, which mix
    the embeddings.

    Attributes:
        axes: principal axes of the handwriting as unit vectors, ``(11, AXES, 784)``: those within each class, and last
            those over all classes. Found after training, and zero before.
    """

    axes: Tensor

    def __init__(self, architecture: DigitsArchitecture) -> None:
        super().__init__()
        self.label_map = nn.Embedding(CLASSES, architecture.label_channels * 7 * 7)
        self.logit = Logit(architecture.margin)
        self.pyramid = _build_flow(architecture)
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
            fine_share: share of the batch, its first pictures, from which the mean of the fine scale's part is
                estimated. The fine scale takes most of the time, but the coarse one, which needs more pictures, decides
                whether digits can be read.
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
        """Return the conditions of the fine and the coarse scale."""
        mixed = labels.is_floating_point()
        flat = labels @ self.label_map.weight if mixed else self.label_map(labels)
        coarse = flat.unflatten(1, (-1, 7, 7))
        return functional.interpolate(coarse, scale_factor=2.0), coarse


def bits_per_dim(log_prob: Tensor) -> Tensor:
    """Turn ``log p(x | y)`` in nats, of values in 0..1, into bits per dimension of grays in 0..255."""
    return -log_prob / (DIMS * math.log(2)) + 8


def _build_flow(architecture: DigitsArchitecture) -> HaarPyramid:
    """Build the flow of opened pictures: the whole digit, its details at half resolution, those at full resolution.

    Neighbours decide the details at full resolution. At half resolution neighbours come first, then all values.
    """
    label_channels, channels_of_half = architecture.label_channels, architecture.label_channels + WHOLE[0]
    whole = _dense_flow(architecture, WHOLE, label_channels, stage=1)
    half = Chain(
        [
            _local_flow(architecture, MIDDLE[0], channels_of_half, stage=1),
            _dense_flow(architecture, MIDDLE, channels_of_half, stage=0),
        ]
    )
    coarse = Chain([ActNorm(WHOLE[0] + MIDDLE[0]), Triangular(WHOLE[0], WHOLE_DIMS, whole, half)])
    return HaarPyramid(coarse, [_local_flow(architecture, FINE[0], label_channels + 1, stage=0)])


def _local_flow(architecture: DigitsArchitecture, channels: int, condition_channels: int, stage: int) -> Bijection:
    """Build a flow of details, in which convolutional subnets see features of the condition and neighbouring details.

    It normalises, subtracts what the condition predicts, and couples, with random orthogonal mixing in between.
    """
    width = architecture.feature_width
    network = nn.Sequential(
        nn.Conv2d(condition_channels, width, 3, padding="same"),
        *[ResidualBlock(width) for _ in range(architecture.feature_blocks)],
        nn.SiLU(),
    )
    steps: list[Bijection] = [ActNorm(channels), ConditionalAffine(channels, _zero_conv, width, CONDITIONAL_CLAMP)]
    subnet = conv_subnet(architecture.subnet_widths[stage], out_kernel_size=1)
    for number in range(architecture.couplings[stage]):
        steps += [
            SplineCoupling(channels, subnet, width, architecture.bins, architecture.bound, architecture.clamp),
            OrthogonalMixing(channels, architecture.mixing_seed + 1000 * stage + number),
        ]
    return Conditioned(network, Chain(steps))


def _dense_flow(
    architecture: DigitsArchitecture, shape: tuple[int, int, int], condition_channels: int, stage: int
) -> Bijection:
    """Build a flow of a small image as one vector, in which every subnet sees all values and the condition.

    Affine couplings suffice, since every value is a mean of many pixels, and so its noise is nearly normal. All values
    are mixed in between, so each coupling splits them in another way.
    """
    dims, width, context = math.prod(shape), architecture.dense_width, architecture.context_width
    values = condition_channels * shape[1] * shape[2]
    network = nn.Sequential(nn.Flatten(), nn.Linear(values, width), nn.SiLU(), nn.Linear(width, context), nn.SiLU())
    steps: list[Bijection] = [ActNorm(dims)]
    for number in range(architecture.dense_couplings[stage]):
        steps += [
            AffineCoupling(dims, dense_subnet(width, architecture.dropout), context, DENSE_CLAMP),
            OrthogonalMixing(dims, architecture.mixing_seed + 1000 * (stage + 2) + number),
        ]
    return Chain([Flatten(shape), Conditioned(network, Chain(steps))])


def _zero_conv(in_channels: int, out_channels: int) -> nn.Module:
    return zero_init(nn.Conv2d(in_channels, out_channels, 1))
