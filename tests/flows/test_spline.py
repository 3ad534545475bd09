"""The curve of a spline coupling against the formula of the paper, finite differences and a fit."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cinn_app.flows import AffineCoupling, Bijection, ShapeError, SplineCoupling, standard_normal_log_prob

BINS, BOUND, CLAMP = 5, 2.0, 1.5


class Always(nn.Module):
    """A subnet that returns the same for any input, initially zero."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.output = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.output.expand(len(x), -1)


def curve(seed: int, steepness: float = 1.5) -> SplineCoupling:
    """Return a coupling of two values which maps the second one along a random curve."""
    coupling = SplineCoupling(2, Always, bins=BINS, bound=BOUND, clamp=CLAMP).double()
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(3 * BINS + 1, generator=generator, dtype=torch.float64)
    coupling.subnet.output.data = torch.cat([raw[:2], steepness * raw[2:]])
    return coupling


def along(values: Tensor) -> Tensor:
    """Put values next to zeros, so that the coupling transforms them."""
    return torch.stack([torch.zeros_like(values), values], dim=1)


def by_hand(raw: np.ndarray, x: float) -> float:
    """Durkan et al. 2019 (arXiv 1906.04032), eq. 4, one value at a time."""
    log_scale, shift = CLAMP * 2 / math.pi * math.atan(raw[0]), raw[1]
    u = x * math.exp(log_scale) + shift
    if abs(u) >= BOUND:
        return u
    sides = []
    for part in (raw[2 : 2 + BINS], raw[2 + BINS : 2 + 2 * BINS]):
        shares = 1e-3 + (1 - 1e-3 * BINS) * np.exp(part) / np.exp(part).sum()
        sides.append([-BOUND + 2 * BOUND * shares[:k].sum() for k in range(BINS + 1)])
    knots, heights = sides
    slopes = [1.0, *(1e-3 + math.log(1 + math.exp(v) * (math.exp(0.999) - 1)) for v in raw[2 + 2 * BINS :]), 1.0]
    k = max(k for k in range(BINS) if knots[k] <= u)
    rise, run = heights[k + 1] - heights[k], knots[k + 1] - knots[k]
    xi, s = (u - knots[k]) / run, rise / run
    top = rise * (s * xi**2 + slopes[k] * xi * (1 - xi))
    return heights[k] + top / (s + (slopes[k + 1] + slopes[k] - 2 * s) * xi * (1 - xi))


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_is_the_papers(seed: int) -> None:
    coupling, values = curve(seed), torch.linspace(-5, 5, 301, dtype=torch.float64)
    expected = [by_hand(coupling.subnet.output.detach().numpy(), value) for value in values.tolist()]
    moved = coupling(along(values))[0][:, 1]
    torch.testing.assert_close(moved, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_climbs_and_its_slope_is_that_of_finite_differences(seed: int) -> None:
    coupling, step = curve(seed), 1e-6
    values = torch.linspace(-5, 5, 997, dtype=torch.float64)
    before, after = (coupling(along(values + side))[0][:, 1] for side in (-step, step))
    slope = (after - before) / (2 * step)
    assert (slope > 0).all()
    torch.testing.assert_close(coupling(along(values))[1].exp(), slope, rtol=1e-5, atol=0)


def test_beyond_the_bound_it_only_scales_and_shifts() -> None:
    coupling = curve(0)
    scale = math.exp(CLAMP * 2 / math.pi * math.atan(coupling.subnet.output[0].item()))
    # What lands outside -2..2 once scaled and shifted, however far.
    u = torch.tensor([-1e6, -7.0, -BOUND, BOUND, 2.5, 1e6], dtype=torch.float64)
    z, log_det = coupling(along((u - coupling.subnet.output[1].detach()) / scale))
    torch.testing.assert_close(z[:, 1], u)
    torch.testing.assert_close(log_det, torch.full_like(u, math.log(scale)))


def test_of_zeros_it_is_the_identity() -> None:
    x = 3 * torch.randn(50, 6)
    z, log_det = SplineCoupling(6, Always)(x)
    torch.testing.assert_close(z, x, atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(log_det, torch.zeros(50), atol=1e-5, rtol=0)


def test_steep_and_flat_curves_come_back_in_float32() -> None:
    coupling = curve(1, steepness=8.0).float()
    x = along(torch.linspace(-3, 3, 1001))
    z, log_det = coupling(x)
    assert log_det.max() - log_det.min() > 7  # slopes that differ by a factor of a thousand
    back, log_det_back = coupling.inverse(z)
    # Where the curve is flat, one digit of z stands for many of x: compare z after mapping forward again.
    torch.testing.assert_close(coupling(back)[0], z, atol=1e-5, rtol=1e-5)
    assert torch.stack([back, log_det_back.unsqueeze(1).expand(-1, 2)]).isfinite().all()


def fit(coupling: Bijection, noise: Tensor) -> Tensor:
    """Fit the transformed half of the coupling to uniform noise and return its nats per value."""
    optimiser = torch.optim.Adam(coupling.parameters(), 0.03)
    for _ in range(400):
        z, log_det = coupling(along(noise))
        loss = -(standard_normal_log_prob(z[:, 1:]) + log_det).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.detach()


@pytest.mark.slow
def test_it_makes_uniform_noise_normal_where_an_affine_coupling_cannot() -> None:
    noise = 2 * torch.rand(4000) - 1
    bent = SplineCoupling(2, Always)
    entropy, of_a_normal = math.log(2), 0.5 * math.log(2 * math.pi * math.e / 3)
    assert fit(bent, noise) < entropy + 0.02
    assert fit(AffineCoupling(2, Always), noise) > of_a_normal - 0.02 > entropy + 0.1
    shares = torch.tensor([0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95])
    quantiles = bent(along(noise))[0][:, 1].detach().quantile(shares)
    torch.testing.assert_close(quantiles, torch.distributions.Normal(0, 1).icdf(shares), atol=0.12, rtol=0)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least 2 are needed; add bins"):
        SplineCoupling(4, nn.Linear, bins=1)
    with pytest.raises(ShapeError, match="correct its output size"):
        SplineCoupling(4, lambda i, o: nn.Linear(i, o + 1))(torch.randn(2, 4))
