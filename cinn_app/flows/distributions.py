r"""A bijection and a base distribution make a distribution of data.

.. math::
    \log p(x \mid c) = \log p_Z(f(x; c)) + \log |\det \partial f(x; c) / \partial x|
"""

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from cinn_app.flows.base import (
    Bijection,
    Condition,
    FlowError,
    Latent,
    Shape,
    ShapeError,
    as_shapes,
    as_tuple,
    require_bijection,
)
from cinn_app.flows.numerics import full_precision, sum_per_sample
from cinn_app.flows.pyramid import Pyramid

__all__ = ["Base", "FlowDistribution", "NormalizingFlow", "Temperature", "standard_normal_log_prob"]

#: A factor of the latent's deviation from its mean: one number of at least 0, or one per part, fine to coarse.
Temperature: TypeAlias = float | Sequence[float]

#: The base distribution of one part of the latent: standard normal, a distribution, or a module that returns one.
Base: TypeAlias = Distribution | Callable[[], Distribution] | None


def standard_normal_log_prob(z: Latent) -> Tensor:
    r"""Log-density of a standard normal latent: :math:`\log p(z) = -\tfrac12 \sum_i (z_i^2 + \log 2\pi)`.

    Args:
        z: ``(batch, ...)``, or a tuple of such tensors, over all of which the sum runs.

    Returns:
        ``(batch,)``, in nats.

    Examples:
        >>> standard_normal_log_prob(torch.zeros(2, 4)) / 4
        tensor([-0.9189, -0.9189])
    """
    parts = [full_precision(part) for part in as_tuple(z)]
    return torch.stack(
        [-(sum_per_sample(p.square()) + p.shape[1:].numel() * math.log(2 * math.pi)) / 2 for p in parts]
    ).sum(0)


