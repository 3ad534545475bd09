"""Mixing of channels, so that couplings do not always meet the same halves."""

from typing import cast

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition
from cinn_app.flows.numerics import full_precision, no_stretch, without_autocast
from cinn_app.flows.shapes import require_channels

__all__ = ["InvertibleLinear", "OrthogonalMixing", "Permutation", "random_orthogonal"]


def random_orthogonal(size: int, generator: torch.Generator) -> Tensor:
    """Draw a matrix uniformly (Haar) from the orthogonal group, in float64.

    QR of a Gaussian is uniform only once the signs of R's diagonal are positive: Mezzadri 2007 (arXiv
    math-ph/0609050), section 5.
    """
    q, r = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return q * r.diagonal().sign()


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """Multiply every pixel's channels by ``matrix``; a convolution would round to TF32 on a GPU."""
    with without_autocast(x):
        matrix = matrix.to(x.dtype)
        return x @ matrix.T if x.dim() == 2 else (matrix @ x.flatten(2)).view_as(x)


def _straighten(module: nn.Module, _: object) -> None:
    """After loading, put the nearest orthogonal matrix in the place of one that was rounded."""
    matrix = cast("OrthogonalMixing", module).matrix
    loaded = matrix.detach().cpu().double()
    if (loaded @ loaded.T - torch.eye(len(loaded), dtype=loaded.dtype)).abs().max() > 1e-5:
        u, _, vh = torch.linalg.svd(loaded)
        matrix.copy_(u @ vh)


class OrthogonalMixing(Bijection):
    r"""A fixed random rotation of the channels of every pixel: :math:`z = Qx`.

    * inverse: :math:`x = Q^\top z`;
    * log-determinant: 0.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``; :math:`Q` is ``(channels, channels)``.
        seed: of the generator that draws :math:`Q`, uniformly from the orthogonal group.

    :math:`Q` travels in the state dict. If it comes back rounded, as from a half-precision checkpoint, the
    nearest orthogonal matrix takes its place, so that the inverse stays exact.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import OrthogonalMixing
        >>> x = torch.randn(2, 4, 8, 8)
        >>> z, log_det = OrthogonalMixing(4, seed=0)(x)
        >>> torch.allclose(z.norm(dim=1), x.norm(dim=1), atol=1e-5)
        True
    """

    matrix: Tensor

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer(
            "matrix", random_orthogonal(channels, torch.Generator().manual_seed(seed)).to(torch.get_default_dtype())
        )
        self.register_load_state_dict_post_hook(_straighten)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(x, self.channels)
        return _mix(self.matrix, full_precision(x)), no_stretch(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(z, self.channels)
        return _mix(self.matrix.T, full_precision(z)), no_stretch(z)

    def extra_repr(self) -> str:
        return f"channels={self.channels}"


class Permutation(Bijection):
    r"""A fixed random order of the channels: :math:`z_i = x_{\pi(i)}`.

    * inverse: :math:`x_{\pi(i)} = z_i`;
    * log-determinant: 0.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``.
        seed: of the generator that draws :math:`\pi`, which travels in the state dict.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Permutation
        >>> sorted(Permutation(4, seed=0)(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))[0][0].tolist())
        [1.0, 2.0, 3.0, 4.0]
    """

    order: Tensor

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer("order", torch.randperm(channels, generator=torch.Generator().manual_seed(seed)))

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(x, self.channels)
        return full_precision(x).index_select(1, self.order), no_stretch(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(z, self.channels)
        return full_precision(z).index_select(1, self.order.argsort()), no_stretch(z)

    def extra_repr(self) -> str:
        return f"channels={self.channels}"


class InvertibleLinear(Bijection):
    r"""A learned mixing of the channels of every pixel: :math:`z = Wx`, :math:`W = PL(U + \mathrm{diag}(d))`.

    * inverse: :math:`x = W^{-1} z`, by two triangular solves;
    * log-determinant: ``height * width *`` the sum of :math:`\log|d|` (for vectors, one pixel).

    :math:`P` is a fixed permutation, :math:`L` lower triangular with ones on its diagonal, :math:`U` strictly
    upper triangular, and :math:`d` keeps its signs while :math:`\log|d|` is learned: :math:`W` stays
    invertible and its determinant costs nothing. Glow, Kingma and Dhariwal 2018 (arXiv 1807.03039), eqs. 9 to
    11.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``; :math:`W` is ``(channels, channels)``.
        seed: of the generator that draws the first :math:`W`, uniformly from the orthogonal group.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import InvertibleLinear
        >>> z, log_det = InvertibleLinear(4, seed=0)(torch.randn(2, 4, 8, 8))
        >>> torch.allclose(log_det, torch.zeros(2), atol=1e-4)
        True
    """

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
        require_channels(x, self.channels)
        x = full_precision(x)
        with without_autocast(x):
            lower, upper = self._triangles()
            matrix = self.permutation @ lower @ upper
        return _mix(matrix, x), self._log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        require_channels(z, self.channels)
        z = full_precision(z)
        with without_autocast(z):
            lower, upper = self._triangles()
            half_way = torch.linalg.solve_triangular(lower, self.permutation.T, upper=False, unitriangular=True)
            matrix = torch.linalg.solve_triangular(upper, half_way, upper=True)
        return _mix(matrix, z), -self._log_det(z)

    def _triangles(self) -> tuple[Tensor, Tensor]:
        ones = torch.eye(self.channels, dtype=self.lower.dtype, device=self.lower.device)
        return self.lower.tril(-1) + ones, self.upper.triu(1) + torch.diag(self.signs * self.log_diagonal.exp())

    def _log_det(self, x: Tensor) -> Tensor:
        pixels = x.shape[2:].numel()
        return (self.log_diagonal.to(x.dtype).sum() * pixels).expand(x.shape[0])

    def extra_repr(self) -> str:
        return f"channels={self.channels}"
