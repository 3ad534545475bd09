"""From seeds and wishes to chroma: latents drawn, decoded, settled on the things in the picture, and made vivid."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.errors import CinnError
from cinn_app.flows import random_orthogonal
from cinn_app.systems.colorization.axes import ColourAxis, sum_of_steps
from cinn_app.systems.colorization.constraints import keep_region, meet_hints, meet_palette
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.model import TARGET_STRIDE, ColorizationModel
from cinn_app.systems.colorization.recipe import ColorizationSampling
from cinn_app.systems.colorization.steering import Steering

__all__ = ["draw_chroma", "draw_from_density", "generator_of"]

#: Of a cube, one of each opposite pair.
CORNERS = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
#: By so many L* two photographs differ, in mean or deviation, whose samples have been turned all the way round.
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
    r"""Draw chroma for each photograph of a batch, and steer it; none depends on what else is drawn.

    Samples :math:`2k` and :math:`2k + 1` are antithetic: all that is random in one, :math:`z`, is :math:`-z` in the
    other. Half of what the mean errs by is common to the whole picture, so that is not left to the coarsest latent's
    few positions: a tint, and how vivid a sample is, are spread over samples, see :func:`_spread`. The latents draw
    what differs from place to place, around the mean: the density's centre, from which they depart, is paler. At
    temperature 1 they alone tell, as they have learnt to.

    Args:
        model: trained.
        sampling: the recipe's.
        axes: the model's.
        encoded: the photograph, as often as it is to be coloured.
        temperature: of the latent per scale, fine to coarse.
        seed: the same one draws the same again.
        numbers: which samples of the seed to draw, one per photograph of the batch.
        steering: what is asked of the colours beside chance.

    Returns:
        Lab units, ``(batch, 2, height / 4, width / 4)``, on the canvas.

    Raises:
        CinnError: if the steering does not fit the photograph or the model.
    """
    conditions = encoded.conditions
    generators = [generator_of(seed, number // 2) for number in numbers]
    side = conditions.mean.new_tensor([1 - 2 * (number % 2) for number in numbers])[:, None, None, None]
    spread = _spread(seed, numbers, encoded.lightness.cpu()).to(conditions.mean)
    added = _share_added(sampling, temperature)
    latents = [side * z for z in _latents(model, conditions.mean, temperature, generators)]
    latents[-1] = latents[-1] - added * latents[-1].mean((2, 3), keepdim=True)
    step = sampling.temperature[-1] * sum_of_steps(axes, steering.axes, latents[-1].shape[1])
    latents[-1] = latents[-1] + step.to(conditions.mean)[:, None, None]
    ab = model.decode(latents, conditions)[0] - added * encoded.skew
    if steering.reference is not None:
        ab = meet_palette(model, encoded, ab, steering.reference)
    ab = model.settle(ab, conditions, encoded.lightness)
    heat = temperature[-1] / sampling.temperature[-1]
    tint = added * heat * spread[:, :2] * spread.new_tensor(sampling.tint)
    if steering.reference is None:
        ab = _moderate(ab, sampling.cast**added)
        ab = _enliven(ab, _vividness(sampling, heat, spread[:, 2]) ** added, sampling.chroma_limit)
    else:  # it says how vivid the colours are, and nearly what they have in common
        tint = tint / 2
    ab = ab + _lay(tint, encoded.lightness)
    if steering.hints is not None:
        ab = meet_hints(model, encoded, ab, steering.hints)
    if steering.region is not None:
        ab = keep_region(encoded, ab, steering.region)
    return ab


def draw_from_density(
    model: ColorizationModel, encoded: EncodedPhotograph, seed: int
) -> tuple[Tensor, tuple[tuple[Tensor, ...], Tensor]]:
    """Draw chroma for each photograph of a batch from :math:`p(ab | L)` as it was learnt, with nothing added.

    Args:
        model: trained.
        encoded: the photograph, as often as it is to be coloured.
        seed: the same one draws the same again.

    Returns:
        Lab units, ``(batch, 2, height / 4, width / 4)``, on the canvas; and their latents, fine to coarse, with
        ``log p(ab | L)`` in nats, ``(batch,)``.
    """
    conditions = encoded.conditions
    generators = [generator_of(seed, number) for number in range(len(conditions.mean))]
    latents = _latents(model, conditions.mean, [1.0] * len(conditions.scales), generators)
    ab, log_probs = model.decode(latents, conditions)
    return ab, (tuple(latents), log_probs)


def generator_of(seed: int, *numbers: int) -> torch.Generator:
    """Make the generator of one sample of a seed, or of several together, always the same.

    Raises:
        CinnError: if the seed is negative.
    """
    if seed < 0:
        raise CinnError(f"The seed {seed} is negative: give a whole number from 0.")
    state = np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & (2**63 - 1))


def _latents(
    model: ColorizationModel,
    mean: Tensor,
    temperature: Sequence[float],
    generators: Sequence[torch.Generator],
) -> list[Tensor]:
    """Draw a latent like `mean` with each generator, so that none depends on what else is drawn."""
    shape = (1, *mean.shape[1:])
    drawn = [model.draw(shape, temperature, each) for each in generators]
    return [torch.cat(scale).to(mean) for scale in zip(*drawn, strict=True)]


def _spread(seed: int, numbers: Sequence[int], lightness: Tensor) -> Tensor:
    r"""Place samples far from each other, ``(samples, 3)``: each eight of a seed at the corners of a cube.

    The cube, :math:`\{\pm 1\}^3`, is turned at random, and anew for each photograph: a sample alone may lie anywhere on
    the sphere through its corners, each of its coordinates uniform between :math:`\pm\sqrt 3`, with mean 0 and variance
    1. Eight together have mean 0 and the identity as covariance, exactly. A sample's partner is at the opposite corner.
    """
    photograph = _turn_of(lightness)
    placed = []
    for number in numbers:
        eight, corner = divmod(number, 8)
        turn = photograph @ random_orthogonal(3, generator_of(seed, eight, 8)).float()
        placed.append((1 - 2 * (corner % 2)) * (turn * CORNERS[corner // 2]).sum(-1))
    return torch.stack(placed)


def _turn_of(lightness: Tensor) -> Tensor:
    """Find a rotation, ``(3, 3)``, that differs between photographs, but hardly between a film's neighbouring frames.

    Were there none, one seed would lean the same way all through an album.
    """
    about_last, about_first = (2 * math.pi * stat / TURN for stat in (lightness.mean(), lightness.std()))
    generators = torch.zeros(2, 3, 3)
    generators[0, 0, 1], generators[0, 1, 0] = -about_last, about_last
    generators[1, 1, 2], generators[1, 2, 1] = -about_first, about_first
    last, first = torch.linalg.matrix_exp(generators)
    return last @ first


def _share_added(sampling: ColorizationSampling, temperature: Sequence[float]) -> float:
    r"""Find how much of what is added to latents a temperature needs: :math:`\frac{1 - T}{1 - T_0}` in 0..1.

    All of it at the usual temperature :math:`T_0` and below; none at :math:`T = 1`, that of the learnt density.
    """
    usual, asked = sampling.temperature[-1], temperature[-1]
    return min(1.0, max(0.0, (1 - asked) / max(1e-6, 1 - usual)))


def _moderate(ab: Tensor, kept: float) -> Tensor:
    r"""Lessen the cast of a picture: along its mean chroma :math:`m = |m| \, u` each colour :math:`c` becomes

    .. math:: c - (1 - k) \, \min(|m|, \max(0, c \cdot u)) \, u

    so that the mean comes to about :math:`k \, m`, and what is gray does not take the opposite colour.

    Args:
        ab: Lab units, ``(batch, 2, height, width)``.
        kept: :math:`k`.
    """
    mean = ab.mean((2, 3), keepdim=True)
    size = mean.norm(dim=1, keepdim=True)
    direction = mean / size.clamp(min=1e-6)
    along = (ab * direction).sum(1, keepdim=True)
    return ab - (1 - kept) * torch.minimum(along.clamp(min=0), size) * direction


def _enliven(ab: Tensor, factor: Tensor, limit: float) -> Tensor:
    r"""Make pale colours vivid, and leave vivid ones as they are: chroma :math:`C` becomes

    .. math:: \frac{v \, C}{1 + (v - 1) \min(1, C / C_{max})}

    Args:
        ab: Lab units, ``(batch, 2, height, width)``.
        factor: :math:`v` of each sample, ``(batch,)``.
        limit: :math:`C_{max}`.
    """
    share = (ab.norm(dim=1, keepdim=True) / limit).clamp(max=1)
    factor = factor[:, None, None, None]
    return ab * factor / (1 + (factor - 1) * share)


def _vividness(sampling: ColorizationSampling, heat: float, spread: Tensor) -> Tensor:
    r"""Find the factor of each sample's pale chroma, ``(samples,)``, from its place :math:`n`, ``(samples,)``.

    .. math:: v \, \max(0, 1 + \min(1, t) \, s n), \quad t = T / T_0

    A mean of plausible colours is paler than each of them, by :math:`v`; photographs differ in how vivid they are, by
    :math:`s`. Below the usual temperature :math:`T_0` samples differ less.
    """
    factor: Tensor = sampling.vividness * (1 + min(1.0, heat) * sampling.vividness_spread * spread).clamp(min=0)
    return factor


def _lay(tint: Tensor, lightness: Tensor) -> Tensor:
    r"""Lay a tint over a whole picture, as far as grays can take it: :math:`2 \sqrt{l (1 - l)}` of it at lightness l.

    Args:
        tint: Lab units, ``(batch, 2)``.
        lightness: L* in 0..100, ``(1, 1, height, width)``.

    Returns:
        Lab units, ``(batch, 2, height / 4, width / 4)``.
    """
    small = functional.avg_pool2d(lightness, TARGET_STRIDE) / 100
    return tint[:, :, None, None] * 2 * (small * (1 - small)).clamp(min=0).sqrt()
