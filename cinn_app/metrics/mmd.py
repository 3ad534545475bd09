r"""Maximum mean discrepancy (MMD): how far apart two distributions are, seen through samples alone.

.. math::
    \mathrm{MMD}^2(P, Q) = E\,k(x, x') - 2\,E\,k(x, y) + E\,k(y, y'), \quad x, x' \sim P, \; y, y' \sim Q

Gretton et al. 2012 (JMLR 13), lemma 6. It is 0 only if the distributions are equal, since the kernel is characteristic.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["inverse_multiquadric", "mmd", "unbiased_mmd"]

#: Values of the kernel's matrix that a figure computes at a time: few, so that they stay in the cache.
CHUNK = 2**17


def inverse_multiquadric(x: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
    r"""Return the inverse multiquadric kernel, averaged over its widths.

    .. math::
        k(x, y) = \frac1n \sum_{i=1}^n \frac{a_i^2}{a_i^2 + \lVert x - y \rVert^2}

    Its tails are heavy: distributions that are far apart still attract each other, which a Gaussian kernel's do not.
    Ardizzone et al. 2019 (arXiv 1808.04730), section 3.3 and appendix 1, where it is the sum.

    Args:
        x: ``(n, dims)``.
        y: ``(m, dims)``.
        widths: :math:`a_i`, in the units of ``x``.

    Returns:
        ``(n, m)``, in 0..1.

    Examples:
        >>> inverse_multiquadric(torch.zeros(1, 2), torch.tensor([[0.0, 0.0], [3.0, 4.0]]), [5.0])
        tensor([[1.0000, 0.5000]])
    """
    distances = _squared_distances(x, y)
    kernel = sum((1 + distances / width**2).reciprocal() for width in widths)
    return torch.as_tensor(kernel) / len(widths)


def mmd(x: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
    """Return the squared MMD of two samples as a loss: at least 0, and biased upwards by about 2 / n.

    Args:
        x: ``(n, dims)``; gradients reach it.
        y: ``(m, dims)``; likewise.
        widths: of the kernel, see :func:`inverse_multiquadric`.

    Returns:
        A scalar: the V-statistic, Gretton et al. 2012, eq. 5, with its square.
    """
    within_x, within_y, between = (_MeanKernel.apply(a, b, widths) for a, b in ((x, x), (y, y), (x, y)))
    return within_x + within_y - 2 * between


@torch.no_grad()
def unbiased_mmd(x: Tensor, y: Tensor, widths: Sequence[float]) -> float:
    """Return the squared MMD of two samples as a figure: without bias, so slightly negative for half of equal pairs.

    Args:
        x: ``(n, dims)``, at least two samples.
        y: ``(m, dims)``, likewise.
        widths: of the kernel, see :func:`inverse_multiquadric`.

    Returns:
        The U-statistic, Gretton et al. 2012, eq. 3.
    """
    x, y = x.double(), y.double()
    return _mean_of_pairs(x, widths) + _mean_of_pairs(y, widths) - 2 * _total(x, y, widths) / (len(x) * len(y))


def _mean_of_pairs(x: Tensor, widths: Sequence[float]) -> float:
    """Return the mean kernel of different samples."""
    return (_total(x, x, widths) - len(x)) / (len(x) * (len(x) - 1))  # a sample's kernel with itself is 1


def _total(x: Tensor, y: Tensor, widths: Sequence[float]) -> float:
    rows = max(1, CHUNK // len(y))
    return sum(inverse_multiquadric(part, y, widths).sum().item() for part in x.split(rows))


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    squares = x.square().sum(1, keepdim=True) + y.square().sum(1)
    return torch.addmm(squares, x, y.T, alpha=-2).clamp(min=0)  # rounding may make it slightly negative


class _MeanKernel(torch.autograd.Function):
    """The mean of the kernel over all pairs; its gradient keeps one matrix, and takes a third of autograd's time."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
        distances = _squared_distances(x, y)
        total, slopes = x.new_zeros(()), torch.zeros_like(distances)
        for width in widths:
            kernel = (distances / width**2).add_(1).reciprocal_()
            total += kernel.mean()
            slopes.addcmul_(kernel, kernel, value=1 / width**2)
        ctx.save_for_backward(x, y, slopes)
        ctx.factor = 2 / (len(widths) * slopes.numel())
        return total / len(widths)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, y, slopes = ctx.saved_tensors
        factor = ctx.factor * gradient
        of_x = of_y = None
        if ctx.needs_input_grad[0]:
            of_x = factor * (slopes @ y - slopes.sum(1, keepdim=True) * x)
        if ctx.needs_input_grad[1]:
            of_y = factor * (slopes.T @ x - slopes.sum(0)[:, None] * y)
        return of_x, of_y, None
