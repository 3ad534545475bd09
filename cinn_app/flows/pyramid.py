"""A pyramid of conditional flows over Haar wavelets."""

from collections.abc import Sequence
from typing import TypeVar, cast

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
    join_condition,
    require_bijection,
    require_condition_count,
)
from cinn_app.flows.reshaping import HaarDownsampling

__all__ = ["HaarPyramid", "Pyramid"]

Part = TypeVar("Part")


class Pyramid(Bijection):
    """A bijection that has a density for each scale, given all coarser ones.

    Subclasses MUST implement :meth:`forward_by_scale`.
    """

    def forward(  # type: ignore[override]  # a tuple of latents is this block's purpose
        self, x: Tensor, condition: Condition = None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        latents, log_dets = self.forward_by_scale(x, condition)
        return latents, torch.stack(log_dets).sum(0)

    def forward_by_scale(
        self, x: Tensor, condition: Condition = None, skip: int = 0
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Map data to latents as :meth:`forward` does, but return the log-determinants of the scales separately.

        The log-densities of the scales sum to that of the whole.

        Args:
            x: data.
            condition: as for :meth:`forward`, including those of the scales that are skipped.
            skip: how many of the finest scales to leave out.

        Returns:
            Latents and log-determinants, fine to coarse, without the skipped scales.
        """
        raise NotImplementedError


class HaarPyramid(Pyramid):
    r"""One flow per wavelet band, each conditioned on the coarser image: :math:`z_l = f_l(d_l; c_l, m_l)`.

    .. math::
        (a_1, d_1) = \mathrm{Haar}(x), \quad (a_{l+1}, d_{l+1}) = \mathrm{Haar}(a_l), \quad m_l = a_l / 2^l

    For the levels :math:`l = 1, \dots, n` the details :math:`d_l` go through ``details[l - 1]``; the two coarsest bands
    together, :math:`(a_{n+1}, d_{n+1})`, go through ``base``: :math:`z_{n+1} = f_{n+1}((a_{n+1}, d_{n+1}); c_{n+1})`.

    * inverse: the base first, then the details from coarse to fine, each given the image rebuilt so far;
    * log-determinant: the sum over the flows, since Haar is orthonormal and the levels are coupled triangularly.

    After Wavelet Flow, Yu et al. 2020 (arXiv 2010.13821), with conditions; all scales are trained at once.

    Shapes: ``x`` is ``(batch, c, h, w)`` for any ``h`` and ``w`` that :math:`2^{n+1}` divides; the latent is a tuple,
    fine to coarse, of what ``details`` make of ``(batch, 3 * c, h / 2**l, w / 2**l)`` and ``base`` of ``(batch, 4 * c,
    h / 2**(n + 1), w / 2**(n + 1))``. With ``d`` spatial dimensions instead of 2, there are :math:`(2^d - 1) c`
    channels of details and :math:`2^d c` of the base.

    Units: orthonormal Haar doubles the low-pass at each level. The coarser image :math:`m_l`, the mean of ``x`` over
    blocks of :math:`2^l` pixels, is divided by that factor, :math:`2^{ld/2}`, so that the condition of every scale is
    in the units of ``x``.

    Args:
        base: :math:`f_{n+1}`, with the condition :math:`c_{n+1}`.
        details: :math:`f_1, \dots, f_n`, fine to coarse; the condition is :math:`c_l` joined with :math:`m_l`, so it
            has ``c`` channels more than :math:`c_l`.

    The condition is ``None`` (details then see :math:`m_l` alone), or one tensor or ``None`` per scale, fine to coarse,
    each of the height and width of its bands.

    Raises:
        ShapeError: if the sizes cannot be divided, or the number of conditions or latents is wrong.

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
        self.haar: Bijection = HaarDownsampling()
        self.details = cast("Sequence[Bijection]", nn.ModuleList(require_bijection(detail) for detail in details))
        self.base = require_bijection(base)
        self.condition_count = len(details) + 1

    def forward_by_scale(
        self, x: Tensor, condition: Condition = None, skip: int = 0
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        self._require_sizes(tuple(x.shape[1:]))
        conditions = self._per_scale(condition)
        latents, log_dets, low = [], [], x
        for level, detail in enumerate(self.details, start=1):
            bands, _ = self.haar(low)
            low, high = bands[:, : x.shape[1]], bands[:, x.shape[1] :]
            if level > skip:
                z, log_det = detail(high, self._joined(conditions[level - 1], low, level))
                latents.append(z)
                log_dets.append(log_det)
        z, log_det = self.base(self.haar(low)[0], conditions[-1])
        return (*latents, z), (*log_dets, log_det)

    def inverse(self, z: Latent, condition: Condition = None) -> tuple[Tensor, Tensor]:
        latents, conditions = self._require_parts(as_tuple(z)), self._per_scale(condition)
        bands, log_det = self.base.inverse(latents[-1], conditions[-1])
        low, _ = self.haar.inverse(bands)
        for level in range(len(self.details), 0, -1):
            joined = self._joined(conditions[level - 1], low, level)
            high, detail_log_det = self.details[level - 1].inverse(latents[level - 1], joined)
            low, _ = self.haar.inverse(torch.cat([low, high], dim=1))
            log_det = log_det + detail_log_det
        return low, log_det

    def latent_shape(self, event_shape: Shape) -> tuple[Shape, ...]:
        self._require_sizes(event_shape)
        shapes, low = [], event_shape
        for detail in self.details:
            bands = cast(Shape, self.haar.latent_shape(low))
            low = (low[0], *bands[1:])
            shapes.append(cast(Shape, detail.latent_shape((bands[0] - low[0], *bands[1:]))))
        return (*shapes, cast(Shape, self.base.latent_shape(cast(Shape, self.haar.latent_shape(low)))))

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        coarsest = self._require_parts(as_shapes(latent_shape))[-1]
        channels, *sizes = self.haar.event_shape(self.base.event_shape(coarsest))
        event_shape = (channels, *[size << len(self.details) for size in sizes])
        if self.latent_shape(event_shape) != latent_shape:
            raise ShapeError(
                "The latent has shapes {given} where {expected} is needed; give it the shapes that forward returns.",
                given=latent_shape,
                expected=self.latent_shape(event_shape),
            )
        return event_shape

    def _require_sizes(self, event_shape: Shape) -> None:
        factor = 2**self.condition_count
        if len(event_shape) < 2 or any(size % factor for size in event_shape[1:]):
            raise ShapeError(
                "The data have shape {given} after the batch where (channels, *sizes) with sizes divisible by {factor} "
                "is needed; crop or pad the image.",
                given=event_shape,
                factor=factor,
            )

    def _require_parts(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        if len(parts) != self.condition_count:
            raise ShapeError(
                "The number of latents is {given} where {needed} is needed; give one per scale, fine to coarse.",
                given=len(parts),
                needed=self.condition_count,
            )
        return parts

    def _per_scale(self, condition: Condition) -> Sequence[Tensor | None]:
        if condition is None:
            return [None] * self.condition_count
        if isinstance(condition, Tensor):
            if self.condition_count > 1:
                raise ShapeError(
                    "The condition is a single tensor where a tuple of {count} is needed; pass one per scale, fine to "
                    "coarse.",
                    count=self.condition_count,
                )
            return [condition]
        require_condition_count(condition, self.condition_count)
        return condition

    @staticmethod
    def _joined(condition: Tensor | None, low: Tensor, level: int) -> Tensor:
        """Return the condition of a detail: what it is given, joined with the coarser image."""
        return join_condition(condition, low / 2 ** (level * (low.dim() - 2) / 2), level)
