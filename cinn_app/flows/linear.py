"""Linear maps of the channels, so that couplings split them in other ways."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import without_autocast, zero_log_det

__all__ = ["LULinear", "OrthogonalMixing", "Permutation", "random_orthogonal"]


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
