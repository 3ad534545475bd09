r"""Axes of colour: directions of the coarsest latent that move the colours of a whole picture most.

A step along an axis :math:`u` adds the same vector to the coarsest latent at every position; a step of 1 is one
standard deviation of the trained density. The axes are fitted to photographs that the model was not trained on, with
the latents of their true colours. Stepping each channel both ways gives the change of the picture's mean ab per step,
:math:`J_n` (2 x channels). The axes are the principal directions of that change,

.. math:: \frac1N \sum_n J_n^T J_n = U S U^T

and the share of an axis is its part of the trace. Mean colour has two dimensions, so two axes are strong; directions
that hardly move it are left out. Each axis is named after the measure of the colours that it changes most.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cinn_app.errors import SettingError
from cinn_app.latents import match_axes
from cinn_app.limits import MAX_STEP
from cinn_app.messages import Message
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.model import ColorizationModel

__all__ = ["ColourAxis", "axes_from_details", "axes_to_details", "fit_colour_axes", "sum_of_steps"]

#: A direction with a smaller share is no axis.
MIN_SHARE = 0.05
#: The names of axes: a step along one increases this measure of ab ``(batch, 2, height, width)``.
MEASURES = {
    Message("warmer"): lambda ab: ab[:, 1].mean((1, 2)),
    Message("greener"): lambda ab: -ab[:, 0].mean((1, 2)),
    Message("more vivid"): lambda ab: ab.norm(dim=1).mean((1, 2)),
}


class ColourAxis(NamedTuple):
    """An axis of colour.

    Attributes:
        name: the effect of a step, such as ``warmer``.
        share: of the effect that all steps in the coarsest latent have on mean colours, 0 to 1.
        direction: unit vector over the coarsest latent's channels, ``(channels,)``.
    """

    name: str
    share: float
    direction: Tensor


@torch.inference_mode()
def fit_colour_axes(
    model: ColorizationModel, examples: Sequence[ColourBatch], progress: Progress = no_progress
) -> tuple[ColourAxis, ...]:
    """Fit and name the axes of a trained model.

    Args:
        model: trained.
        examples: colour photographs that it was not trained on.
        progress: shows the progress.

    Returns:
        The axes, the strongest first.
    """
    effects, measured = [], []
    with progress("Looking for axes of colour", len(examples)) as advance:
        for example in examples:
            effects.append(_effects_of_steps(model, example))
            measured.append(_measure(example.ab))
            advance(1)
    effect, spread = torch.cat(effects), torch.cat(measured).std(0, correction=0).clamp(min=1e-3)
    ab = effect[..., :2]  # warmer and greener are b and minus a, so their plane is that of mean ab
    strength, directions = torch.linalg.eigh(torch.einsum("nki,nli->kl", ab, ab).double() / len(ab))
    shares = (strength / strength.sum().clamp(min=1e-12)).flip(0).tolist()
    directions = directions.flip(1).T.float()
    typical = directions @ effect.mean(0) / spread  # (axes, measures)
    axes, free = [], dict(enumerate(MEASURES))
    for share, direction, change in zip(shares, directions, typical, strict=True):
        if share >= MIN_SHARE and free:
            measure = max(free, key=lambda number: float(change[number].abs()))
            axes.append(ColourAxis(free.pop(measure), share, direction * change[measure].sign()))
    return tuple(axes)


def axes_to_details(axes: Iterable[ColourAxis]) -> dict[str, Any]:
    """Return the axes as a checkpoint's details hold them."""
    return {
        "axes": [
            {
                "name": axis.name,
                "share": round(axis.share, 4),
                "direction": [round(x, 4) for x in axis.direction.tolist()],
            }
            for axis in axes
        ]
    }


def axes_from_details(details: Mapping[str, Any]) -> tuple[ColourAxis, ...]:
    """Read what :func:`axes_to_details` returned; the first checkpoints have no axes."""
    return tuple(
        ColourAxis(axis["name"], axis["share"], torch.tensor(axis["direction"])) for axis in details.get("axes", ())
    )


def sum_of_steps(axes: Sequence[ColourAxis], steps: Mapping[str | int, float], channels: int) -> Tensor:
    """Sum steps along axes, ``(channels,)``.

    Args:
        axes: a model's.
        steps: by an axis's name, or its number from 1.
        channels: of the coarsest latent.

    Raises:
        SettingError: if there is no such axis, one is given twice, or a step is out of range.
    """
    for key, step in steps.items():
        if not -MAX_STEP <= step <= MAX_STEP:  # refuses not-a-number, too
            raise SettingError(
                "A step of {step:g} along {axis!r} is out of range: go from -{most:g} to {most:g}.",
                step=float(step),
                axis=key,
                most=MAX_STEP,
            )
        if not axes:
            raise SettingError(
                "This model has no axes of colour: choose one trained by this version, or leave the steps out."
            )
    return sum((float(step) * axis.direction for axis, step in match_axes(axes, steps)), torch.zeros(channels))


def _effects_of_steps(model: ColorizationModel, example: ColourBatch) -> Tensor:
    """Return the change of each measure per step of 1 in each channel, ``(batch, channels, measures)``."""
    device = next(model.parameters()).device
    conditions = model.condition(example.lightness.to(device), example.stem_features.to(device))
    latents, _ = model.encode(example.ab.to(device), conditions)
    changes = []
    for channel in range(latents[-1].shape[1]):
        ends = []
        for step in (1.0, -1.0):
            moved = latents[-1].clone()
            moved[:, channel] += step
            ends.append(_measure(model.decode((*latents[:-1], moved), conditions)[0]))
        changes.append((ends[0] - ends[1]) / 2)
    return torch.stack(changes, 1).cpu()


def _measure(ab: Tensor) -> Tensor:
    return torch.stack([measure(ab) for measure in MEASURES.values()], 1).cpu()