class NormalizingFlow(nn.Module):
    r"""A conditional distribution: of :math:`x = f^{-1}(z; c)` for :math:`z` from a base distribution.

    Calling it with a condition returns a :class:`torch.distributions.Distribution`, see :class:`FlowDistribution`:
    ``flow(condition).log_prob(x)``, ``flow(condition).sample((8,))``.

    Args:
        bijection: :math:`f`, from data to latent.
        base: the distribution of the latent, standard normal by default; for a bijection with several latents, such as
            :class:`Split`, a sequence with one per latent. A distribution keeps its device; give an ``nn.Module`` that
            returns one, called without arguments, if it should move and learn with the flow.
        event_shape: of the data, such as ``(channels, height, width)``. A flow for images of any size leaves it out,
            and it is given in the call.

    Raises:
        FlowError: if ``bijection`` is not a :class:`Bijection`, for example zero padding.
        ShapeError: if the bijection cannot take data of ``event_shape``.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import HaarDownsampling, NormalizingFlow
        >>> flow = NormalizingFlow(HaarDownsampling(), event_shape=(1, 6, 6))
        >>> x = flow().sample((5,), generator=torch.Generator().manual_seed(0))
        >>> x.shape, flow().log_prob(x).shape
        (torch.Size([5, 1, 6, 6]), torch.Size([5]))

        A latent whose two parts have base distributions of their own:

        >>> from torch.distributions import Laplace
        >>> from cinn_app.flows import Chain, OrthogonalMixing, Split
        >>> parts = Chain([OrthogonalMixing(5, seed=0), Split(2)])
        >>> flow = NormalizingFlow(parts, base=[Laplace(torch.zeros(2), torch.ones(2)), None], event_shape=(5,))
        >>> [tuple(z.shape) for z in flow().sample_latent((8,))]
        [(8, 2), (8, 3)]
    """

    def __init__(
        self, bijection: Bijection, base: Base | Sequence[Base] = None, event_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.bijection = require_bijection(bijection)
        self.bases = None if base is None else tuple(base) if isinstance(base, Sequence) else (base,)
        self.base_modules = nn.ModuleList([part for part in self.bases or () if isinstance(part, nn.Module)])
        self.event_shape = None if event_shape is None else _as_shape(event_shape, "event_shape", smallest=1)
        if self.event_shape is not None:
            _fit_bases(self.bases, as_shapes(bijection.latent_shape(self.event_shape)))

    def forward(self, condition: Condition = None, event_shape: Sequence[int] | None = None) -> "FlowDistribution":
        """Return the distribution of the data given a condition.

        Args:
            condition: one tensor ``(batch, ...)``, or one per scale; ``None`` for an unconditional flow.
            event_shape: of the data, without the batch; may be left out if the flow was given one.
        """
        shape = self.event_shape if event_shape is None else event_shape
        if shape is None:
            raise ShapeError(
                "The flow has no event shape; pass event_shape=(channels, ...) to NormalizingFlow or to this call."
            )
        return FlowDistribution(self.bijection, shape, condition, self.bases)


class FlowDistribution(Distribution):
    r"""The distribution of :math:`x = f^{-1}(z; c)`, :math:`z \sim p_Z`, for one batch of conditions.

    It is a :class:`torch.distributions.Distribution`. ``batch_shape`` is ``(batch,)`` for a condition of that batch
    size, and ``()`` without a condition; ``sample((8,))`` has shape ``(8, *batch_shape, *event_shape)``.

    Two arguments of all sampling methods go beyond that interface:

    * ``temperature``: draws are :math:`\mu + T (z - \mu)` for the mean :math:`\mu` of :math:`p_Z`, so that a standard
      normal latent has the standard deviation :math:`T`. The log-density of what is drawn is always that of the
      distribution itself, at temperature 1: a low temperature draws probable samples, it does not change how probable
      they are.
    * ``generator``: draws a standard normal latent on the generator's device, so that a seed gives the same latent
      wherever the flow is; for other bases it seeds a draw on the device of the base.

    Args:
        bijection: :math:`f`, from data to latent.
        event_shape: of the data, without the batch.
        condition: :math:`c`, one tensor ``(batch, ...)`` or one per scale.
        base: as in :class:`NormalizingFlow`, one per latent.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        bijection: Bijection,
        event_shape: Sequence[int],
        condition: Condition = None,
        base: Sequence[Base] | None = None,
    ) -> None:
        event_shape = _as_shape(event_shape, "event_shape", smallest=1)
        self.bijection, self.condition = require_bijection(bijection), condition
        latent_shape = bijection.latent_shape(event_shape)
        self.latent_shapes = as_shapes(latent_shape)
        self.single_latent = latent_shape != self.latent_shapes
        self.bases = _fit_bases(base, self.latent_shapes)
        self.has_rsample = all(base is None or base.has_rsample for base in self.bases)
        super().__init__(_batch_shape(condition), torch.Size(event_shape), validate_args=False)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> "FlowDistribution":
        """Return the distribution with its batch shape broadcast to another one."""
        expanded = FlowDistribution(self.bijection, self.event_shape, self.condition, self.bases)
        expanded._batch_shape = torch.broadcast_shapes(self.batch_shape, tuple(batch_shape))
        return expanded

    def encode(self, x: Tensor) -> tuple[Latent, Tensor]:
        """Map data to their latents, and return the log-density of the data.

        Args:
            x: ``(*shape, *event_shape)``, for any ``shape`` that broadcasts with the batch shape.

        Returns:
            The latent, ``(*shape, *latent_shape)`` or a tuple of such tensors, and ``log p(x | c)`` in nats, ``shape``.
        """
        x, shape = self._flat(x)
        z, log_det = self.bijection(x, self._condition_for(shape))
        log_prob = torch.stack(self._base_log_probs(as_tuple(z))).sum(0) + log_det
        latents = tuple(part.reshape(*shape, *part.shape[1:]) for part in as_tuple(z))
        return latents[0] if self.single_latent else latents, log_prob.reshape(shape)

    def encode_by_scale(self, x: Tensor, skip: int = 0) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Map data to their latents, and return the log-density of each scale given all coarser ones.

        The log-densities sum to that of :meth:`encode`. Only :class:`HaarPyramid` and :class:`SpanPyramid`
        have them.

        Args:
            x: as in :meth:`encode`.
            skip: how many of the finest scales to leave out.
        """
        if not isinstance(self.bijection, Pyramid):
            raise FlowError(
                "{block} does not have a log-density for each scale; use encode, or a HaarPyramid.",
                block=type(self.bijection).__name__,
            )
        x, shape = self._flat(x)
        latents, log_dets = self.bijection.forward_by_scale(x, self._condition_for(shape), skip)
        log_probs = zip(self._base_log_probs(latents, skip), log_dets, strict=True)
        return (
            tuple(part.reshape(*shape, *part.shape[1:]) for part in latents),
            tuple((log_prob + log_det).reshape(shape) for log_prob, log_det in log_probs),
        )

    def decode(self, z: Latent) -> tuple[Tensor, Tensor]:
        """Map latents to data, and return the log-density of the data: the inverse of :meth:`encode`.

        Args:
            z: ``(*shape, *latent_shape)``, or a tuple of such tensors.

        Returns:
            ``x`` of shape ``(*shape, *event_shape)``, and ``log p(x | c)`` in nats, ``shape``.
        """
        parts = as_tuple(z)
        if len(parts) != len(self.latent_shapes):
            raise ShapeError(
                "The latent has {given} parts where {needed} are needed; pass a tuple, fine to coarse.",
                given=len(parts),
                needed=len(self.latent_shapes),
            )
        flat, shapes = zip(*map(self._flat, parts, self.latent_shapes), strict=True)
        latent = cast(Tensor, flat[0] if self.single_latent else flat)
        x, log_det = self.bijection.inverse(latent, self._condition_for(shapes[0]))
        log_prob = torch.stack(self._base_log_probs(flat)).sum(0) - log_det
        return x.reshape(*shapes[0], *self.event_shape), log_prob.reshape(shapes[0])

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(x | c)`` in nats of data ``(*shape, *event_shape)``: ``shape``."""
        return self.encode(value)[1]

    def sample_latent(
        self,
        sample_shape: Sequence[int] = (),
        temperature: Temperature = 1.0,
        generator: torch.Generator | None = None,
    ) -> Latent:
        """Draw latents: ``(*sample_shape, *batch_shape, *latent_shape)``, or a tuple of such tensors."""
        shape = (*_as_shape(sample_shape, "sample_shape"), *self.batch_shape)
        temperatures = _temperatures(temperature, len(self.latent_shapes))
        parts = zip(self.bases, self.latent_shapes, temperatures, strict=True)
        latents = tuple(self._draw(base, shape, size, t, generator) for base, size, t in parts)
        return latents[0] if self.single_latent else latents

    def rsample_and_log_prob(
        self,
        sample_shape: Sequence[int] = (),
        temperature: Temperature = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw samples and return their log-densities, which costs a single pass; gradients reach the weights."""
        return self.decode(self.sample_latent(sample_shape, temperature, generator))

    def rsample(
        self,
        sample_shape: Sequence[int] = (),
        temperature: Temperature = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw samples, ``(*sample_shape, *batch_shape, *event_shape)``, through which gradients reach the weights."""
        return self.rsample_and_log_prob(sample_shape, temperature, generator)[0]

    @torch.no_grad()
    def sample_and_log_prob(
        self,
        sample_shape: Sequence[int] = (),
        temperature: Temperature = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw samples and return their log-densities, without gradients."""
        return self.rsample_and_log_prob(sample_shape, temperature, generator)

    @torch.no_grad()
    def sample(
        self,
        sample_shape: Sequence[int] = (),
        temperature: Temperature = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw samples, ``(*sample_shape, *batch_shape, *event_shape)``, without gradients."""
        return self.rsample(sample_shape, temperature, generator)

    def _flat(self, values: Tensor, event_shape: Shape | None = None) -> tuple[Tensor, torch.Size]:
        """Return values broadcast to the batch, with one batch dimension, and the shape of their batch."""
        event = tuple(self.event_shape) if event_shape is None else event_shape
        if not isinstance(values, Tensor):
            raise FlowError(
                "The values are a {given} where a tensor is needed; convert them.", given=type(values).__name__
            )
        if tuple(values.shape[-len(event) :]) != event:
            raise ShapeError(
                "The values have shape {given} where (..., {event}) is needed; reshape them.",
                given=tuple(values.shape),
                event=", ".join(map(str, event)),
            )
        try:
            shape = torch.broadcast_shapes(values.shape[: -len(event)], self.batch_shape)
        except RuntimeError:
            raise ShapeError(
                "The values have shape {given}, whose batch does not fit the batch shape {batch} of the condition.",
                given=tuple(values.shape),
                batch=tuple(self.batch_shape),
            ) from None
        return values.expand(*shape, *event).reshape(-1, *event), shape

    def _condition_for(self, shape: torch.Size) -> Condition:
        """Return the condition repeated for values whose batch has a shape of several dimensions."""

        def repeat(c: Tensor | None) -> Tensor | None:
            return None if c is None else c.expand(*shape, *c.shape[1:]).reshape(-1, *c.shape[1:])

        if self.condition is None or isinstance(self.condition, Tensor):
            return repeat(self.condition)
        return tuple(map(repeat, self.condition))

    def _base_log_probs(self, parts: Sequence[Tensor], skip: int = 0) -> list[Tensor]:
        return [
            standard_normal_log_prob(z) if base is None else base.log_prob(z)
            for z, base in zip(parts, self.bases[skip:], strict=True)
        ]

    def _draw(
        self,
        base: Distribution | None,
        shape: Shape,
        size: Shape,
        temperature: float,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Draw one part of the latent, ``(*shape, *size)``."""
        like = self._like()
        if base is None:
            device = like.device if generator is None else generator.device
            noise = torch.randn((*shape, *size), generator=generator, dtype=like.dtype, device=device)
            return temperature * noise.to(like.device)
        draw = base.rsample if base.has_rsample else base.sample
        if generator is None:
            z = draw(torch.Size(shape))
        else:
            seed = torch.randint(2**62, (), generator=generator, device=generator.device)
            accelerators = [] if like.device.type == "cpu" else [like.device]
            with torch.random.fork_rng(accelerators, device_type=like.device.type):
                torch.manual_seed(int(seed))
                z = draw(torch.Size(shape))
        return z if temperature == 1 else base.mean + temperature * (z - base.mean)

    def _like(self) -> Tensor:
        """Return a tensor of the dtype and device to draw in: those of the weights, else of the condition."""
        conditions = [self.condition] if isinstance(self.condition, Tensor) else self.condition or ()
        tensors = itertools.chain(self.bijection.parameters(), self.bijection.buffers(), conditions)
        like = next((t for t in tensors if t is not None and t.is_floating_point()), torch.empty(0))
        return full_precision(like.new_empty(0))


def _batch_shape(condition: Condition) -> torch.Size:
    conditions: Sequence[Any] = condition if isinstance(condition, list | tuple) else [condition]
    if not all(c is None or (isinstance(c, Tensor) and c.dim()) for c in conditions):
        raise FlowError(
            "The condition is {given} where a tensor (batch, ...), one per scale, or None is needed; pass tensors.",
            given=" and ".join(sorted({f"a {type(c).__name__}" for c in conditions if c is not None})),
        )
    shapes = [c.shape[:1] for c in conditions if c is not None]
    try:
        return torch.broadcast_shapes(*shapes)
    except RuntimeError:
        raise ShapeError(
            "The conditions of the scales have batch sizes {sizes}, which must agree.",
            sizes=[*map(int, sum(shapes, ()))],
        ) from None


def _fit_bases(bases: Sequence[Base] | None, shapes: Sequence[Shape]) -> tuple[Distribution | None, ...]:
    """Return the base distribution of each part of the latent, ``None`` for standard normal, or refuse those given."""
    if bases is None:
        return (None,) * len(shapes)
    if len(bases) != len(shapes):
        raise ShapeError(
            "The number of base distributions is {given} where the latent has {parts} parts; give one each.",
            given=len(bases),
            parts=len(shapes),
        )
    return tuple(None if b is None else _distribution(b, shape) for b, shape in zip(bases, shapes, strict=True))


def _distribution(base: Distribution | Callable[[], Distribution], shape: Shape) -> Distribution:
    """Return a base as a distribution whose event is the whole part of the latent."""
    distribution = base if isinstance(base, Distribution) else base()
    batch = shape[: len(shape) - len(distribution.event_shape)]
    try:
        if (*batch, *distribution.event_shape) != shape:
            raise ValueError
        expanded = distribution.expand(torch.Size(batch))
    except (RuntimeError, ValueError):
        raise ShapeError(
            "The base distribution has batch shape {batch} and event shape {event}, which do not fit the latent's "
            "shape {shape}.",
            batch=tuple(distribution.batch_shape),
            event=tuple(distribution.event_shape),
            shape=shape,
        ) from None
    return Independent(expanded, len(batch)) if batch else expanded


def _as_shape(sizes: Sequence[int], name: str, smallest: int = 0) -> Shape:
    """Return sizes as a tuple of whole numbers, whatever kind of numbers they are."""
    try:
        shape = tuple(operator.index(size) for size in sizes)
    except TypeError:
        shape = (-1,)
    if any(size < smallest for size in shape) or (smallest and not shape):
        raise ShapeError(
            "The {name} is {given} where a tuple of whole numbers of at least {smallest} is needed, such as (8,).",
            name=name,
            given=repr(sizes),
            smallest=smallest,
        )
    return shape


def _temperatures(temperature: Temperature, count: int) -> list[float]:
    """Return one temperature for each part of the latent."""
    try:
        try:
            numbers = [float(t) for t in cast("Sequence[float]", temperature)]
        except TypeError:
            numbers = [float(cast(float, temperature))] * count
    except (TypeError, ValueError):
        numbers = [math.nan] * count
    if len(numbers) != count:
        raise ShapeError(
            "The number of temperatures is {given} where the latent has {parts} parts; give one, or one per part.",
            given=len(numbers),
            parts=count,
        )
    if any(not 0 <= number < math.inf for number in numbers):
        raise FlowError(
            "The temperature is {given} where a finite number of at least 0 is needed.", given=repr(temperature)
        )
    return numbers
