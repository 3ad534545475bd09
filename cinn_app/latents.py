"""Latents of any system: axes that users name, and interpolation."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from torch import Tensor
from torch.nn import functional

from cinn_app.errors import SettingError

__all__ = ["match_axes", "match_axis", "slerp"]


class Named(Protocol):
    """An axis, of whatever kind."""

    @property
    def name(self) -> str:
        """What a step along it changes."""
        ...


Axis = TypeVar("Axis", bound=Named)


def match_axes(axes: Sequence[Axis], steps: Mapping[str | int, float]) -> list[tuple[Axis, float]]:
    """Find the axes that a user means, each as :func:`match_axis` does, with the steps along them.

    Raises:
        SettingError: if an axis is unknown, or is given twice, as by its name and its number.
    """
    found = [(match_axis(axes, key), step) for key, step in steps.items()]
    names = [axis.name for axis, _ in found]
    for name in names:
        if names.count(name) > 1:
            raise SettingError("The axis {name} is given twice: give each axis once.", name=name)
    return found


def match_axis(axes: Sequence[Axis], key: str | int) -> Axis:
    """Find the axis that a user means, by its name in any letter case, or its number from 1, which may be a string.

    Raises:
        SettingError: listing the known axes.
    """
    wanted = str(key).strip().casefold()
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else None
    if number is not None and 1 <= number <= len(axes):
        return axes[number - 1]
    for axis in axes:
        if axis.name.casefold() == wanted:
            return axis
    known = ", ".join(f"{number} {axis.name}" for number, axis in enumerate(axes, start=1))
    raise SettingError("There is no axis {key!r}: choose one of {known}.", key=key, known=known)


def slerp(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Interpolate on the sphere, where latents of many dimensions are: points between are as probable as the ends.

    Shoemake 1985: with the angle :math:`w` between them, :math:`z(t) = (z_0 sin((1 - t) w) + z_1 sin(t w)) / sin(w)`.

    Args:
        first, second: latents, ``(dims,)``.
        weight: :math:`t` in 0..1, ``(count, 1)``.

    Returns:
        ``(count, dims)``.

    >>> import torch
    >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([[0.5]]))
    tensor([[0.7071, 0.7071]])
    """
    angle = functional.cosine_similarity(first, second, dim=0).clamp(-1, 1).acos()
    if angle < 1e-3 or math.pi - angle < 1e-3 or not angle.isfinite():  # no arc, or one in any direction
        return (1 - weight) * first + weight * second
    return (((1 - weight) * angle).sin() * first + (weight * angle).sin() * second) / angle.sin()
