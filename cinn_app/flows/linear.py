"""Linear maps: of the channels, so that couplings split them in other ways, and of all values, along given columns."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition, ShapeError
from cinn_app.flows.numerics import full_precision, without_autocast, zero_log_det

__all__ = ["LULinear", "OrthogonalMixing", "Permutation", "SpanFirst", "random_orthogonal"]

#: A column that lies outside the span of those before it with less than this share of its norm adds no direction.
DEPENDENT = 1e-4


def random_orthogonal(size: int, generator: torch.Generator) -> Tensor:
    """Draw a matrix uniformly (Haar measure) from the orthogonal group, in float64.

    QR of a Gaussian is uniform only if the signs of R's diagonal are made positive: Mezzadri 2007 (arXiv
    math-ph/0609050), section 5.
    """
    q, r = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return q * r.diagonal().sign()


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """Multiply the channels of every pixel by ``matrix``; a convolution would round to TF32 on a GPU."""
    with without_autocast(x):
        matrix = matrix.to(x.dtype)
        return x @ matrix.T if x.dim() == 2 else (matrix @ x.flatten(2)).view_as(x)


class OrthogonalMixing(Bijection):
    r"""A fixed random rotation of the channels of every pixel: :math:`z = Qx`.

    * inverse: :math:`x = Q^\top z`;
    * log-determinant: 0.

    :math:`Q` is part of the state dict. It stays orthogonal to the precision of the data: ``double()`` and loading
    replace a rounded matrix by the nearest orthogonal one, and ``half()`` leaves it in float32.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``; :math:`Q` is ``(channels, channels)``.
        seed: of the generator that draws :math:`Q`, uniformly from the orthogonal group.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import OrthogonalMixing
        >>> x = torch.randn(2, 4, 8, 8)
        >>> z, log_det = OrthogonalMixing(4, seed=0)(x)
        >>> torch.allclose(z.norm(dim=1), x.norm(dim=1), atol=1e-5)
        True
    """

    channels: int
    matrix: Tensor

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer(
            "matrix", random_orthogonal(channels, torch.Generator().manual_seed(seed)).to(torch.get_default_dtype())
        )
        self.register_load_state_dict_post_hook(_orthogonalise)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        return _mix(self.matrix, x), zero_log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        return _mix(self.matrix.T, z), zero_log_det(z)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "OrthogonalMixing":
        before = self.matrix
        super()._apply(fn, recurse)
        if self.matrix.dtype not in (torch.float32, torch.float64):
            self.matrix = before.to(self.matrix.device)
        elif self.matrix.dtype != before.dtype:
            _orthogonalise(self)
        return self

    def extra_repr(self) -> str:
        return f"channels={self.channels}"


@torch.no_grad()
def _orthogonalise(module: nn.Module, _: object = None) -> None:
    """Replace a rounded matrix by the nearest orthogonal one; a matrix that is exact in its precision is kept."""
    matrix = cast(OrthogonalMixing, module).matrix
    if matrix.is_meta:
        return
    exact = matrix.detach().cpu().double()
    tolerance = 1e-5 if matrix.dtype == torch.float32 else 1e-12
    if (exact @ exact.T - torch.eye(len(exact), dtype=exact.dtype)).abs().max() > tolerance:
        u, _singular_values, vh = torch.linalg.svd(exact)
        matrix.copy_(u @ vh)


class Permutation(Bijection):
    r"""A fixed random permutation of the channels: :math:`z_i = x_{\pi(i)}`.

    * inverse: :math:`x_{\pi(i)} = z_i`;
    * log-determinant: 0.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        seed: of the generator that draws :math:`\pi`, which is part of the state dict.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Permutation
        >>> sorted(Permutation(4, seed=0)(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))[0][0].tolist())
        [1.0, 2.0, 3.0, 4.0]
    """

    channels: int
    order: Tensor

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer("order", torch.randperm(channels, generator=torch.Generator().manual_seed(seed)))

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        return x.index_select(1, self.order), zero_log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        return z.index_select(1, self.order.argsort()), zero_log_det(z)

    def extra_repr(self) -> str:
        return f"channels={self.channels}"


class LULinear(Bijection):
    r"""A learned linear map of the channels of every pixel: :math:`z = Wx`, :math:`W = PL(U + \mathrm{diag}(d))`.

    * inverse: :math:`x = W^{-1} z`, by two triangular solves;
    * log-determinant: ``height * width *`` the sum of :math:`\log|d|` (for vectors, one pixel).

    :math:`P` is a fixed permutation, :math:`L` is lower triangular with ones on its diagonal, :math:`U` is strictly
    upper triangular, and :math:`d` has fixed signs and a learned :math:`\log|d|`: so :math:`W` stays invertible and its
    determinant costs nothing. Glow, Kingma and Dhariwal 2018 (arXiv 1807.03039), eqs. 9 to 11.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``; :math:`W` is ``(channels, channels)``.
        seed: of the generator that draws the initial :math:`W`, uniformly from the orthogonal group.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import LULinear
        >>> z, log_det = LULinear(4, seed=0)(torch.randn(2, 4, 8, 8))
        >>> torch.allclose(log_det, torch.zeros(2), atol=1e-4)
        True
    """

    channels: int
    permutation: Tensor
    signs: Tensor

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        self.channels = channels
        dtype = torch.get_default_dtype()
        p, lower, upper = torch.linalg.lu(random_orthogonal(channels, torch.Generator().manual_seed(seed)))
        diagonal = upper.diagonal()
        self.register_buffer("permutation", p.to(dtype))
        self.register_buffer("signs", diagonal.sign().to(dtype))
        self.lower = nn.Parameter(lower.tril(-1).to(dtype))
        self.upper = nn.Parameter(upper.triu(1).to(dtype))
        self.log_diagonal = nn.Parameter(diagonal.abs().log().to(dtype))

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        with without_autocast(x):
            permutation, lower, upper = self._factors(x)
            matrix = permutation @ lower @ upper
        return _mix(matrix, x), self._log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        with without_autocast(z):
            permutation, lower, upper = self._factors(z)
            half_way = torch.linalg.solve_triangular(lower, permutation.T, upper=False, unitriangular=True)
            matrix = torch.linalg.solve_triangular(upper, half_way, upper=True)
        return _mix(matrix, z), -self._log_det(z)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the permutation and both triangles in the precision of the data."""
        lower, upper, diagonal = (p.to(x.dtype) for p in (self.lower, self.upper, self.signs * self.log_diagonal.exp()))
        ones = torch.eye(self.channels, dtype=x.dtype, device=x.device)
        return self.permutation.to(x.dtype), lower.tril(-1) + ones, upper.triu(1) + torch.diag(diagonal)

    def _log_det(self, x: Tensor) -> Tensor:
        pixels = x.shape[2:].numel()
        return (self.log_diagonal.to(x.dtype).sum() * pixels).expand(x.shape[0])

    def extra_repr(self) -> str:
        return f"channels={self.channels}"


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
            reflectors, signs = _reflectors(self._columns(condition, x))
            return _reflect(reflectors, x, transpose=True) * signs, zero_log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        with without_autocast(z):
            reflectors, signs = _reflectors(self._columns(condition, z))
            return _reflect(reflectors, z * signs, transpose=False), zero_log_det(z)

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


def _reflectors(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return unit Householder vectors, ``(batch, values, K)``, and the signs that make R's diagonal positive."""
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
        vectors.append(nn.functional.pad(vector, (k, 0)))
        signs.append(torch.where(independent, -sign, 1.0))
    return torch.stack(vectors, 2), nn.functional.pad(torch.cat(signs, 1), (0, values - count), value=1.0)[:, None]


def _reflect(vectors: Tensor, x: Tensor, *, transpose: bool) -> Tensor:
    """Multiply the last dimension of ``x``, ``(batch, channels, values)``, by Q or its transpose."""
    gram = vectors.mT @ vectors
    inverse_t = gram.triu(1) + 0.5 * torch.eye(gram.shape[1], dtype=x.dtype, device=x.device)
    along = (x @ vectors).mT
    if transpose:
        turned = torch.linalg.solve_triangular(inverse_t.mT, along, upper=False)
    else:
        turned = torch.linalg.solve_triangular(inverse_t, along, upper=True)
    return x - (vectors @ turned).mT
