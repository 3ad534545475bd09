"""Checks that every bijection passes: the inverse undoes it, and its log-determinant is that of the Jacobian."""

import torch
from torch import Tensor, nn

from cinn_app.flows import Bijection, Condition

__all__ = ["check_log_det", "check_round_trip", "randomise", "scales"]


def randomise(block: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(0.25 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return block.eval()  # so that ActNorm keeps what it was given


def scales(z: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (z,) if isinstance(z, Tensor) else z


def sample_of(condition: Condition, index: int) -> Condition:
    """Return one sample's part of a condition, with a batch of 1."""
    if condition is None or isinstance(condition, Tensor):
        return condition if condition is None else condition[index : index + 1]
    return tuple(None if c is None else c[index : index + 1] for c in condition)


def tolerance(block: Bijection) -> float:
    """Return the largest error that a part of the block declares."""
    return max(part.tolerance for part in block.modules() if isinstance(part, Bijection))


def check_round_trip(block: Bijection, x: Tensor, condition: Condition, atol: float) -> None:
    """Check that ``inverse`` undoes ``forward`` and the log-determinants cancel, with shapes and dtypes."""
    atol += tolerance(block)
    z, log_det = block(x, condition)
    back, log_det_back = block.inverse(z, condition)
    assert sum(scale[0].numel() for scale in scales(z)) == x[0].numel()
    latent_shape = tuple(tuple(scale.shape[1:]) for scale in scales(z))
    assert block.latent_shape(tuple(x.shape[1:])) == (latent_shape[0] if isinstance(z, Tensor) else latent_shape)
    assert block.event_shape(block.latent_shape(tuple(x.shape[1:]))) == x.shape[1:]
    assert all(scale.dtype == log_det.dtype for scale in scales(z))
    assert log_det.shape == log_det_back.shape == (len(x),)
    assert back.dtype == log_det_back.dtype == log_det.dtype
    assert back.shape == x.shape
    assert log_det.dtype == (torch.float64 if x.dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(back, x.to(back.dtype), atol=atol, rtol=atol)
    torch.testing.assert_close(log_det_back, -log_det, atol=10 * atol, rtol=10 * atol)


def check_log_det(block: Bijection, x: Tensor, condition: Condition) -> None:
    """Check the log-determinant of each sample against that of autograd's whole Jacobian."""
    _, log_det = block(x, condition)
    for index in range(len(x)):

        def latent(values: Tensor, index: int = index) -> Tensor:
            z, _ = block(values.view(1, *x.shape[1:]), sample_of(condition, index))
            return torch.cat([scale.flatten() for scale in scales(z)])

        jacobian = torch.autograd.functional.jacobian(latent, x[index].flatten())
        allowed = max(1e-7, tolerance(block))
        torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det[index], atol=allowed, rtol=allowed)
