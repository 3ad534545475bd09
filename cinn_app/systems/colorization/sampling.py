"""From seeds and wishes to chroma: latents drawn, decoded, settled on the things in the picture, and made vivid."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cinn_app.flows.mixing import random_orthogonal
from cinn_app.recipes import ColorizationSampling
from cinn_app.systems.colorization.axes import ColourAxis, sum_of_steps
from cinn_app.systems.colorization.model import ColorizationModel
from cinn_app.systems.colorization.reading import Reading
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.wishes import keep_region, meet_hints, meet_palette

__all__ = ["draw_chroma", "draw_from_density", "generator_of"]

#: Of a cube, one of each opposite pair.
CORNERS = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])


def draw_chroma(
    model: ColorizationModel,
    sampling: ColorizationSampling,
    axes: Sequence[ColourAxis],
    reading: Reading,
    temperature: Sequence[float],
    seed: int,
    numbers: Sequence[int],
    steering: Steering,
) -> Tensor:
    r"""Draw chroma for each photograph of a batch, and steer it; none depends on what else is drawn.

    Samples :math:`2k` and :math:`2k + 1` are antithetic: all that is random in one, :math:`z`, is :math:`-z` in the
    other. What matters most, how far the whole picture goes along the two strongest axes and how vivid it is, is not
    left to chance altogether: samples are spread over it, see :func:`_spread`.

    Args:
        model: trained.
        sampling: the recipe's.
        axes: the model's.
        reading: of a photograph, as often as it is to be coloured.
        temperature: of the latent per scale, fine to coarse.
        seed: the same one draws the same again.
        numbers: which samples of the seed to draw, one per photograph of the batch.
        steering: what is asked of the colours beside chance.

    Returns:
        Lab units, ``(batch, 2, height / 4, width / 4)``, on the canvas.

    Raises:
        CinnError: if the steering does not fit the photograph or the model.
    """
    guidance = reading.guidance
    generators = [generator_of(seed, number // 2) for number in numbers]
    side = guidance.mean.new_tensor([1 - 2 * (number % 2) for number in numbers])[:, None, None, None]
    spread = _spread(seed, numbers).to(guidance.mean)
    latents = [side * z for z in _latents(model, guidance.mean, temperature, sampling.coherence, generators)]
    latents[-1] = _move(latents[-1], axes, spread, temperature[-1], sampling.coherence)
    step = sampling.temperature[-1] * sum_of_steps(axes, steering.axes, latents[-1].shape[1])
    latents[-1] = latents[-1] + step.to(guidance.mean)[:, None, None]
    ab = model.decode(latents, guidance)[0]
    if steering.reference is not None:
        ab = meet_palette(model, reading, ab, steering.reference)
    ab = model.settle(ab, guidance, reading.lightness)
    if steering.reference is None:  # which says how vivid the colours are to be
        ab = _enliven(ab, _vividness(sampling, temperature, spread[:, 2]), sampling.chroma_limit)
    if steering.hints is not None:
        ab = meet_hints(model, reading, ab, steering.hints)
    if steering.kept is not None:
        ab = keep_region(reading, ab, steering.kept)
    return ab


def draw_from_density(model: ColorizationModel, reading: Reading, seed: int) -> Tensor:
    """Draw chroma for each photograph of a batch from :math:`p(ab | L)` as it was learnt, with nothing added.

    Args:
        model: trained.
        reading: of a photograph, as often as it is to be coloured.
        seed: the same one draws the same again.

    Returns:
        Lab units, ``(batch, 2, height / 4, width / 4)``, on the canvas.
    """
    guidance = reading.guidance
    generators = [generator_of(seed, number) for number in range(len(guidance.mean))]
    latents = _latents(model, guidance.mean, [1.0] * len(guidance.conditions), 0.0, generators)
    return model.decode(latents, guidance)[0]


def generator_of(seed: int, *numbers: int) -> torch.Generator:
    """Make the generator of one sample of a seed, or of several together, always the same."""
    state = np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & (2**63 - 1))


def _latents(
    model: ColorizationModel,
    mean: Tensor,
    temperature: Sequence[float],
    coherence: float,
    generators: Sequence[torch.Generator],
) -> list[Tensor]:
    """Draw a latent like `mean` with each generator, so that none depends on what else is drawn."""
    shape = (1, *mean.shape[1:])
    drawn = [model.draw(shape, temperature, coherence, each) for each in generators]
    return [torch.cat(scale).to(mean) for scale in zip(*drawn, strict=True)]


def _spread(seed: int, numbers: Sequence[int]) -> Tensor:
    r"""Place samples far from each other, ``(samples, 3)``: each eight of a seed at the corners of a cube.

    The cube, :math:`\{\pm 1\}^3`, is turned at random, so that a sample alone may lie anywhere on the sphere through
    its corners: each of its coordinates is uniform between :math:`\pm\sqrt 3`, with mean 0 and variance 1. Eight
    together have mean 0 and the identity as covariance, exactly. A sample's partner is at the opposite corner.
    """
    placed = []
    for number in numbers:
        eight, corner = divmod(number, 8)
        turn = random_orthogonal(3, generator_of(seed, eight, 8)).float()
        placed.append((1 - 2 * (corner % 2)) * (turn * CORNERS[corner // 2]).sum(-1))
    return torch.stack(placed)


def _move(coarse: Tensor, axes: Sequence[ColourAxis], spread: Tensor, temperature: float, coherence: float) -> Tensor:
    r"""Bring what a coarsest latent has along the strongest axes, on average over :math:`n` positions, to its place.

    Chance would bring it as far: with coherence :math:`\rho` its variance is
    :math:`T^2 (\rho + \frac{1 - \rho}{n})`.
    """
    far = temperature * math.sqrt(coherence + (1 - coherence) / coarse[0, 0].numel())
    for axis, place in zip(axes, spread[:, :2].T, strict=False):
        direction = axis.direction.to(coarse)
        along = (coarse.mean((2, 3)) * direction).sum(-1)
        coarse = coarse + (far * place - along)[:, None, None, None] * direction[:, None, None]
    return coarse


def _enliven(ab: Tensor, factor: Tensor, limit: float) -> Tensor:
    r"""Make pale colours vivid, and leave vivid ones as they are: chroma :math:`C` becomes

    .. math:: \frac{v \, C}{1 + (v - 1) \min(1, C / C_{max})}

    Args:
        ab: Lab units, ``(batch, 2, height, width)``.
        factor: :math:`v` of each sample, ``(batch, 1, 1, 1)``.
        limit: :math:`C_{max}`.
    """
    share = (ab.norm(dim=1, keepdim=True) / limit).clamp(max=1)
    return ab * factor / (1 + (factor - 1) * share)


def _vividness(sampling: ColorizationSampling, temperature: Sequence[float], spread: Tensor) -> Tensor:
    r"""Find the factor of each sample's pale chroma, ``(samples, 1, 1, 1)``, from its place :math:`n`, ``(samples,)``.

    .. math::
        (v \, e^{t s n})^f, \quad t = \min(1, T / T_0), \quad f = \frac{1 - T}{1 - T_0} \in [0, 1]

    A mean of plausible colours is paler than each of them, by :math:`v`; photographs differ in how vivid they are, by
    :math:`s`. Below the usual temperature :math:`T_0` samples differ less; above it they need less help, and none at
    :math:`T = 1`, the temperature of the density that was learnt.
    """
    usual, asked = sampling.temperature[-1], temperature[-1]
    needed = min(1.0, max(0.0, (1 - asked) / max(1e-6, 1 - usual)))
    differing = sampling.vividness_spread * min(1.0, asked / usual)
    factors: Tensor = (sampling.vividness * torch.exp(differing * spread)) ** needed
    return factors[:, None, None, None]
