"""Arithmetic that all blocks share: precision, a soft clamp, one sum per sample."""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

__all__ = [
    "Subnet",
    "full_precision",
    "run_network",
    "soft_clamp",
    "sum_per_sample",
    "widest",
    "without_autocast",
    "zero_log_det",
]

#: Builds the network inside a block: ``subnet(in_channels, out_channels)``.
Subnet: TypeAlias = Callable[[int, int], nn.Module]


def full_precision(x: Tensor) -> Tensor:
    """Return ``x`` in float32, or in float64 if it already is: data and latents are never in half precision."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def widest(x: Tensor) -> Tensor:
    """Return ``x`` in float64, or in float32 on Apple's GPUs, which do not have it."""
    return x.float() if x.device.type == "mps" else x.double()


def without_autocast(x: Tensor) -> torch.autocast:
    """Return the context for a block's own arithmetic, so that autocast affects only its subnet."""
    return torch.autocast(x.device.type, enabled=False)


def run_network(network: nn.Module, x: Tensor) -> Tensor:
    """Run a subnet or a conditioning network in the precision of its weights, so that ``flow.half()`` works."""
    weight = next((p for p in network.parameters() if p.is_floating_point()), None)
    if weight is not None and x.is_floating_point():
        x = x.to(weight.dtype)
    output: Tensor = network(x)
    return output


def sum_per_sample(x: Tensor) -> Tensor:
    """Sum ``x`` of shape ``(batch, ...)`` over all dimensions but the batch: ``(batch,)``."""
    return x.flatten(1).sum(1)


def zero_log_det(x: Tensor) -> Tensor:
    """Return the log-determinant of a map that preserves volume: ``(batch,)`` zeros on the device of ``x``."""
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    return torch.zeros(x.shape[0], dtype=dtype, device=x.device)


def soft_clamp(raw: Tensor, clamp: float) -> Tensor:
    r"""Squash smoothly into :math:`(-c, c)`: :math:`s = c \, \tfrac{2}{\pi} \arctan(raw)`, c = ``clamp``.

    Examples:
        >>> soft_clamp(torch.tensor([-1e9, 0.0, 1.0]), clamp=2.0)
        tensor([-2.,  0.,  1.])
    """
    return torch.atan(raw) * (clamp * 2 / math.pi)
