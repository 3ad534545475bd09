"""The arithmetic every block shares: full precision, a soft clamp, one sum per sample."""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Latent
from cinn_app.flows.shapes import ShapeError

__all__ = [
    "Subnet",
    "full_precision",
    "log_scale_and_shift",
    "no_stretch",
    "soft_clamp",
    "sum_per_sample",
    "without_autocast",
]

#: Builds the network inside a block: ``subnet(in_channels, out_channels)``.
Subnet: TypeAlias = Callable[[int, int], nn.Module]


def full_precision(x: Tensor) -> Tensor:
    """Return ``x`` in float32, or in float64 if it already is: latents never live in half precision."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def without_autocast(x: Tensor) -> torch.autocast:
    """Return the context in which a block's own arithmetic runs, so that autocast reaches only its subnet."""
    return torch.autocast(x.device.type, enabled=False)


def sum_per_sample(x: Tensor) -> Tensor:
    """Sum ``x`` of shape ``(batch, ...)`` over all but the batch: ``(batch,)``."""
    return x.flatten(1).sum(1)


def no_stretch(x: Latent) -> Tensor:
    """Return the log-determinant of a map that keeps volume: ``(batch,)`` zeros, on the device of ``x``."""
    first = x if isinstance(x, Tensor) else x[0]
    dtype = torch.float64 if first.dtype == torch.float64 else torch.float32
    return torch.zeros(first.shape[0], dtype=dtype, device=first.device)


def soft_clamp(raw: Tensor, clamp: float) -> Tensor:
    r"""Squash smoothly into :math:`(-c, c)`: :math:`s = c \, \tfrac{2}{\pi} \arctan(raw)`, c = ``clamp``.

    Examples:
        >>> soft_clamp(torch.tensor([-1e9, 0.0, 1.0]), clamp=2.0)
        tensor([-2.,  0.,  1.])
    """
    return torch.atan(raw) * (clamp * 2 / math.pi)


def log_scale_and_shift(output: Tensor, like: Tensor, clamp: float) -> tuple[Tensor, Tensor]:
    """Read a subnet's output as soft-clamped log-scale and shift, each of the shape and dtype of ``like``.

    Args:
        output: ``(batch, 2 * channels, ...)``: first all raw log-scales, then all shifts.
        like: what they will act on, ``(batch, channels, ...)``.
        clamp: the bound of the log-scale's absolute value.
    """
    expected = (like.shape[0], 2 * like.shape[1], *like.shape[2:])
    if output.shape != expected:
        raise ShapeError(f"The subnet made {tuple(output.shape)} where {expected} is needed; mend its sizes.")
    raw, shift = output.to(like.dtype).chunk(2, dim=1)
    return soft_clamp(raw, clamp), shift
