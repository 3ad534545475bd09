"""Bijections made of bijections: in sequence, inverted, on parts of the data, with a network before the condition."""

from collections.abc import Iterable, Iterator
from typing import cast, overload

import torch
from torch import Tensor, nn

from cinn_app.flows.base import (
    Bijection,
    Condition,
    Latent,
    LatentShape,
    Shape,
    ShapeError,
    as_shapes,
    as_tuple,
    require_bijection,
    require_condition_count,
)
from cinn_app.flows.numerics import full_precision, run_network, zero_log_det

__all__ = ["Chain", "Conditioned", "Inverse", "Split", "Triangular"]


class Chain(Bijection):
    r"""Several bijections in sequence: :math:`z = f_n(\dots f_2(f_1(x; c); c) \dots; c)`.

    * inverse: :math:`x = f_1^{-1}(f_2^{-1}(\dots f_n^{-1}(z; c)))`, the reversed list;
    * log-determinant: the sum over the members.

    A single condition ``c`` goes to every member; members that do not use it ignore it. If the last member has
    several scales, as :class:`Split` and :class:`HaarPyramid` have, the condition can be a tuple with one per scale,
    fine to coarse: the last member gets the tuple, and all members before it, which belong to the finest scale, get its
    first condition. The empty chain is the identity.

    Args:
        members: :math:`f_1, \dots, f_n`, in the order of :meth:`forward`.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Chain, OrthogonalMixing, Permutation
        >>> chain = Chain([OrthogonalMixing(4, seed=0), Permutation(4, seed=0)])
        >>> chain
        Chain(
          (0): OrthogonalMixing(channels=4)
          (1): Permutation(channels=4)
        )
        >>> x = torch.arange(8.0).reshape(2, 4)
        >>> z, log_det = chain(x)
        >>> torch.allclose(chain.inverse(z)[0], x, atol=1e-5)
        True
        >>> len(chain[:1])
        1
    """

    def __init__(self, members: Iterable[Bijection]) -> None:
        super().__init__()
        for index, member in enumerate(members):
            self.add_module(str(index), require_bijection(member))
        self.condition_count = max((member.condition_count for member in self), default=1)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_condition_count(condition, self.condition_count)
        x, log_det = full_precision(x), zero_log_det(x)
        for member in self:
            x, member_log_det = member(x, _condition_of(member, condition))
            log_det = log_det + member_log_det
        return x, log_det

    def inverse(self, z: Latent, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_condition_count(condition, self.condition_count)
        log_det = zero_log_det(as_tuple(z)[0])
        for member in reversed(list(self)):
            z, member_log_det = member.inverse(cast(Tensor, z), _condition_of(member, condition))
            log_det = log_det + member_log_det
        return full_precision(cast(Tensor, z)), log_det

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        shape: LatentShape = event_shape
        for index, member in enumerate(self):
            try:
                shape = member.latent_shape(cast(Shape, shape))
            except ShapeError as error:
                error.add_note(f"in member {index} of the chain, {type(member).__name__}")
                raise
        return shape

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        for member in reversed(list(self)):
            latent_shape = member.event_shape(latent_shape)
        return cast(Shape, latent_shape)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Bijection]:
        return cast("Iterator[Bijection]", iter(self._modules.values()))

    @overload
    def __getitem__(self, index: int) -> Bijection: ...
    @overload
    def __getitem__(self, index: slice) -> "Chain": ...
    def __getitem__(self, index: int | slice) -> Bijection:
        return Chain(list(self)[index]) if isinstance(index, slice) else list(self)[index]


def _condition_of(member: Bijection, condition: Condition) -> Condition:
    """Return what a member of a chain is given: of a tuple of conditions, the first unless it takes several."""
    if condition is None or isinstance(condition, Tensor) or member.condition_count > 1:
        return condition
    return condition[0]


