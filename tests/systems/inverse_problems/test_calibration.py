"""Calibration: an exact posterior passes, and each way to be wrong is found and named."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from known_problems import write_problem
from torch import Tensor

from cinn_app.systems.inverse_problems.calibration import Calibration, chance_band, density_ranks, deviation
from cinn_app.systems.inverse_problems.evaluation import check_posterior
from cinn_app.systems.inverse_problems.plots import plot_calibration
from cinn_app.systems.inverse_problems.problem import Problem, load_problem
from cinn_app.systems.inverse_problems.simulations import simulated

#: x ~ N(0, 1) and y = x + N(0, 1), so the posterior is N(y / 2, 1 / 2).
SUM = """
import torch
def prior(count, generator):
    return torch.randn(count, 1, generator=generator)
def simulate(x, generator):
    return x + torch.randn(len(x), 1, generator=generator)
"""


class Gaussian(torch.nn.Module):
    """The exact posterior, unless it is changed."""

    has_density = True

    def __init__(self, slope: float = 0.5, shift: float = 0.0, deviation: float = 0.5**0.5) -> None:
        super().__init__()
        self.slope, self.shift, self.deviation = slope, shift, deviation

    def sample(self, y: Tensor, count: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(len(y), count, 1, generator=generator)
        return (self.slope * y + self.shift)[:, None] + self.deviation * noise

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.distributions.Normal(self.slope * y + self.shift, self.deviation).log_prob(x).sum(1)


@pytest.fixture
def check(tmp_path: Path) -> Callable[[Gaussian], Calibration]:
    return partial(run, load_problem(write_problem(tmp_path, SUM)))


def run(problem: Problem, model: torch.nn.Module) -> Calibration:
    recipe = SimpleNamespace(data=SimpleNamespace(seed=0))
    inverse = SimpleNamespace(model=model, device="cpu", parameters=problem.parameters, recipe=recipe)
    return check_posterior(inverse, problem, simulated(problem, 2000, seed=9), 100)


def test_an_exact_posterior_may_be_trusted(check) -> None:
    checked = check(Gaussian())
    grade, sentences = checked.verdict()
    assert grade == "trust" and sentences[0].startswith("The posterior may be trusted: in 2,000 simulations")
    figures = checked.figures()
    assert figures["calibration_error"] < 0.02 and figures["rank_deviation"] < chance_band(2000)
    assert figures["expected_coverage_90"] == pytest.approx(0.9, abs=0.02)
    # y' - y is the sum of two draws of noise, of variance 1 each, where y has the variance 2
    assert figures["resimulation_error"] == pytest.approx(1, abs=0.08) == figures["resimulation_floor"]
    assert figures["unexplained"] < 0.1


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Gaussian(deviation=0.4), r"^x1 is too sure: its regions of 90% hold the truth in 6\d% of cases\.$"),
        (Gaussian(deviation=1.2), r"^x1 is too unsure: its regions of 90% hold the truth in 99% of cases\.$"),
        (Gaussian(shift=0.3), r"^x1 is shifted: the truth lies above the middle of its posterior in 3\d% of cases\.$"),
        (Gaussian(deviation=0.4), r"^The posterior as a whole is too sure: its regions of 90% hold the truth in 6\d%"),
        (
            Gaussian(slope=0, deviation=1),
            "^Its parameters do not reproduce the measurements: they leave ([89].|1..)% of",
        ),
    ],
)
def test_each_fault_is_named(check, model: Gaussian, sentence: str) -> None:
    grade, sentences = check(model).verdict()
    assert grade == "nothing" and sentences[0].startswith("The posterior should not be trusted yet")
    assert any(re.search(sentence, one) for one in sentences), sentences


#: Two independent parameters of which the sum is measured: each has the posterior N(y / 3, 2 / 3), and their covariance
#: is -1 / 3.
PAIR = """
import torch
def prior(count, generator):
    return torch.randn(count, 2, generator=generator)
def simulate(x, generator):
    return x.sum(1, keepdim=True) + torch.randn(len(x), 1, generator=generator)
"""


class Pair(torch.nn.Module):
    """Its posterior, exact by default, with another covariance or another deviation of the second parameter."""

    has_density = True

    def __init__(self, covariance: float = -1 / 3, factor: float = 1.0) -> None:
        super().__init__()
        self.covariance = torch.tensor([[2 / 3, factor * covariance], [factor * covariance, factor**2 * 2 / 3]])

    def _posterior(self, y: Tensor) -> torch.distributions.MultivariateNormal:
        return torch.distributions.MultivariateNormal((y / 3).expand(-1, 2), self.covariance)

    def sample(self, y: Tensor, count: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(len(y), count, 2, generator=generator)
        return (y / 3)[:, None] + noise @ torch.linalg.cholesky(self.covariance).T

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        return self._posterior(y).log_prob(x)


@pytest.mark.parametrize(
    ("model", "grade", "start"),
    [
        (Pair(), "trust", "The posterior may be trusted: "),
        (Pair(covariance=0.5), "marginals", "Trust the marginals, each parameter by itself, but not how parameters go"),
        (Pair(factor=0.5), "marginals", "Trust the marginals of x1, but neither the others nor how parameters go"),
    ],
)
def test_marginals_may_be_right_where_the_rest_is_not(tmp_path: Path, model: Pair, grade: str, start: str) -> None:
    checked = run(load_problem(write_problem(tmp_path, PAIR)), model)
    assert checked.verdict().grade == grade and checked.verdict().sentences[0].startswith(start)


def test_the_prior_is_calibrated_but_explains_nothing(check) -> None:
    figures = check(Gaussian(slope=0, deviation=1)).figures()
    assert figures["calibration_error"] < 0.02 and figures["unexplained"] == pytest.approx(1, abs=0.15)


def test_density_ranks_count_more_probable_draws() -> None:
    ranks = density_ranks(torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), torch.tensor([9.0, 1.5]))
    assert ranks.tolist() == [0.5, 0, 0.5, 0]


def test_deviations_of_ranks() -> None:
    assert deviation(np.full(11, 1 / 11)) == pytest.approx(0)
    assert deviation(np.array([1.0, 0, 0, 0])) == pytest.approx(0.75)
    uniform = [
        deviation(np.bincount(np.random.default_rng(n).integers(0, 101, 400), minlength=101) / 400) for n in range(200)
    ]
    assert np.mean(np.array(uniform) > chance_band(400)) < 0.1


def test_the_picture_shows_ranks_coverage_and_resimulation(check) -> None:
    checked = check(Gaussian())
    ranks, covered, again = plot_calibration(checked).axes
    assert ranks.get_lines()[0].get_ydata().max() == pytest.approx(0, abs=chance_band(2000))
    assert covered.get_lines()[1].get_ydata()[89] == pytest.approx(0.9, abs=0.02)
    assert [bar.get_height() for bar in again.patches] == pytest.approx([1, 1, 2**0.5], abs=0.1)
