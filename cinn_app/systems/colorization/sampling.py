"""From seeds and wishes to chroma: latents drawn, decoded, settled on the things in the picture, and made vivid."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cinn_app.recipes import ColorizationSampling
from cinn_app.systems.colorization.axes import ColourAxis, sum_of_steps
from cinn_app.systems.colorization.model import ColorizationModel
from cinn_app.systems.colorization.reading import Reading
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.wishes import meet_hints, meet_palette

__all__ = ["draw_chroma", "generator_of"]


def draw_chroma(
    model: ColorizationModel,
    sampling: ColorizationSampling,
    axes: Sequence[ColourAxis],
    reading: Reading,
    temperature: Sequence[float],
    seed: int,
    steering: Steering,
) -> Tensor:
    """Draw chroma for each photograph of a batch, and steer it; the first ones do not depend on how many.

    Args:
        model: trained.
        sampling: the recipe's.
        axes: the model's.
        reading: of a photograph, as often as it is to be coloured.
        temperature: of the latent per scale, fine to coarse.
        seed: the same one draws the same again.
        steering: what is asked of the colours beside chance.

    Returns:
        Lab units, ``(batch, 2, height / 4, width / 4)``, on the canvas.

    Raises:
        CinnError: if the steering does not fit the photograph or the model.
    """
    guidance = reading.guidance
    shape = (1, *guidance.mean.shape[1:])
    generators = [generator_of(seed, number) for number in range(len(guidance.mean))]
    drawn = [model.draw(shape, temperature, sampling.coherence, each) for each in generators]
    latents = [torch.cat(scale).to(guidance.mean) for scale in zip(*drawn, strict=True)]
    step = sum_of_steps(axes, steering.axes, latents[-1].shape[1])
    latents[-1] = latents[-1] + step.to(guidance.mean)[:, None, None]
    ab = model.decode(latents, guidance)[0]
    if steering.reference is not None:
        ab = meet_palette(model, reading, ab, steering.reference)
    ab = model.settle(ab, guidance, reading.lightness)
    if steering.reference is None:  # which says how vivid the colours are to be
        ab = ab * _vividness(sampling, temperature, generators).to(ab)
    if steering.hints is not None:
        ab = meet_hints(model, reading, ab, steering.hints)
    return ab


def generator_of(seed: int, sample: int) -> torch.Generator:
    """Make the generator of one sample of a seed, always the same."""
    state = np.random.SeedSequence([seed, sample]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & (2**63 - 1))


def _vividness(
    sampling: ColorizationSampling, temperature: Sequence[float], generators: Sequence[torch.Generator]
) -> Tensor:
    r"""Draw the factor of each sample's chroma, ``(samples, 1, 1, 1)``.

    .. math::
        (v \, e^{t s n})^f, \quad n \sim N(0, 1), \quad t = \min(1, T / T_0), \quad f = \frac{1 - T}{1 - T_0} \in [0, 1]

    A mean of plausible colours is paler than each of them, by :math:`v`; photographs differ in how vivid they are, by
    :math:`s`. Below the usual temperature :math:`T_0` samples differ less; above it they need less help, and none at
    :math:`T = 1`, the temperature of the density that was learnt.
    """
    usual, asked = sampling.temperature[-1], temperature[-1]
    needed = min(1.0, max(0.0, (1 - asked) / max(1e-6, 1 - usual)))
    spread = sampling.vividness_spread * min(1.0, asked / usual)
    normal = torch.cat([torch.randn(1, generator=each) for each in generators])
    return (sampling.vividness * torch.exp(spread * normal))[:, None, None, None] ** needed
