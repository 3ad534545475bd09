"""The interface of all blocks: an invertible map that reports its log-determinant and knows its shapes."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from cinn_app.errors import RecipeError
from cinn_app.flows.numerics import full_precision

__all__ = [
    "Bijection",
    "Condition",
    "FlowError",
    "Latent",
    "LatentShape",
    "Shape",
    "ShapeError",
    "as_shapes",
    "as_tuple",
    "join_condition",
    "require_bijection",
    "require_condition",
    "require_condition_count",
]

#: The condition of a bijection: none, one tensor, or one (or none) per scale, fine to coarse.
Condition: TypeAlias = Tensor | Sequence[Tensor | None] | None

#: The latent of a bijection: one tensor, or for multi-scale flows a tuple of tensors, fine to coarse.
Latent: TypeAlias = Tensor | tuple[Tensor, ...]

#: The shape of one sample, without the batch.
Shape: TypeAlias = tuple[int, ...]

#: The shape of one sample's latent: one shape, or for multi-scale flows one per scale, fine to coarse.
LatentShape: TypeAlias = Shape | tuple[Shape, ...]

Module = TypeVar("Module", bound=nn.Module)


class FlowError(RecipeError, ValueError):
    """A flow was given an argument that it cannot use."""


class ShapeError(FlowError):
    """Sizes do not fit together."""


class Bijection(nn.Module):
    r"""An invertible map :math:`z = f(x; c)` with an optional condition :math:`c`.

    Subclasses MUST implement :meth:`forward` and :meth:`inverse` so that for every condition

    * ``inverse(forward(x)) = x`` up to rounding;
    * each direction returns the log-determinant of its own Jacobian, one number per sample, in float32 (float64 for
      float64 data): ``forward`` returns ``log|det dz/dx|`` and ``inverse`` returns ``log|det dx/dz|``, so that the two
      cancel;
    * the number of values per sample is preserved.

    They CAN ignore the condition. A subclass that changes the shape MUST implement :meth:`latent_shape` and
    :meth:`event_shape`.

    Attributes:
        channels: the number of channels that data must have, or ``None`` for any.
        condition_count: how many conditions it takes: 1, or for multi-scale bijections one per scale.
        tolerance: the relative error of round trips and log-determinants: 0 if they are exact up to rounding; a block
            that approximates them, for example by a truncated series, declares its error here.
    """

    channels: int | None = None
    condition_count: int = 1
    tolerance: float = 0.0

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        """Map data to latent.

        Args:
            x: data, ``(batch, *event_shape)``.
            condition: one tensor of the same batch size, one per scale, or ``None``.

        Returns:
            ``z`` of shape ``(batch, *latent_shape)``, and ``log|det dz/dx|`` of shape ``(batch,)``.

        Raises:
            ShapeError: if the sizes do not fit.
        """
        raise NotImplementedError

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        """Map latent to data.

        Args:
            z: latent, ``(batch, *latent_shape)``.
            condition: the condition given to :meth:`forward`.

        Returns:
            ``x`` of shape ``(batch, *event_shape)``, and ``log|det dx/dz|`` of shape ``(batch,)``.

        Raises:
            ShapeError: if the sizes do not fit.
        """
        raise NotImplementedError

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        """Return the shape of the latent of data of ``event_shape``, both without the batch.

        Raises:
            ShapeError: if the bijection cannot take data of this shape.
        """
        if event_shape and not isinstance(event_shape[0], int):
            raise self._several_latents(len(event_shape))
        if self.channels is not None and event_shape[:1] != (self.channels,):
            raise ShapeError(
                "{block} was given values of shape (batch, {given}) where (batch, {channels}, ...) is needed; give it "
                "{channels} channels, or build it for the channels of the data.",
                block=type(self).__name__,
                given=_listed(event_shape),
                channels=self.channels,
            )
        return event_shape

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        """Return the shape of the data whose latent has ``latent_shape``: the inverse of :meth:`latent_shape`.

        Raises:
            ShapeError: if the bijection has no latent of this shape.
        """
        return cast(Shape, self.latent_shape(cast(Shape, latent_shape)))

    def _data(self, x: Tensor) -> Tensor:
        """Check the shape of data and return them in full precision."""
        self.latent_shape(tuple(self._tensor(x).shape[1:]))
        return full_precision(x)

    def _latent(self, z: Tensor) -> Tensor:
        """Check the shape of a latent and return it in full precision."""
        self.event_shape(tuple(self._tensor(z).shape[1:]))
        return full_precision(z)

    def _tensor(self, values: Latent) -> Tensor:
        if isinstance(values, Tensor):
            return values
        raise self._several_latents(len(values))

    def _several_latents(self, count: int) -> ShapeError:
        return ShapeError(
            "{block} was given {count} tensors where one is needed; a bijection with several latents, such as Split, "
            "comes last in a chain.",
            block=type(self).__name__,
            count=count,
        )


def require_bijection(module: Module) -> Module:
    """Refuse a module that is not a :class:`Bijection`, such as an embedding into more dimensions."""
    if isinstance(module, Bijection):
        return module
    raise FlowError(
        "{given} is not a bijection, so it has no density; apply it to the data before the flow.",
        given=type(module).__name__,
    )


def require_condition(condition: Condition, channels: int, like: Tensor) -> Tensor:
    """Return the one condition of a block, or refuse it if it does not fit the data.

    Args:
        condition: one tensor ``(batch, channels, ...)``.
        channels: the number of channels that it must have.
        like: the data, ``(batch, any, ...)``, of the same batch and spatial sizes.
    """
    if condition is None:
        raise ShapeError(
            "No condition was given where one of {channels} channels is needed; pass it.", channels=channels
        )
    if not isinstance(condition, Tensor):
        raise _one_condition_needed(len(condition))
    expected = (like.shape[0], channels, *like.shape[2:])
    if condition.shape != expected:
        raise ShapeError(
            "The condition has shape {given} where {expected} is needed; give it the batch, channels and spatial sizes "
            "of the data that it conditions.",
            given=tuple(condition.shape),
            expected=expected,
        )
    return condition


def join_condition(condition: Tensor | None, picture: Tensor, level: int) -> Tensor:
    """Return the condition of a pyramid's details: what it is given, if anything, joined with the picture so far."""
    if condition is None:
        return picture
    if condition.shape[0] != picture.shape[0] or condition.shape[2:] != picture.shape[2:]:
        raise ShapeError(
            "The condition of scale {level} has shape {given} where ({batch}, channels, {sizes}) is needed; resize it "
            "to its scale.",
            level=level,
            given=tuple(condition.shape),
            batch=picture.shape[0],
            sizes=_listed(picture.shape[2:]),
        )
    return torch.cat([condition, picture], dim=1)


