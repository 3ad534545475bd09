"""The one interface: a bijection that also reports how it stretches volume."""

from collections.abc import Sequence
from typing import TypeAlias

from torch import Tensor, nn

__all__ = ["Bijection", "Condition", "Latent"]

#: What steers a bijection: nothing, one tensor, or one tensor per scale.
Condition: TypeAlias = Tensor | Sequence[Tensor] | None

#: What a bijection makes: one tensor, or for multi-scale flows a tuple of them, fine to coarse.
Latent: TypeAlias = Tensor | tuple[Tensor, ...]


class Bijection(nn.Module):
    r"""An invertible map :math:`z = f(x; c)`, steered by an optional condition :math:`c`.

    Subclasses MUST implement :meth:`forward` and :meth:`inverse` so that for every condition

    * ``inverse(forward(x)) = x`` up to rounding,
    * each direction returns the log-determinant of *the way it went*, one number per sample, in float32 (or
      float64 for float64 input): ``forward`` gives ``log|det dz/dx|`` and ``inverse`` gives ``log|det
      dx/dz|``, so that the two cancel.

    They CAN ignore the condition, and CAN change the shape as long as the number of values per sample is
    kept.
    """

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        """Map data to latent.

        Args:
            x: data, ``(batch, ...)``.
            condition: what steers the map, with the same batch size, or ``None``.

        Returns:
            ``z`` and ``log|det dz/dx|`` of shape ``(batch,)``.
        """
        raise NotImplementedError

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        """Map latent to data.

        Args:
            z: latent, ``(batch, ...)``.
            condition: the condition given to :meth:`forward`.

        Returns:
            ``x`` and ``log|det dx/dz|`` of shape ``(batch,)``.
        """
        raise NotImplementedError
