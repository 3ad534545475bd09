"""The maximum mean discrepancy of samples against that of the distributions that they come from."""

import math
from collections.abc import Sequence

import pytest
import torch
from scipy.integrate import quad
from scipy.special import exp1
from torch import Tensor

from cinn_app.metrics.mmd import inverse_multiquadric, mmd, unbiased_mmd

WIDTHS = (0.3, 1.0, 4.0)


def expected_kernel(shift: Sequence[float], variance: float, width: float) -> float:
    """Return E k(x, y) for x - y normal with mean `shift` and this variance in each dimension.

    1 / (1 + u) is the integral of exp(-t (1 + u)) over t > 0, so the kernel is a mixture of Gaussian kernels, and the
    expectation of each is known.
    """

    def integrand(t: float) -> float:
        growth = 1 + 2 * t * variance / width**2
        return math.exp(-t - t * sum(s * s for s in shift) / (width**2 * growth)) * growth ** (-len(shift) / 2)

    return quad(integrand, 0, math.inf)[0]


def exact_mmd(shift: Sequence[float], deviations: tuple[float, float], widths: Sequence[float]) -> float:
    """Return the squared MMD of N(0, a^2 I) and N(shift, b^2 I)."""
    a, b = (deviation**2 for deviation in deviations)
    zero = [0.0] * len(shift)
    terms = [
        expected_kernel(zero, 2 * a, w) + expected_kernel(zero, 2 * b, w) - 2 * expected_kernel(shift, a + b, w)
        for w in widths
    ]
    return sum(terms) / len(terms)


def normal(count: int, dims: int, seed: int) -> Tensor:
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(seed))


def test_the_closed_form_in_the_plane_is_an_exponential_integral() -> None:
    """For two dimensions and no shift the integral is b e^b E_1(b) with b = width^2 / (2 variance)."""
    b = 1.0**2 / (2 * 0.7)
    assert expected_kernel([0.0, 0.0], 0.7, 1.0) == pytest.approx(b * math.exp(b) * exp1(b), rel=1e-6)


@pytest.mark.parametrize(("shift", "deviations"), [([1.5, 0.0], (1.0, 1.0)), ([0.5, -1.0, 0.2], (0.6, 1.4))])
def test_the_mmd_of_two_gaussians_is_that_of_the_formula(shift: list[float], deviations: tuple[float, float]) -> None:
    x = deviations[0] * normal(2500, len(shift), seed=0)
    y = deviations[1] * normal(2000, len(shift), seed=1) + torch.tensor(shift)
    assert unbiased_mmd(x, y, WIDTHS) == pytest.approx(exact_mmd(shift, deviations, WIDTHS), rel=0.1)


def test_the_loss_is_the_figure_with_the_diagonals() -> None:
    """Worked by hand: two points each, on a line."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [2.0]])
    # width 1: k(0, 1) = 1/2, k(2, 2) = 1, k(0, 2) = 1/5, k(1, 2) = 1/2
    assert mmd(x, y, [1.0]).item() == pytest.approx((1 + 0.5) / 2 + 1 - 2 * 0.35)
    assert unbiased_mmd(x, y, [1.0]) == pytest.approx(0.5 + 1 - 2 * 0.35)


def test_its_gradient_is_that_of_autograd() -> None:
    x, y = (normal(5, 3, seed).double().requires_grad_() for seed in (0, 1))
    assert torch.autograd.gradcheck(lambda x, y: mmd(x, y, WIDTHS), (x, y))


def test_equal_distributions_have_none_within_the_noise() -> None:
    assert abs(unbiased_mmd(normal(2000, 2, seed=2), normal(2000, 2, seed=3), WIDTHS)) < 1e-3


def test_a_distant_cloud_is_pulled_towards_the_other() -> None:
    """At this distance a Gaussian kernel of the same width has no gradient left."""
    x = (normal(200, 2, seed=4) + torch.tensor([12.0, 0.0])).requires_grad_()
    mmd(x, normal(200, 2, seed=5), [0.3]).backward()
    pull = x.grad.sum(0)
    assert pull[0] > 1e-5
    assert pull[0] > 10 * pull[1].abs()


def test_a_sample_of_many_points_has_no_negative_distances() -> None:
    """The distances come from products, which cancel badly far from the origin."""
    x = normal(50, 3, seed=6) * 1e-3 + 1000
    assert (inverse_multiquadric(x, x, WIDTHS) <= 1).all()
