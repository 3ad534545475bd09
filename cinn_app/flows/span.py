"""Coordinates along given columns first: a rotation of all values, and a pyramid of flows that begins with them."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

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
)
from cinn_app.flows.numerics import full_precision, without_autocast, zero_log_det
from cinn_app.flows.pyramid import Pyramid
from cinn_app.flows.reshaping import HaarDownsampling

__all__ = ["SpanFirst", "SpanPyramid"]

#: A column that lies outside the span of those before it with less than this share of its norm adds no direction.
DEPENDENT = 1e-4


class SpanFirst(Bijection):
    r"""Rotate the values of every channel so that coordinates along given columns come first: :math:`z = Q(A)^\top x`.

    :math:`A = QR` with a positive diagonal of :math:`R`. So :math:`z_1, ..., z_K` are the coordinates of ``x`` in the
    Gram-Schmidt basis of the columns :math:`a_1, ..., a_K`, in this order; the others lie in the complement. If each
    column splits one of the sets that those before it made, starting from the constant column, the basis is the
    unbalanced Haar basis of that tree of splits (Girardi and Sweldens 1997).

    * inverse: :math:`x = Qz`;
    * log-determinant: 0.

    :math:`Q = H_1 \cdots H_K` is a product of Householder reflections in compact form,
    :math:`Q = I - V T V^\top` with :math:`T^{-1} = \tfrac12 I + \mathrm{striu}(V^\top V)` and unit reflectors :math:`V`
    (Schreiber and Van Loan 1989, eq. 2), at the cost of :math:`K` times the values. A column inside the span of those
    before it brings no reflection, and the transform stays orthogonal.

    Shapes: ``x`` is ``(batch, channels, values)``. The condition holds the columns, ``(batch, values, K)``, with
    ``K <= values``. Gradients reach the columns.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import SpanFirst
        >>> halves = torch.tensor([[[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [1.0, 0.0]]])  # all values, the first two
        >>> SpanFirst()(torch.tensor([[[3.0, 3.0, 1.0, 1.0]]]), halves)[0].round(decimals=4)
        tensor([[[4., 2., 0., 0.]]])
    """

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        with without_autocast(x):
            return _Rotation.of(self._columns(condition, x)).apply(x), zero_log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        with without_autocast(z):
            return _Rotation.of(self._columns(condition, z)).undo(z), zero_log_det(z)

    @staticmethod
    def _columns(condition: Condition, x: Tensor) -> Tensor:
        """Return the columns in the precision of the data, or refuse those that do not fit."""
        if not isinstance(condition, Tensor):
            raise ShapeError("SpanFirst needs its columns, one tensor of shape (batch, values, K), as condition.")
        if (x.dim(), condition.dim()) != (3, 3) or condition.shape[:2] != (len(x), x.shape[2]):
            raise ShapeError(
                "The columns have shape {given} where (batch, values, K) is needed for values of shape {shape}, which "
                "is (batch, channels, values).",
                given=tuple(condition.shape),
                shape=tuple(x.shape),
            )
        if condition.shape[2] > condition.shape[1]:
            raise ShapeError(
                "There are {columns} columns of {values} values: give at most one column per value.",
                columns=condition.shape[2],
                values=condition.shape[1],
            )
        return full_precision(condition).to(x.dtype)


class SpanPyramid(Pyramid):
    r"""A pyramid of flows whose coarsest scale follows given columns, such as masks of things, instead of a grid.

    .. math::
        (s, d_n, \dots, d_1) = Q(A)^\top \, \mathrm{Haar}^n(x), \quad
        z_{n+1} = f_{n+1}(s; c_{n+1}), \quad z_l = f_l(d_l; c_l, m_l)

    :class:`SpanFirst` rotates the coefficients of ``n`` Haar levels, coarsest first, so that the :math:`K` values of
    the coarsest low-pass become the coordinates :math:`s` along the columns :math:`A`. The details keep their grids,
    and each is steered by the picture so far: :math:`m_l` holds the Haar bands at level :math:`l` of
    :math:`Q(A) (s, d_n, \dots, d_{l+1}, 0, \dots)`, in the units of ``x``.

    * inverse: the coordinates first, then the details from coarse to fine;
    * log-determinant: the sum over the flows, since Haar and the rotation are orthogonal.

    Shapes: ``x`` is ``(batch, c, h, w)`` for any ``h`` and ``w`` that :math:`2^n` divides; :math:`K = hw / 4^n`. The
    latent is a tuple, fine to coarse, of what ``details`` make of ``(batch, 3 * c, h / 2**l, w / 2**l)`` and ``base``
    of ``(batch, c, K)``. All of them must keep these shapes.

    Args:
        base: :math:`f_{n+1}`, over the coordinates along the columns.
        details: :math:`f_1, \dots, f_n`, fine to coarse, at least one; the condition of each has ``4 * c`` channels
            more than :math:`c_l`.

    The condition is a tuple: :math:`c_1, \dots, c_n`, each of the height and width of its details, or ``None``; what
    ``base`` takes, one or several; and the columns as pictures, ``(batch, K, h, w)``.

    Raises:
        ShapeError: if the sizes cannot be divided, or the conditions or latents do not fit.

    Examples:
        >>> import torch
        >>> from torch import nn
        >>> from cinn_app.flows import AffineCoupling, OrthogonalMixing, SpanPyramid
        >>> subnet = lambda i, o: nn.Conv2d(i, o, 3, padding=1)
        >>> pyramid = SpanPyramid(OrthogonalMixing(2, seed=0), [AffineCoupling(6, subnet, 8)])
        >>> x, condition = torch.randn(1, 2, 4, 6), (None, None, torch.rand(1, 6, 4, 6))
        >>> z, log_det = pyramid(x, condition)
        >>> [tuple(scale.shape) for scale in z]
        [(1, 6, 2, 3), (1, 2, 6)]
        >>> torch.allclose(pyramid.inverse(z, condition)[0], x, atol=1e-5)
        True
    """

    def __init__(self, base: Bijection, details: Sequence[Bijection]) -> None:
        super().__init__()
        self.haar: Bijection = HaarDownsampling()
        self.details = cast("Sequence[Bijection]", nn.ModuleList(require_bijection(detail) for detail in details))
        self.base = require_bijection(base)
        self.condition_count = len(details) + base.condition_count + 1

    def forward_by_scale(
        self, x: Tensor, condition: Condition = None, skip: int = 0
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        of_details, of_base, columns = self._conditions(condition, tuple(x.shape))
        rotation = self._rotation(columns, x)
        rotated = self._coordinates(full_precision(x), rotation)
        latents, log_dets = [], []
        for level in range(skip + 1, len(self.details) + 1):
            detail = self._details_at(rotated, level, x.shape[2:])
            steered = self._steered(of_details[level - 1], rotated, rotation, level, x.shape[2:])
            z, log_det = self.details[level - 1](detail, steered)
            latents.append(z)
            log_dets.append(log_det)
        z, log_det = self.base(rotated[..., : columns.shape[1]], of_base)
        return (*latents, z), (*log_dets, log_det)

    def inverse(self, z: Latent, condition: Condition = None) -> tuple[Tensor, Tensor]:
        latents = tuple(map(full_precision, as_tuple(z)))
        shape = self.event_shape(tuple(tuple(part.shape[1:]) for part in latents))
        of_details, of_base, columns = self._conditions(condition, (len(latents[-1]), *shape))
        rotation, sizes = self._rotation(columns, latents[-1]), torch.Size(shape[1:])
        coordinates, log_det = self.base.inverse(latents[-1], of_base)
        rotated = functional.pad(coordinates, (0, sizes.numel() - coordinates.shape[2]))
        for level in range(len(self.details), 0, -1):
            steered = self._steered(of_details[level - 1], rotated, rotation, level, sizes)
            detail, detail_log_det = self.details[level - 1].inverse(latents[level - 1], steered)
            known = rotated[..., : _low_values(sizes, level)]
            rotated = torch.cat([known, _flat(detail, shape[0])], 2)
            rotated = functional.pad(rotated, (0, sizes.numel() - rotated.shape[2]))
            log_det = log_det + detail_log_det
        return self._picture(rotated, rotation, sizes), log_det

    def scaled(self, x: Tensor, condition: Condition, factors: Sequence[Tensor | float]) -> Tensor:
        """Multiply the coefficients of each scale, which leads from ``x`` (factors of 1) to zero.

        Args:
            x: data, ``(batch, c, h, w)``.
            condition: as for :meth:`forward`.
            factors: of the details and the coordinates, fine to coarse: numbers, or tensors that broadcast to the
                coefficients, ``(batch, 3 * c, h / 2**l, w / 2**l)`` and ``(batch, c, K)``.

        Returns:
            Data of the same shape.
        """
        columns = self._conditions(condition, tuple(x.shape))[2]
        rotation = self._rotation(columns, x)
        rotated = self._coordinates(full_precision(x), rotation)
        details = (
            _flat(self._details_at(rotated, level, x.shape[2:]) * factors[level - 1], x.shape[1])
            for level in range(len(self.details), 0, -1)
        )
        scaled = torch.cat([rotated[..., : columns.shape[1]] * factors[-1], *details], 2)
        return self._picture(scaled, rotation, x.shape[2:])

    def directions(self, columns: Tensor) -> Tensor:
        """Return the orthonormal directions of the first coordinates, as pictures: ``(batch, K, h, w)``.

        Args:
            columns: as pictures, ``(batch, K, h, w)``.
        """
        batch, count, height, width = columns.shape
        unit = torch.eye(count, height * width, dtype=columns.dtype, device=columns.device).expand(batch, -1, -1)
        return self._picture(unit, self._rotation(columns, columns), columns.shape[2:])

    def latent_shape(self, event_shape: Shape) -> tuple[Shape, ...]:
        factor = 2 ** len(self.details)
        if len(event_shape) != 3 or any(size % factor for size in event_shape[1:]):
            raise ShapeError(
                "The data have shape {given} after the batch where (channels, height, width) with sizes divisible by "
                "{factor} is needed; crop or pad the image.",
                given=event_shape,
                factor=factor,
            )
        channels, height, width = event_shape
        shapes: list[LatentShape] = [
            detail.latent_shape((3 * channels, height >> level, width >> level))
            for level, detail in enumerate(self.details, start=1)
        ]
        shapes.append(self.base.latent_shape((channels, height * width // factor**2)))
        return cast("tuple[Shape, ...]", tuple(shapes))

    def event_shape(self, latent_shape: LatentShape) -> Shape:
        shapes = as_shapes(latent_shape)
        if len(shapes) == len(self.details) + 1 and all(len(shape) == 3 for shape in shapes[:-1]):
            event_shape = (shapes[0][0] // 3, 2 * shapes[0][1], 2 * shapes[0][2])
            if self.latent_shape(event_shape) == shapes:
                return event_shape
        raise ShapeError(
            "The latent has shapes {given}, which no data have; give it the shapes that forward returns.",
            given=latent_shape,
        )

    def _conditions(self, condition: Condition, data_shape: Shape) -> tuple[Sequence[Tensor | None], Condition, Tensor]:
        """Return the conditions of the details and of the base, and the columns."""
        self.latent_shape(data_shape[1:])
        batch, _, height, width = data_shape
        count = height * width // 4 ** len(self.details)
        if condition is None or isinstance(condition, Tensor) or len(condition) != self.condition_count:
            raise ShapeError(
                "SpanPyramid needs a tuple of {count} conditions: one per scale, fine to coarse, and the columns.",
                count=self.condition_count,
            )
        columns, details = condition[-1], len(self.details)
        if columns is None or tuple(columns.shape) != (batch, count, height, width):
            raise ShapeError(
                "The columns have shape {given} where ({batch}, {count}, {height}, {width}) is needed; give one for "
                "each value of the coarsest scale, of the data's size.",
                given=None if columns is None else tuple(columns.shape),
                batch=batch,
                count=count,
                height=height,
                width=width,
            )
        of_base = condition[details:-1]
        return condition[:details], of_base[0] if len(of_base) == 1 else of_base, columns

    def _rotation(self, columns: Tensor, like: Tensor) -> "_Rotation":
        with without_autocast(columns):
            return _Rotation.of(self._to_haar(full_precision(columns).to(full_precision(like).dtype)).mT)

    def _coordinates(self, x: Tensor, rotation: "_Rotation") -> Tensor:
        with without_autocast(x):
            return rotation.apply(self._to_haar(x))

    def _picture(self, rotated: Tensor, rotation: "_Rotation", sizes: torch.Size) -> Tensor:
        with without_autocast(rotated):
            return self._from_haar(rotation.undo(rotated), sizes, 0)

    def _steered(
        self, condition: Tensor | None, rotated: Tensor, rotation: "_Rotation", level: int, sizes: torch.Size
    ) -> Tensor:
        """Return the condition of a level's details: what it is given, joined with the bands of the picture so far."""
        values = _low_values(sizes, level)
        with without_autocast(rotated):
            known = functional.pad(rotated[..., :values], (0, rotated.shape[2] - values))
            so_far = rotation.undo(known)
            low = self._from_haar(so_far, sizes, level)
            bands = torch.cat([low, self._details_at(so_far, level, sizes)], 1) / 2**level
        return join_condition(condition, bands, level)

    def _to_haar(self, x: Tensor) -> Tensor:
        """Return all Haar coefficients, the coarsest first: ``(batch, channels, height * width)``."""
        channels, parts = x.shape[1], []
        for _ in self.details:
            bands, _ = self.haar(x)
            x = bands[:, :channels]
            parts.append(_flat(bands[:, channels:], channels))
        return torch.cat([x.flatten(2), *reversed(parts)], 2)

    def _from_haar(self, coefficients: Tensor, sizes: torch.Size, level: int) -> Tensor:
        """Return the low-pass at a level; at level 0, the picture: the inverse of :meth:`_to_haar`."""
        height, width = (size >> len(self.details) for size in sizes)
        x = coefficients[..., : height * width].unflatten(2, (height, width))
        for finer in range(len(self.details), level, -1):
            x, _ = self.haar.inverse(torch.cat([x, self._details_at(coefficients, finer, sizes)], 1))
        return x

    @staticmethod
    def _details_at(coefficients: Tensor, level: int, sizes: torch.Size) -> Tensor:
        """Return the details of a level as pictures: ``(batch, 3 * channels, height / 2**l, width / 2**l)``."""
        flat = coefficients[..., _low_values(sizes, level) : _low_values(sizes, level - 1)]
        bands = flat.unflatten(2, (3, *(size >> level for size in sizes)))
        return bands.transpose(1, 2).flatten(1, 2)


class _Rotation(NamedTuple):
    """The orthogonal matrix :math:`Q = (I - V T V^T) S` of given columns.

    Attributes:
        vectors: :math:`V`, unit Householder vectors, ``(batch, values, K)``.
        inverse_t: :math:`T^{-1}`, ``(batch, K, K)``.
        signs: of the first K rows, which make R's diagonal positive, ``(batch, 1, values)``.
    """

    vectors: Tensor
    inverse_t: Tensor
    signs: Tensor

    @classmethod
    def of(cls, columns: Tensor) -> "_Rotation":
        """Compute it from columns ``(batch, values, K)``."""
        count, values = columns.shape[2], columns.shape[1]
        rest = columns / columns.norm(dim=1, keepdim=True).clamp(min=1e-12)
        vectors, signs = [], []
        for k in range(count):
            column = rest[:, k:, 0]
            norm = column.norm(dim=1, keepdim=True)
            independent = norm > DEPENDENT
            sign = torch.where(column[:, :1] < 0, -1.0, 1.0).to(columns.dtype)
            vector = torch.cat([column[:, :1] + sign * norm, column[:, 1:]], 1)
            vector = torch.where(independent, vector / vector.norm(dim=1, keepdim=True).clamp(min=1e-12), 0.0)
            later = rest[:, k:, 1:]
            rest = torch.cat([rest[:, :k, 1:], later - 2 * vector[:, :, None] * (vector[:, None] @ later)], 1)
            vectors.append(functional.pad(vector, (k, 0)))
            signs.append(torch.where(independent, -sign, 1.0))
        stacked = torch.stack(vectors, 2)
        gram = stacked.mT @ stacked
        inverse_t = gram.triu(1) + 0.5 * torch.eye(count, dtype=columns.dtype, device=columns.device)
        return cls(stacked, inverse_t, functional.pad(torch.cat(signs, 1), (0, values - count), value=1.0)[:, None])

    def apply(self, x: Tensor) -> Tensor:
        """Return the coordinates :math:`Q^T x` of values ``(batch, channels, values)``."""
        turned = torch.linalg.solve_triangular(self.inverse_t.mT, (x @ self.vectors).mT, upper=False)
        return (x - (self.vectors @ turned).mT) * self.signs

    def undo(self, z: Tensor) -> Tensor:
        """Return the values :math:`Q z` of coordinates ``(batch, channels, values)``."""
        z = z * self.signs
        turned = torch.linalg.solve_triangular(self.inverse_t, (z @ self.vectors).mT, upper=True)
        return z - (self.vectors @ turned).mT


def _flat(bands: Tensor, channels: int) -> Tensor:
    """Turn details ``(batch, 3 * channels, height, width)`` into coefficients ``(batch, channels, values)``."""
    return bands.unflatten(1, (3, channels)).transpose(1, 2).flatten(2)


def _low_values(sizes: torch.Size, level: int) -> int:
    """Return the number of coefficients of the low-pass at a level, which come before that level's details."""
    return sizes.numel() >> 2 * level
