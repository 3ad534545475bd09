"""Checks of sizes: each says what was given, what was expected and what to do."""

from torch import Tensor

from cinn_app.errors import RecipeError
from cinn_app.flows.base import Condition, Latent

__all__ = ["ShapeError", "as_tuple", "one_condition", "require_channels", "require_even"]


class ShapeError(RecipeError, ValueError):
    """Sizes that do not fit together."""


def require_channels(x: Tensor, channels: int) -> None:
    """Refuse data that are not ``(batch, channels, ...)``."""
    if x.dim() < 2 or x.shape[1] != channels:
        raise ShapeError(
            f"The data have shape {tuple(x.shape)} where (batch, {channels}, ...) is needed; "
            f"give {channels} channels or build the block for what you have."
        )


def require_even(x: Tensor) -> None:
    """Refuse images whose height or width cannot be halved."""
    if x.dim() != 4 or x.shape[2] % 2 or x.shape[3] % 2:
        raise ShapeError(
            f"The data have shape {tuple(x.shape)} where (batch, channels, even height, even width) is "
            "needed; crop or pad the image to sizes that the scales divide."
        )


def one_condition(condition: Condition, channels: int, like: Tensor) -> Tensor:
    """Pick the condition of this scale and refuse one that does not fit beside ``like``.

    Of several conditions, one per scale from fine to coarse, a block takes the first: the outer multi-scale
    block hands on only those that are still to be used.

    Args:
        condition: one tensor ``(batch, channels, ...)``, or several, of which the first is meant.
        channels: how many channels it must have.
        like: the data that it steers, ``(batch, any, ...)``, of the same batch and spatial sizes.
    """
    if not isinstance(condition, Tensor):
        if not condition:
            raise ShapeError(f"No condition was given where one of {channels} channels is needed; pass one.")
        condition = condition[0]
    expected = (like.shape[0], channels, *like.shape[2:])
    if condition.shape != expected:
        raise ShapeError(
            f"The condition has shape {tuple(condition.shape)} where {expected} is needed; "
            "give it the batch, channels and spatial sizes of the scale that it steers."
        )
    return condition


def as_tuple(z: Latent) -> tuple[Tensor, ...]:
    """Return a latent as a tuple, fine to coarse; a single tensor is a tuple of one."""
    return (z,) if isinstance(z, Tensor) else tuple(z)