def require_condition_count(condition: Condition, count: int) -> None:
    """Refuse a tuple of conditions unless it has ``count``, one per scale."""
    if condition is None or isinstance(condition, Tensor) or len(condition) == count:
        return
    if count == 1:
        raise _one_condition_needed(len(condition))
    raise ShapeError(
        "The number of conditions is {given} where {count} is needed; pass one per scale, fine to coarse.",
        given=len(condition),
        count=count,
    )


def _one_condition_needed(given: int) -> ShapeError:
    return ShapeError(
        "A tuple of {given} was given where one condition is needed; only bijections with several scales, such as "
        "Split and HaarPyramid, take one condition per scale.",
        given=given,
    )


def as_tuple(z: Latent) -> tuple[Tensor, ...]:
    """Return a latent as a tuple, fine to coarse; a single tensor becomes a tuple of one."""
    return (z,) if isinstance(z, Tensor) else tuple(z)


def as_shapes(shape: LatentShape) -> tuple[Shape, ...]:
    """Return a latent's shape as a tuple of shapes, fine to coarse; a single shape becomes a tuple of one."""
    return cast("tuple[Shape, ...]", shape if shape and not isinstance(shape[0], int) else (shape,))


def _listed(shape: Shape) -> str:
    return ", ".join(map(str, shape))
