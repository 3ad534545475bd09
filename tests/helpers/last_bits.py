"""Another CPU, simulated: `pytest --last-bits` disturbs the last bit of what torch computes, as other CPUs do.

A vector loop and the scalar loop that computes the last few values may round differently, and sums depend on the size
of the batch. So the same value may have different last bits at different places, while the same computation gives the
same result every time. A test that passes with and without this holds on every CPU.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["LastBits"]

#: Functions of single values that vector loops approximate.
POINTWISE = {
    "acos", "atan", "atan2", "cos", "cosh", "div", "erf", "erfinv", "exp", "exp2", "expm1", "gelu", "hypot", "log",
    "log1p", "log2", "logaddexp", "normal_", "pow", "reciprocal", "rsqrt", "sigmoid", "silu", "sin", "sinh",
    "softplus", "sqrt", "tanh",
}  # fmt: skip
#: Functions that sum, in an order that depends on the shape.
SUMS = {
    "_adaptive_avg_pool2d", "_log_softmax", "_scaled_dot_product_flash_attention_for_cpu", "_softmax",
    "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa", "addmm", "avg_pool2d", "baddbmm", "bmm", "convolution",
    "cumsum", "dot", "linalg_vector_norm", "logsumexp", "mean", "mm", "native_batch_norm", "native_layer_norm", "prod",
    "std", "sum", "upsample_bilinear2d", "var", "var_mean",
}  # fmt: skip
#: Values that a vector holds.
VECTOR = 16


class LastBits(TorchDispatchMode):
    """While it is active, results of float operations are off by at most one unit in the last place."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        disturb = _disturb_sum if name in SUMS else _disturb_tail if name in POINTWISE else None
        first = output[0] if isinstance(output, tuple | list) else output
        if disturb and isinstance(first, Tensor) and first.dtype in (torch.float32, torch.float64) and first.numel():
            _apply(disturb, first)
        return output


def _apply(disturb: Callable[[int, int], Tensor], values: Tensor) -> None:
    ulps = disturb(values.numel(), len(values) if values.dim() else 1).to(values.dtype).view(values.shape)
    with torch.no_grad():
        values.mul_(1 + torch.finfo(values.dtype).eps * ulps)


def _disturb_tail(count: int, batch: int) -> Tensor:
    ulps = torch.zeros(count)
    ulps[count - count % VECTOR :] = 1
    return ulps


def _disturb_sum(count: int, batch: int) -> Tensor:
    return (torch.arange(count) + count + batch) % 3 - 1
