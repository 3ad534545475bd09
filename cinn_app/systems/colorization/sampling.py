"""Sampling: latents are drawn and decoded, settled along the edges of the photograph, tinted and made vivid."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.errors import CinnError
from cinn_app.flows import FlowDistribution, random_orthogonal
from cinn_app.limits import MAX_SEED
from cinn_app.systems.colorization.axes import ColourAxis, sum_of_steps
from cinn_app.systems.colorization.constraints import keep_region, meet_hints, meet_palette
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.model import TARGET_STRIDE, ColorizationModel
from cinn_app.systems.colorization.recipe import ColorizationSampling
from cinn_app.systems.colorization.steering import Steering

__all__ = ["check_seed", "draw_chroma", "draw_from_density", "generator_of", "sample_numbers"]

#: One corner of each opposite pair of a cube's corners.
CORNERS = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
#: A difference in L*, of mean or deviation, that turns the samples of a photograph once round against those of another.
TURN = 10.0


def draw_chroma(
    model: ColorizationModel,
    sampling: ColorizationSampling,
    axes: Sequence[ColourAxis],
    encoded: EncodedPhotograph,
    temperature: Sequence[float],
    seed: int,
    numbers: Sequence[int],
    steering: Steering,
) -> Tensor:
    r"""Draw chroma for a photograph, and steer it. No sample depends on which others are drawn.

    Samples :math:`2k` and :math:`2k + 1` are antithetic: where one has the random :math:`z`, the other has :math:`-z`.

    Half of the mean's squared error is common to the whole picture. The few positions of the coarsest latent do not
    draw that well, so a tint and the vividness are spread over the samples instead, see :func:`_spread`, and the
    latents only draw what differs from place to place. They do so around the mean: the density's centre is paler, and
    the difference is subtracted. Towards temperature 1 all of this fades, and the latents alone draw, as trained.

    Args:
        model: trained.
        sampling: the recipe's.
        axes: the model's.
        encoded: the photograph.
        temperature: of the latent per scale, fine to coarse.
        seed: makes draws repeatable.
        numbers: which samples of the seed to draw.
        steering: constraints on the colours.

    Returns:
        Lab units, ``(samples, 2, height / 4, width / 4)`` of the canvas.

    Raises:
        CinnError: if the steering does not fit the photograph or the model, or the seed is out of range.
    """
    conditions, lightness = encoded.conditions, encoded.lightness
    like = conditions.mean
    generators = [generator_of(seed, number // 2) for number in numbers]
    sign = like.new_tensor([1 - 2 * (number % 2) for number in numbers])[:, None, None, None]
    spread = _spread(seed, numbers, lightness.cpu()).to(like)
    share = _share_added(sampling, temperature)
    latents = [sign * z for z in _latents(model.distribution(conditions), temperature, generators)]
    latents[-1] = latents[-1] - share * latents[-1].mean((2, 3), keepdim=True)
    step = sampling.temperature[-1] * sum_of_steps(axes, steering.axes, latents[-1].shape[1])
    latents[-1] = latents[-1] + step.to(like)[:, None, None]
    ab = model.decode(latents, conditions)[0] - share * encoded.skew
    if steering.reference is not None:
        ab = meet_palette(model, encoded, ab, steering.reference)
    ab = model.settle(ab, conditions, lightness)
    heat = temperature[-1] / sampling.temperature[-1]
    tint = share * heat * spread[:, :2] * spread.new_tensor(sampling.tint)
    if steering.reference is None:
        ab = _reduce_cast(ab, sampling.cast**share)
        ab = _enliven(ab, _vividness(sampling, heat, spread[:, 2]) ** share, sampling.chroma_limit)
    else:  # the reference determines the vividness, and most of what the colours have in common
        tint = tint / 2
    ab = ab + _lay_over(tint, lightness)
    if steering.hints is not None:
        ab = meet_hints(model, encoded, ab, steering.hints)
    if steering.region is not None:
        ab = keep_region(encoded, ab, steering.region)
    return ab


def draw_from_density(
    model: ColorizationModel, encoded: EncodedPhotograph, samples: int, seed: int
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Draw chroma from the trained density :math:`p(ab | L)`, with nothing added.

    Args:
        model: trained.
        encoded: the photograph.
        samples: how many to draw.
        seed: makes draws repeatable.

    Returns:
        Lab units, ``(samples, 2, height / 4, width / 4)`` of the canvas; the latents, fine to coarse; and
        ``log p(ab | L)`` in nats, ``(samples,)``.

    Raises:
        CinnError: if the seed is out of range.
    """
    generators = [generator_of(seed, number) for number in range(samples)]
    latents = _latents(model.distribution(encoded.conditions), 1.0, generators)
    ab, log_probs = model.decode(latents, encoded.conditions)
    return ab, latents, log_probs


