"""Axes of colour: what a step along each changes in a photograph, of what is plausible for it.

Each axis raises one measure of the colours, such as their warmth, and leaves the others. Across many draws of a
photograph, regression on these measures gives the change of every colour per standard deviation of each
(:meth:`cinn_app.systems.colorization.ensemble.Ensemble.regress`). So a step makes warmer what may well be warmer in
this photograph, and leaves what is certain.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cinn_app.arguments import as_number, short
from cinn_app.errors import SettingError
from cinn_app.latents import match_axes
from cinn_app.limits import MAX_STEP
from cinn_app.messages import Message
from cinn_app.systems.colorization.ensemble import Ensemble

__all__ = ["AXES", "ColourAxis", "change_along_axes", "check_steps"]

#: A step of one changes colours by at least this much, in Lab units (root mean square), also where draws hardly differ.
MIN_CHANGE = 3.0


class ColourAxis(NamedTuple):
    """An axis of colour.

    Attributes:
        name: the effect of a step, such as ``warmer``.
        measure: what a step raises, from chroma ``(batch, 2, height, width)`` and weights ``(height, width)`` of sum 1.
    """

    name: str
    measure: Callable[[Tensor, Tensor], Tensor]


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum((-2, -1))


def _variety(ab: Tensor, weights: Tensor) -> Tensor:
    departure = ab - _mean(ab, weights)[..., None, None]
    return _mean(departure.square().sum(1), weights).sqrt()


AXES = (
    ColourAxis(Message("warmer"), lambda ab, weights: _mean(ab[:, 1], weights)),
    ColourAxis(Message("greener"), lambda ab, weights: -_mean(ab[:, 0], weights)),
    ColourAxis(Message("more vivid"), lambda ab, weights: _mean(ab.norm(dim=1), weights)),
    ColourAxis(Message("more varied"), _variety),
)


def change_along_axes(ensemble: Ensemble, steps: Mapping[str | int, float], thing: Tensor | None = None) -> Tensor:
    """Return what steps along axes add to the colours of a photograph.

    Args:
        ensemble: draws of the photograph.
        steps: by an axis's name or its number from 1, in standard deviations of the draws.
        thing: mask of what is measured and changed, 0 to 1, ``(height, width)``; the whole picture by default.

    Returns:
        Lab units, ``(2, height, width)``.

    Raises:
        SettingError: as :func:`check_steps`.
    """
    check_steps(steps)
    ab = ensemble.ab
    mask = ab.new_ones(ab.shape[2:]) if thing is None else thing
    weights = mask / mask.sum().clamp(min=1e-6)
    changes = mask * ensemble.regress(torch.stack([axis.measure(ab, weights) for axis in AXES], 1))
    typical = (changes.square().sum(1) * weights).sum((1, 2)).sqrt().clamp(min=1e-6)
    changes = changes * (MIN_CHANGE / typical).clamp(min=1)[:, None, None, None]
    chosen = {axis.name: float(step) for axis, step in match_axes(AXES, steps)}
    return torch.einsum("m,mcyx->cyx", ab.new_tensor([chosen.get(axis.name, 0.0) for axis in AXES]), changes)


def check_steps(steps: Mapping[str | int, float]) -> None:
    """Check that there are such axes, and that the steps are in range.

    Raises:
        SettingError: if there is no such axis, one is given twice, or a step is out of range.
    """
    if not isinstance(steps, Mapping):
        raise SettingError(
            "Steps along axes of colour cannot be {type}: name the axes, such as {example}.",
            type=type(steps).__name__,
            example="{'warmer': 1.5}",
        )
    for key, step in steps.items():
        if not -MAX_STEP <= as_number(step) <= MAX_STEP:  # refuses not-a-number, too
            raise SettingError(
                "A step of {step} along {axis!r} is out of range: go from -{most:g} to {most:g}.",
                step=short(step),
                axis=key,
                most=MAX_STEP,
            )
    match_axes(AXES, steps)
