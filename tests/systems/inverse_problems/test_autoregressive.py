"""The ensemble of autoregressive mixtures: a density inside the ranges, samples of it, and what it learns."""

import math

import pytest
import torch
from bijection_checks import randomise
from scipy.stats import kstest
from torch.distributions import Normal

from cinn_app.systems.inverse_problems.autoregressive import AutoregressiveFlow
from cinn_app.systems.inverse_problems.problem import Quantity
from cinn_app.systems.inverse_problems.recipe import AutoregressiveArchitecture

SQUARE = [Quantity("a", low=-1.0, high=1.0), Quantity("b", low=0.0, high=5.0)]


def flow(parameters: list[Quantity], measurements: int, width: int = 16) -> AutoregressiveFlow:
    torch.manual_seed(0)
    architecture = AutoregressiveArchitecture(
        kind="autoregressive", members=2, components=3, width=width, dropout=0.0, order_seed=1
    )
    return AutoregressiveFlow(architecture, len(parameters), measurements)


@pytest.fixture(scope="module")
def wild() -> AutoregressiveFlow:
    """A flow of two bounded parameters with random weights."""
    model = flow(SQUARE, 1)
    randomise(model)
    x = torch.rand(200, 2) * torch.tensor([2.0, 5.0]) - torch.tensor([1.0, 0.0])
    model.fit_scaling(x, x.sum(1, keepdim=True) + torch.randn(200, 1), SQUARE)
    return model.eval()


def grid(points: int) -> tuple[torch.Tensor, float]:
    """Return the centres of the cells of the square, ``(points ** 2, 2)``, and the area of a cell."""
    a, b = ((torch.arange(points) + 0.5) / points * width for width in (2, 5))
    return torch.cartesian_prod(a - 1, b), 10 / points**2


def test_all_of_the_density_is_inside_the_ranges(wild: AutoregressiveFlow) -> None:
    x, area = grid(300)
    with torch.no_grad():
        inside = wild.log_prob(x, torch.full((len(x), 1), 2.0)).exp().sum() * area
        outside = wild.log_prob(torch.tensor([[1.01, 2.0], [0.0, -0.01]]), torch.full((2, 1), 2.0))
    assert inside.item() == pytest.approx(1, abs=2e-3)
    assert outside.tolist() == [-math.inf, -math.inf]


def test_samples_follow_the_density(wild: AutoregressiveFlow) -> None:
    x, area = grid(100)
    with torch.no_grad():
        density = wild.log_prob(x, torch.full((len(x), 1), 2.0)).exp() * area
        drawn = wild.sample(torch.tensor([[2.0]]), 4000, torch.Generator().manual_seed(0))[0]
    for corner in ([-0.5, 1.0], [0.0, 2.5], [0.5, 4.0]):
        expected = density[(x < torch.tensor(corner)).all(1)].sum().item()
        measured = (drawn < torch.tensor(corner)).all(1).float().mean().item()
        assert measured == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 4000) + 0.005)


def test_fewer_samples_than_members_are_drawn(wild: AutoregressiveFlow) -> None:
    assert wild.sample(torch.tensor([[2.0]]), 1, torch.Generator().manual_seed(0)).shape == (1, 1, 2)


@torch.no_grad()
def test_the_scores_of_draws_are_standard_normal_and_independent(wild: AutoregressiveFlow) -> None:
    generator, count = torch.Generator().manual_seed(0), 20_000
    w = torch.randn(count, 1, generator=generator)
    for member in wild.members:
        scores = member(member.draw(torch.randn(count, 2, generator=generator), w), w)[0]
        for column in scores.T:
            assert kstest(column.numpy(), "norm").statistic < 1.63 / math.sqrt(
                count
            )  # exceeded once in a hundred times
        assert scores.T.corrcoef()[0, 1].abs() < 3 / math.sqrt(count)


def test_it_learns_a_normal_posterior_that_the_range_cuts() -> None:
    parameters, noise = [Quantity("x", low=-1.0, high=1.0)], 0.4
    model = flow(parameters, 1)
    x = 2 * torch.rand(4000, 1) - 1
    y = x + noise * torch.randn_like(x)
    model.fit_scaling(x[:2000], y[:2000], parameters)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(120):
        loss, _ = model.loss(x[:2000], y[:2000], 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y = x[2000:], y[2000:]
    mass = Normal(y, noise).cdf(torch.ones(1)) - Normal(y, noise).cdf(-torch.ones(1))
    exact = (Normal(y, noise).log_prob(x) - mass.log()).mean().item()
    with torch.no_grad():
        learnt = model.log_prob(x, y).mean().item()
    assert learnt == pytest.approx(exact, abs=0.02)
    assert learnt > (Normal(0, x.std()).log_prob(x)).mean() + 0.3  # far better than no measurement


def test_the_regression_is_found_without_training() -> None:
    """Two correlated normal parameters: a single normal component is exact at once."""
    torch.manual_seed(0)
    x = torch.randn(5000, 2) @ torch.tensor([[1.0, 0.8], [0.0, 0.6]])
    y = x.sum(1, keepdim=True) + 0.5 * torch.randn(5000, 1)
    architecture = AutoregressiveArchitecture(
        kind="autoregressive", members=2, components=1, width=4, dropout=0.0, order_seed=0
    )
    model = AutoregressiveFlow(architecture, 2, 1)
    model.fit_scaling(x, y, [Quantity("a"), Quantity("b")])
    with torch.no_grad():
        drawn = model.sample(torch.tensor([[1.0]]), 20_000, torch.Generator().manual_seed(0))[0]
    joint = torch.cov(torch.cat([x, y], 1).T)
    gain = joint[:2, 2] / joint[2, 2]
    torch.testing.assert_close(drawn.mean(0), x.mean(0) + gain * (1 - y.mean()), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), joint[:2, :2] - gain.outer(joint[2, :2]), atol=0.02, rtol=0)