def check_seed(seed: Any) -> int:
    """Return a seed as a Python integer, also one of numpy or torch.

    Raises:
        CinnError: if it is not a whole number, or is out of range.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number <= MAX_SEED:
        raise CinnError(
            "The seed {seed} is out of range: give a whole number from 0 to {most}.", seed=seed, most=MAX_SEED
        )
    return number


def sample_numbers(samples: Any) -> list[int]:
    """Return the numbers of the samples to draw, given as such or as their count.

    Raises:
        CinnError: if there are none.
    """
    numbers = list(samples) if np.ndim(samples) else range(operator.index(samples))
    if not numbers:
        raise CinnError("{samples} samples were asked for: ask for at least 1.", samples=samples)
    return [operator.index(number) for number in numbers]


def generator_of(seed: int, *numbers: int) -> torch.Generator:
    """Return the generator of a sample of a seed, or of several samples together.

    Raises:
        CinnError: if the seed is out of range.
    """
    state = np.random.SeedSequence([check_seed(seed), *numbers]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & (2**63 - 1))


def _latents(
    distribution: FlowDistribution, temperature: float | Sequence[float], generators: Sequence[torch.Generator]
) -> tuple[Tensor, ...]:
    """Draw one latent with each generator: fine to coarse, ``(samples, channels, height, width)`` per scale."""
    drawn = [distribution.sample_latent((), temperature, generator) for generator in generators]
    return tuple(torch.cat(scale) for scale in zip(*drawn, strict=True))


def _spread(seed: int, numbers: Sequence[int], lightness: Tensor) -> Tensor:
    r"""Place samples far from each other, ``(samples, 3)``: each eight of a seed are the corners of a cube.

    The cube :math:`\{\pm 1\}^3` has a random rotation, and another one for each photograph. So a single sample may lie
    anywhere on the sphere through the corners, and each of its coordinates is uniform between :math:`\pm\sqrt 3`, with
    mean 0 and variance 1. Eight together have exactly mean 0 and the identity as covariance. Samples :math:`2k` and
    :math:`2k + 1` are opposite corners.
    """
    rotation = _rotation_of(lightness)
    placed = []
    for number in numbers:
        eight, corner = divmod(number, 8)
        turn = rotation @ random_orthogonal(3, generator_of(seed, eight, 8)).float()
        placed.append((1 - 2 * (corner % 2)) * (turn * CORNERS[corner // 2]).sum(-1))
    return torch.stack(placed)


def _rotation_of(lightness: Tensor) -> Tensor:
    """Return a rotation, ``(3, 3)``, that differs between photographs, but hardly between frames of a film.

    Without it one seed would tint all photographs of an album alike.
    """
    about_last, about_first = (2 * math.pi * stat / TURN for stat in (lightness.mean(), lightness.std()))
    generators = torch.zeros(2, 3, 3)
    generators[0, 0, 1], generators[0, 1, 0] = -about_last, about_last
    generators[1, 1, 2], generators[1, 2, 1] = -about_first, about_first
    last, first = torch.linalg.matrix_exp(generators)
    return last @ first


def _share_added(sampling: ColorizationSampling, temperature: Sequence[float]) -> float:
    r"""Return the share of tint, vividness and other additions at a temperature: :math:`\frac{1 - T}{1 - T_0}` in 0..1.

    All at the recipe's temperature :math:`T_0` and below, none at :math:`T = 1`, that of the trained density.
    """
    return min(1.0, max(0.0, (1 - temperature[-1]) / max(1e-6, 1 - sampling.temperature[-1])))


def _reduce_cast(ab: Tensor, factor: float) -> Tensor:
    r"""Reduce the cast of a picture: along its mean chroma :math:`m = |m| \, u` each colour :math:`c` becomes

    .. math:: c - (1 - k) \, \min(|m|, \max(0, c \cdot u)) \, u

    so that the mean becomes about :math:`k \, m`, and gray does not take the opposite colour.

    Args:
        ab: Lab units, ``(batch, 2, height, width)``.
        factor: :math:`k`.
    """
    mean = ab.mean((2, 3), keepdim=True)
    size = mean.norm(dim=1, keepdim=True)
    direction = mean / size.clamp(min=1e-6)
    along = (ab * direction).sum(1, keepdim=True)
    return ab - (1 - factor) * torch.minimum(along.clamp(min=0), size) * direction


def _enliven(ab: Tensor, factor: Tensor, limit: float) -> Tensor:
    r"""Make pale colours vivid and leave vivid ones as they are: chroma :math:`C` becomes

    .. math:: \frac{v \, C}{1 + (v - 1) \min(1, C / C_{max})}

    Args:
        ab: Lab units, ``(batch, 2, height, width)``.
        factor: :math:`v > 0` of each sample, ``(batch,)``.
        limit: :math:`C_{max}`.
    """
    share = (ab.norm(dim=1, keepdim=True) / limit).clamp(max=1)
    factor = factor[:, None, None, None]
    return ab * factor / (1 + (factor - 1) * share)


def _vividness(sampling: ColorizationSampling, heat: float, place: Tensor) -> Tensor:
    r"""Return the factor of each sample's pale chroma, ``(samples,)``, from its place :math:`n`, ``(samples,)``.

    .. math:: v \, (1 + \min(1, t) \, s n), \quad t = T / T_0

    A mean of plausible colours is paler than each of them, by :math:`v`. Photographs differ in vividness, by :math:`s`;
    the recipe keeps :math:`s \sqrt 3 < 1`, so all factors are positive. Below the usual temperature :math:`T_0` samples
    differ less.
    """
    factor: Tensor = sampling.vividness * (1 + min(1.0, heat) * sampling.vividness_spread * place)
    return factor


def _lay_over(tint: Tensor, lightness: Tensor) -> Tensor:
    r"""Lay a tint over a picture as far as grays can take it: :math:`2 \sqrt{l (1 - l)}` of it at lightness :math:`l`.

    Args:
        tint: Lab units, ``(batch, 2)``.
        lightness: L* in 0..100, ``(1, 1, height, width)``.

    Returns:
        Lab units, ``(batch, 2, height / 4, width / 4)``.
    """
    small = functional.avg_pool2d(lightness, TARGET_STRIDE) / 100
    return tint[:, :, None, None] * 2 * (small * (1 - small)).clamp(min=0).sqrt()
