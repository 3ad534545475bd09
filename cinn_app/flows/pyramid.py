"""A pyramid of conditional flows over Haar wavelets."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition, Latent
from cinn_app.flows.haar import HaarDownsampling
from cinn_app.flows.shapes import ShapeError, as_tuple

__all__ = ["HaarPyramid"]


class HaarPyramid(Bijection):
    r"""One flow per wavelet band, each steered by the coarser image: :math:`z_l = f_l(d_l; c_l, m_l)`.

    .. math::
        (a_1, d_1) = \mathrm{Haar}(x), \quad (a_{l+1}, d_{l+1}) = \mathrm{Haar}(a_l), \quad m_l = a_l / 2^l

    For the levels :math:`l = 1, \dots, n` the details :math:`d_l` go through ``details[l - 1]``; the two
    coarsest bands together, :math:`(a_{n+1}, d_{n+1})`, go through ``base``: :math:`z_{n+1} =
    f_{n+1}((a_{n+1}, d_{n+1}); c_{n+1})`.

    * inverse: the base first, then details from coarse to fine, each on the image rebuilt so far;
    * log-determinant: the sum of the flows', since Haar is orthonormal and the coupling of levels triangular.

    After Wavelet Flow, Yu et al. 2020 (arXiv 2010.13821), with conditions. Every scale learns at once.

    Shapes: ``x`` is ``(batch, c, h, w)`` for any ``h`` and ``w`` that :math:`2^{n+1}` divides; the latent is
    a tuple, fine to coarse, of ``n`` tensors ``(batch, 3 * c, h / 2**l, w / 2**l)`` and one ``(batch, 4 * c,
    h / 2**(n + 1), ...)``.

    Units: orthonormal Haar doubles the low-pass at every level; the coarser image :math:`m_l`, the mean of
    ``x`` over blocks of :math:`2^l` pixels, is divided back so that all scales are steered by values in the
    units of ``x``.

    Args:
        base: :math:`f_{n+1}`, on ``4 * c`` channels, with the condition :math:`c_{n+1}`.
        details: :math:`f_1, \dots, f_n`, fine to coarse, each on ``3 * c`` channels; the condition is
            :math:`c_l` joined with :math:`m_l`, so it has ``c`` channels more than :math:`c_l`.

    The condition is ``None`` (details then see :math:`m_l` alone), or one tensor per latent, fine to coarse,
    each of that latent's height and width.

    Raises:
        ShapeError: if the sizes do not divide, or the number of conditions or latents is wrong.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AffineCoupling, HaarPyramid, OrthogonalMixing
        >>> subnet = lambda i, o: nn.Conv2d(i, o, 3, padding=1)
        >>> pyramid = HaarPyramid(OrthogonalMixing(8, seed=0), [AffineCoupling(6, subnet, 5 + 2)])
        >>> x, conditions = torch.randn(1, 2, 8, 12), (torch.randn(1, 5, 4, 6), torch.randn(1, 7, 2, 3))
        >>> z, log_det = pyramid(x, conditions)
        >>> [tuple(scale.shape) for scale in z]
        [(1, 6, 4, 6), (1, 8, 2, 3)]
        >>> torch.allclose(pyramid.inverse(z, conditions)[0], x, atol=1e-5)
        True
    """

    def __init__(self, base: Bijection, details: Sequence[Bijection]) -> None:
        super().__init__()
        self.haar = HaarDownsampling()
        self.details: Sequence[Bijection] = cast(Sequence[Bijection], nn.ModuleList(details))
        self.base = base

    def forward(  # type: ignore[override]  # a tuple of latents is this block's purpose
        self, x: Tensor, condition: Condition = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        latents, log_dets = self.forward_by_scale(x, condition)
        return latents, torch.stack(log_dets).sum(0)

    def forward_by_scale(
        self, x: Tensor, condition: Condition = None, skip: int = 0
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Map data to latents as :meth:`forward`, but keep the log-determinants of the scales apart.

        Each scale is a density of its own, of its band given all coarser ones; their log-likelihoods sum to
        the whole.

        Args:
            x: data.
            condition: one per scale, also of those that are left out.
            skip: leave out so many of the finest scales, where only the coarser ones are wanted.
        """
        self.latent_shapes(x.shape)
        conditions = self._per_scale(condition)
        latents, log_dets, low = [], [], x
        for level, detail in enumerate(self.details, start=1):
            low, high = self.haar(low)[0].split([x.shape[1], 3 * x.shape[1]], dim=1)
            if level > skip:
                z, stretch = detail(high, self._steer(conditions[level - 1], low, level))
                latents.append(z)
                log_dets.append(stretch)
        z, stretch = self.base(self.haar(low)[0], conditions[-1])
        return (*latents, z), (*log_dets, stretch)

    def inverse(self, z: Latent, condition: Condition = None) -> tuple[Tensor, Tensor]:
        latents, conditions = as_tuple(z), self._per_scale(condition)
        if len(latents) != self.scales:
            raise ShapeError(f"The latent has {len(latents)} scales where {self.scales} are needed; give one each.")
        bands, log_det = self.base.inverse(latents[-1], conditions[-1])
        low, _ = self.haar.inverse(bands)
        for level in range(len(self.details), 0, -1):
            detail, steer = self.details[level - 1], self._steer(conditions[level - 1], low, level)
            high, stretch = detail.inverse(latents[level - 1], steer)
            low, _ = self.haar.inverse(torch.cat([low, high], dim=1))
            log_det = log_det + stretch
        return low, log_det

    @property
    def scales(self) -> int:
        """How many latents there are, and how many conditions."""
        return len(self.details) + 1

    def latent_shapes(self, shape: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of the latents, fine to coarse, of data of ``shape = (batch, c, h, w)``."""
        factor = 2**self.scales
        if len(shape) != 4 or shape[2] % factor or shape[3] % factor:
            raise ShapeError(
                f"The data have shape {tuple(shape)} where (batch, channels, height, width) with height and "
                f"width divisible by {factor} is needed; crop or pad the image."
            )
        batch, channels, height, width = shape
        return tuple(
            (batch, (3 if level < self.scales else 4) * channels, height >> level, width >> level)
            for level in range(1, self.scales + 1)
        )

    def _per_scale(self, condition: Condition) -> Sequence[Tensor | None]:
        if condition is None:
            return [None] * self.scales
        if isinstance(condition, Tensor) or len(condition) != self.scales:
            given = "a single tensor" if isinstance(condition, Tensor) else f"{len(condition)} conditions"
            raise ShapeError(
                f"The pyramid was given {given} where a sequence of {self.scales} conditions is needed; "
                "give one per scale, fine to coarse."
            )
        return condition

    @staticmethod
    def _steer(condition: Tensor | None, low: Tensor, level: int) -> Tensor:
        coarser_image = low / 2**level
        if condition is None:
            return coarser_image
        if condition.shape[0] != low.shape[0] or condition.shape[2:] != low.shape[2:]:
            raise ShapeError(
                f"The condition of scale {level} has shape {tuple(condition.shape)} where "
                f"({low.shape[0]}, channels, {low.shape[2]}, {low.shape[3]}) is needed; "
                "resize it to its scale."
            )
        return torch.cat([condition, coarser_image], dim=1)
