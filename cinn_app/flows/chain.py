"""Composition: one bijection after another, and a bijection turned around."""

from collections.abc import Iterable, Iterator
from typing import cast, overload

from torch import Tensor

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision, no_stretch

__all__ = ["Chain", "Inverse"]


class Chain(Bijection):
    r"""One bijection after another: :math:`z = f_n(\dots f_2(f_1(x; c); c) \dots; c)`.

    * inverse: :math:`x = f_1^{-1}(f_2^{-1}(\dots f_n^{-1}(z; c)))`, the reversed list;
    * log-determinant: the sum of the members'.

    Every member gets the same condition ``c``; those without use for it ignore it. The empty chain is the
    identity.

    Args:
        members: :math:`f_1, \dots, f_n`, in the order in which the data meet them.

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
            self.add_module(str(index), member)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x, log_det = full_precision(x), no_stretch(x)
        for member in self:
            x, stretch = member(x, condition)
            log_det = log_det + stretch
        return x, log_det

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        log_det = no_stretch(z)
        for member in reversed(list(self)):
            z, stretch = member.inverse(z, condition)
            log_det = log_det + stretch
        return full_precision(z), log_det

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Bijection]:
        return cast(Iterator[Bijection], iter(self._modules.values()))

    @overload
    def __getitem__(self, index: int) -> Bijection: ...
    @overload
    def __getitem__(self, index: slice) -> "Chain": ...
    def __getitem__(self, index: int | slice) -> Bijection:
        return Chain(list(self)[index]) if isinstance(index, slice) else list(self)[index]


class Inverse(Bijection):
    r"""A bijection turned around: :math:`z = f^{-1}(x; c)`, :math:`x = f(z; c)`.

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
        self.bijection = bijection

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(x, condition)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return cast(tuple[Tensor, Tensor], self.bijection(z, condition))
