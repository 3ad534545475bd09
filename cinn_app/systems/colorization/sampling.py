"""Sampling: latents are drawn and decoded, brought nearer to the mean, and steered."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.arguments import short
from cinn_app.errors import CinnError
from cinn_app.limits import MAX_SEED
from cinn_app.systems.colorization.axes import change_along_axes
from cinn_app.systems.colorization.constraints import keep_region, meet_hints, take_colours, thing_at
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.model import ColorizationModel
from cinn_app.systems.colorization.steering import Steering

__all__ = ["MAX_SAMPLES", "check_seed", "draw_chroma", "draw_from_density", "generator_of", "sample_numbers", "steer"]

#: Samples of one call; more would not fit into memory.
MAX_SAMPLES = 10_000
#: Draws of a photograph that are kept, a hundredth of a megabyte each.
MAX_KEPT = 64


def draw_chroma(
    model: ColorizationModel,
    encoded: EncodedPhotograph,
    temperature: Sequence[float],
    seed: int,
    numbers: Sequence[int],
) -> Tensor:
    """Draw chroma for a photograph, or return what has been drawn. No sample depends on which others are drawn.

    Args:
        model: trained.
        encoded: the photograph.
        temperature: per scale, fine to coarse: how far samples depart from the mean.
        seed: makes draws repeatable.
        numbers: which samples of the seed to draw.

    Returns:
        Lab units, ``(samples, 2, height / 4, width / 4)`` of the canvas.

    Raises:
        CinnError: if the seed is out of range.
    """
    keys = [(tuple(temperature), seed, number) for number in numbers]
    found = {key: encoded.drawn.get(key) for key in keys}  # once: a download in another thread may clear them
    known = {key: ab for key, ab in found.items() if ab is not None}
    missing = [key for key in found if key not in known]
    if missing:
        ab, *_ = _draw(model, encoded, [generator_of(seed, number) for *_, number in missing])
        cooled = model.cool(ab, encoded.conditions, [encoded.certainty * scale for scale in temperature])
        known |= dict(zip(missing, cooled, strict=True))
        if len(encoded.drawn) + len(missing) > MAX_KEPT:
            encoded.drawn.clear()
        encoded.drawn.update({key: known[key].clone() for key in missing[:MAX_KEPT]})
    return torch.stack([known[key] for key in keys])


def steer(encoded: EncodedPhotograph, ab: Tensor, steering: Steering) -> Tensor:
    """Steer drawn chroma; each sample for itself.

    Args:
        encoded: the photograph.
        ab: from :func:`draw_chroma`.
        steering: constraints on the colours.

    Raises:
        CinnError: if the steering does not fit the photograph or the model.
    """
    if steering.axes:
        thing = None if steering.thing is None else thing_at(encoded, steering.thing)
        ab = ab + change_along_axes(encoded.ensemble, steering.axes, thing)
    if steering.reference is not None:
        ab = take_colours(encoded, ab, steering.reference)
    if steering.hints is not None:
        ab = meet_hints(encoded, ab, steering.hints)
    if steering.region is not None:
        ab = keep_region(encoded, ab, steering.region)
    return ab


def draw_from_density(
    model: ColorizationModel, encoded: EncodedPhotograph, samples: int, seed: int
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Draw chroma from the trained density :math:`p(ab | L)`.

    Args:
        model: trained.
        encoded: the photograph.
        samples: how many to draw.
        seed: makes draws repeatable.

    Returns:
        Lab units, ``(samples, 2, height / 4, width / 4)`` of the canvas; the latents, fine to coarse; and
        ``log p(ab | L)`` in nats, ``(samples,)``.

    Raises:
        CinnError: if the seed or the number of samples is out of range.
    """
    return _draw(model, encoded, [generator_of(seed, number) for number in sample_numbers(samples)])


def check_seed(seed: Any) -> int:
    """Return a seed as a Python integer, also one of numpy or torch.

    Raises:
        CinnError: if it is not a whole number, or is out of range.
    """
    try:
        number = int(operator.index(seed))
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
        CinnError: if there are none or too many, or they are no whole numbers.
    """
    try:
        one_by_one = list(samples) if np.ndim(samples) else range(operator.index(samples))
        numbers = [int(operator.index(number)) for number in one_by_one[: MAX_SAMPLES + 1]]
    except TypeError:
        numbers = [-1]
    if not numbers:
        raise CinnError("{samples} samples were asked for: ask for at least 1.", samples=samples)
    if min(numbers) < 0 or len(numbers) > MAX_SAMPLES:
        raise CinnError(
            "Samples cannot be given as {samples}: give their number, 1 to {most}, or the numbers of those to draw, "
            "from 0.",
            samples=short(samples),
            most=MAX_SAMPLES,
        )
    return numbers


def generator_of(seed: int, *numbers: int) -> torch.Generator:
    """Return the generator of a sample of a seed, or of several samples together.

    Raises:
        CinnError: if the seed is out of range.
    """
    state = np.random.SeedSequence([check_seed(seed), *numbers]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & (2**63 - 1))


def _draw(
    model: ColorizationModel, encoded: EncodedPhotograph, generators: Sequence[torch.Generator]
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Draw with each generator at temperature 1: chroma, latents and log-likelihoods of the samples."""
    distribution = model.distribution(encoded.conditions)
    drawn = [distribution.sample_latent((), generator=generator) for generator in generators]
    *details, segments = (torch.cat(scale) for scale in zip(*drawn, strict=True))
    latents = (*details, _rotation_of(encoded.lightness) @ segments)
    ab, log_probs = model.decode(latents, encoded.conditions)
    return ab, latents, log_probs


def _rotation_of(lightness: Tensor) -> Tensor:
    """Return a rotation of hues, ``(2, 2)``, that differs between photographs, but hardly between copies of one.

    Without it one seed would tint all photographs of an album alike. Brightness and contrast do not change it.

    Args:
        lightness: L* in 0..100, ``(1, 1, height, width)``.
    """
    pattern = functional.adaptive_avg_pool2d(lightness, 8).flatten()
    pattern = (pattern - pattern.mean()) / pattern.std().clamp(min=1e-3)
    direction = torch.randn(64, generator=torch.Generator().manual_seed(0)).to(pattern)
    angle = 2 * math.pi * (pattern @ direction) / 8
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