class Inverse(Bijection):
    r"""A bijection in the other direction: :math:`z = f^{-1}(x; c)`, :math:`x = f(z; c)`.

    Args:
        bijection: :math:`f`.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import HaarDownsampling, Inverse
        >>> Inverse(HaarDownsampling())(torch.ones(1, 4, 2, 2))[0].shape
        torch.Size([1, 1, 4, 4])
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = require_bijection(bijection)
        self.condition_count = bijection.condition_count

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(x, condition)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return cast("tuple[Tensor, Tensor]", self.bijection(z, condition))

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        return self.bijection.event_shape(event_shape)

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        return cast(Shape, self.bijection.latent_shape(cast(Shape, latent_shape)))


class Conditioned(Bijection):
    r"""A bijection conditioned on features of the condition: :math:`z = f(x; g(c))`.

    * inverse: :math:`x = f^{-1}(z; g(c))`;
    * log-determinant: that of :math:`f`; the conditioning network :math:`g` needs no inverse.

    The features are computed once and used by every block of :math:`f`. Conditional INN, Ardizzone et al. 2019
    (arXiv 1907.02392), section 3.2.

    Args:
        network: :math:`g`, from one condition to one, or to one per scale of :math:`f`.
        bijection: :math:`f`.

    Raises:
        ShapeError: if the condition is not a single tensor.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AffineCoupling, Conditioned
        >>> flow = Conditioned(nn.Linear(10, 3), AffineCoupling(4, nn.Linear, condition_channels=3))
        >>> flow(torch.randn(2, 4), torch.randn(2, 10))[0].shape
        torch.Size([2, 4])
    """

    def __init__(self, network: nn.Module, bijection: Bijection) -> None:
        super().__init__()
        self.network, self.bijection = network, require_bijection(bijection)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z, log_det = self.bijection(x, self._features(condition))
        return z, log_det

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(z, self._features(condition))

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        return self.bijection.latent_shape(event_shape)

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        return self.bijection.event_shape(latent_shape)

    def _features(self, condition: Condition) -> Tensor:
        if isinstance(condition, Tensor):
            return run_network(self.network, condition)
        raise ShapeError("A conditioning network takes one condition, but none or several were given; pass one tensor.")


class Split(Bijection):
    r"""Split the channels into parts with latents of their own: :math:`z = (x_1, g(x_2; c))`, :math:`x = (x_1, x_2)`.

    * inverse: :math:`x = (z_1, g^{-1}(z_2; c))`;
    * log-determinant: that of :math:`g`.

    At the end of a :class:`Chain` this makes a multi-scale flow, whose first channels leave early: RealNVP, Dinh et al.
    2016 (arXiv 1605.08803), eqs. 13 to 16. It also makes a flow whose latent has named parts, such as :math:`(y, z)`
    for an inverse problem (Ardizzone et al. 2019, arXiv 1808.04730): each part has a base distribution of its own in
    :class:`NormalizingFlow`.

    The latent is a flat tuple, fine to coarse: if :math:`g` ends in another :class:`Split`, its latents follow.

    A single condition goes to :math:`g`. A tuple has one condition for the scale before the split, which the members
    of the chain before it use, and then those of :math:`g`.

    Args:
        channels: the size of :math:`x_1`, the first channels of ``x`` of shape ``(batch, any, ...)``.
        rest: :math:`g`, a bijection of the other channels; the identity by default.

    Raises:
        ShapeError: if ``x`` has no more than ``channels`` channels, or the latent has too few parts.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Chain, HaarDownsampling, OrthogonalMixing, Split
        >>> inner = Split(2, OrthogonalMixing(2, seed=0))
        >>> flow = Chain([HaarDownsampling(), Split(3, Chain([HaarDownsampling(), inner]))])
        >>> [tuple(z.shape) for z in flow(torch.randn(5, 1, 8, 8))[0]]
        [(5, 3, 4, 4), (5, 2, 2, 2), (5, 2, 2, 2)]
    """

    def __init__(self, channels: int, rest: Bijection | None = None) -> None:
        super().__init__()
        self.first_channels = channels
        self.rest = Chain([]) if rest is None else require_bijection(rest)
        self.condition_count = 1 + self.rest.condition_count

    def forward(  # type: ignore[override]  # a tuple of latents is this block's purpose
        self, x: Tensor, condition: Condition = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        z1, x2 = _split(full_precision(self._tensor(x)), self.first_channels)
        z2, log_det = self.rest(x2, self._rest_condition(condition))
        return (z1, *as_tuple(z2)), log_det

    def inverse(self, z: Latent, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z1, z2 = _first_and_rest(as_tuple(z))
        x2, log_det = self.rest.inverse(cast(Tensor, z2), self._rest_condition(condition))
        return torch.cat([full_precision(z1), x2], dim=1), log_det

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        shape1, shape2 = _split_shape(event_shape, self.first_channels)
        return (shape1, *as_shapes(self.rest.latent_shape(shape2)))

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        shape1, shape2 = _first_and_rest(as_shapes(latent_shape))
        return _joined_shape(shape1, self.rest.event_shape(shape2))

    def _rest_condition(self, condition: Condition) -> Condition:
        require_condition_count(condition, self.condition_count)
        if condition is None or isinstance(condition, Tensor):
            return condition
        return condition[1] if self.rest.condition_count == 1 else tuple(condition[1:])

    def extra_repr(self) -> str:
        return f"channels={self.first_channels}"


class Triangular(Bijection):
    r"""Some channels first, then the others conditioned on them: :math:`z_1 = f(x_1; c), \; z_2 = g(x_2; c, x_1)`.

    * inverse: :math:`x_1 = f^{-1}(z_1; c)` first, then :math:`x_2 = g^{-1}(z_2; c, x_1)`;
    * log-determinant: the sum of both, since the Jacobian is block-triangular.

    It is the chain rule :math:`p(x_1, x_2 \mid c) = p(x_1 \mid c) \, p(x_2 \mid x_1, c)` with a flow for each factor.
    The triangular maps of Knothe and Rosenblatt, see Papamakarios et al. 2021 (arXiv 1912.02762), section 2.2.

    Shapes: ``x`` is ``(batch, any, ...)``; the latents of both parts are joined along their channels, and must agree in
    all other dimensions.

    Args:
        channels: the size of :math:`x_1`, the first channels of ``x``.
        latent_channels: the size of :math:`z_1`, the first channels of ``z``.
        first: :math:`f`, with the condition ``c``.
        second: :math:`g`, whose condition is ``c`` joined with :math:`x_1`, so it has ``channels`` channels more than
            ``c``; without ``c`` it is :math:`x_1`.

    Raises:
        ShapeError: if ``x`` has no more than ``channels`` channels, or the condition is not a single tensor.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AffineCoupling, OrthogonalMixing, Triangular
        >>> flow = Triangular(2, 2, OrthogonalMixing(2, seed=0), AffineCoupling(3, nn.Linear, condition_channels=2))
        >>> flow(torch.randn(4, 5))[0].shape
        torch.Size([4, 5])
    """

    def __init__(self, channels: int, latent_channels: int, first: Bijection, second: Bijection) -> None:
        super().__init__()
        self.first_channels, self.latent_channels = channels, latent_channels
        self.first, self.second = require_bijection(first), require_bijection(second)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x1, x2 = _split(full_precision(x), self.first_channels)
        z1, log_det1 = self.first(x1, condition)
        z2, log_det2 = self.second(x2, _joined_condition(condition, x1))
        return torch.cat([z1, z2], dim=1), log_det1 + log_det2

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z1, z2 = _split(full_precision(z), self.latent_channels)
        x1, log_det1 = self.first.inverse(z1, condition)
        x2, log_det2 = self.second.inverse(z2, _joined_condition(condition, x1))
        return torch.cat([x1, x2], dim=1), log_det1 + log_det2

    def latent_shape(self, event_shape: Shape) -> LatentShape:
        shape1, shape2 = _split_shape(event_shape, self.first_channels)
        return _joined_shape(
            cast(Shape, self.first.latent_shape(shape1)), cast(Shape, self.second.latent_shape(shape2))
        )

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        shape1, shape2 = _split_shape(cast(Shape, latent_shape), self.latent_channels)
        return _joined_shape(self.first.event_shape(shape1), self.second.event_shape(shape2))

    def extra_repr(self) -> str:
        return f"channels={self.first_channels}, latent_channels={self.latent_channels}"


def _split(values: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    _split_shape(tuple(values.shape[1:]), channels)
    return cast("tuple[Tensor, Tensor]", values.split([channels, values.shape[1] - channels], dim=1))


def _split_shape(shape: Shape, channels: int) -> tuple[Shape, Shape]:
    if not shape or not 0 < channels < shape[0]:
        raise ShapeError(
            "The number of channels is {given} where more than the {channels} of the first part are needed; make the "
            "first part smaller.",
            given=shape[0] if shape else 0,
            channels=channels,
        )
    return (channels, *shape[1:]), (shape[0] - channels, *shape[1:])


def _joined_shape(shape1: Shape, shape2: Shape) -> Shape:
    if shape1[1:] != shape2[1:]:
        raise ShapeError(
            "The two parts have shapes {shape1} and {shape2}, which must agree in all but the channels to be joined.",
            shape1=shape1,
            shape2=shape2,
        )
    return (shape1[0] + shape2[0], *shape1[1:])


def _joined_condition(condition: Condition, x1: Tensor) -> Tensor:
    if condition is None:
        return x1
    if isinstance(condition, Tensor):
        return torch.cat([condition, x1], dim=1)
    raise ShapeError(
        "A triangular map takes one condition, but {count} were given; pass one tensor.", count=len(condition)
    )


@overload
def _first_and_rest(parts: tuple[Tensor, ...]) -> tuple[Tensor, Latent]: ...
@overload
def _first_and_rest(parts: tuple[Shape, ...]) -> tuple[Shape, LatentShape]: ...
def _first_and_rest(parts: tuple) -> tuple:
    if len(parts) < 2:
        raise ShapeError("The latent has {count} part where at least 2 are needed; pass a tuple.", count=len(parts))
    return parts[0], parts[1] if len(parts) == 2 else parts[1:]
