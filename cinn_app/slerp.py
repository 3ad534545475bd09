"""The way between two latents that stays as probable as its ends."""

import math

from torch import Tensor
from torch.nn import functional

__all__ = ["slerp"]


def slerp(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Interpolate on the sphere, where latents of many dimensions lie: half way is no shorter than the ends.

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
