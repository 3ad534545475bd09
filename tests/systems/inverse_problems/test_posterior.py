"""Posteriors against those that are known exactly, and as distributions of PyTorch."""

import warnings
from pathlib import Path

import pytest
import torch
from known_problems import COIN, LINE, line_posterior, train_briefly, write_problem
from torch.distributions import Beta, Distribution, MultivariateNormal

from cinn_app.errors import CheckpointError, ProblemError
from cinn_app.systems.inverse_problems.inverse_problem import ExtrapolationWarning, InverseProblem
from cinn_app.systems.inverse_problems.rejection import rejection_sample

pytestmark = pytest.mark.slow  # it trains


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> InverseProblem:
    return train_briefly(write_problem(tmp_path_factory.mktemp("line"), LINE))


@pytest.fixture(scope="module")
def coin(tmp_path_factory: pytest.TempPathFactory) -> InverseProblem:
    return train_briefly(write_problem(tmp_path_factory.mktemp("coin"), COIN))


@pytest.mark.parametrize("y", [[0.0, 0.0, 0.0], [0.3, 1.2, 1.0], [1.5, 0.5, -1.0]])
def test_a_linear_problem_has_its_exact_posterior(line: InverseProblem, y: list[float]) -> None:
    mean, covariance = line_posterior(torch.tensor(y))
    posterior = line.posterior(y)
    samples = posterior.sample((4000,), torch.Generator().manual_seed(0))
    deviation = covariance.diagonal().sqrt()
    assert ((samples.mean(0) - mean).abs() < 0.15 * deviation).all()
    torch.testing.assert_close(samples.T.cov(), covariance, atol=0.012, rtol=0.12)
    exact = MultivariateNormal(mean, covariance)
    x = exact.sample((1000,))
    assert float((exact.log_prob(x) - posterior.log_prob(x)).mean()) < 0.03  # nats between the two
    assert ((posterior.mode - mean).abs() < 0.35 * deviation).all()
    assert posterior.log_prob(posterior.mode) >= posterior.log_prob(samples).max() - 1e-3


def test_a_bounded_parameter_has_its_exact_posterior_and_stays_in_its_range(coin: InverseProblem) -> None:
    heads = torch.tensor([[2.0], [10.0], [20.0]])
    posterior, exact = coin.posterior(heads), Beta(1 + heads, 21 - heads)
    samples = posterior.sample((5000,), torch.Generator().manual_seed(0))
    assert samples.shape == (5000, 3, 1) and (samples >= 0).all() and (samples <= 1).all()
    assert ((samples.mean(0) - exact.mean).abs() < 0.25 * exact.stddev).all()
    x = torch.rand(5000, 1)
    thrown = torch.distributions.Binomial(20, x).sample()
    true = Beta(1 + thrown, 21 - thrown).log_prob(x)
    assert float((true[:, 0] - coin.posterior(thrown).log_prob(x)).mean()) < 0.03  # nats between the two
    grid = torch.linspace(0.0005, 0.9995, 1000)[:, None, None].expand(-1, 3, 1)
    torch.testing.assert_close(posterior.log_prob(grid).exp().mean(0), torch.ones(3), atol=0.02, rtol=0)
    assert posterior.log_prob(torch.tensor([-0.1])).isneginf().all()


def test_parts_drawn_side_by_side_are_those_of_one_core(line: InverseProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    y, cores = torch.tensor([[0.3, 1.2, 1.0], [0.0, 0.0, 0.0]]), torch.get_num_threads()
    whole = line.posterior(y).sample((500,), torch.Generator().manual_seed(0))
    monkeypatch.setattr("cinn_app.systems.inverse_problems.model.ROWS", 70)
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            drawn = line.posterior(y).sample((500,), torch.Generator().manual_seed(0))
            torch.testing.assert_close(drawn, whole)
            assert torch.get_num_threads() == threads and not drawn.requires_grad
    finally:
        torch.set_num_threads(cores)


def test_it_agrees_with_rejection(line: InverseProblem, tmp_path: Path) -> None:
    from cinn_app.systems.inverse_problems.problem import load_problem

    y = torch.tensor([0.5, 0.5, 1.5])
    accepted = rejection_sample(load_problem(write_problem(tmp_path, LINE)), y, 400, 200_000).x
    samples = line.posterior(y).sample((4000,), torch.Generator().manual_seed(0))
    torch.testing.assert_close(samples.mean(0), accepted.mean(0), atol=0.08, rtol=0)
    torch.testing.assert_close(samples.std(0), accepted.std(0), atol=0.05, rtol=0)


def test_it_is_a_distribution(line: InverseProblem) -> None:
    one, several = line.posterior([0.1, 0.2, 0.3]), line.posterior(torch.zeros(4, 3))
    assert isinstance(one, Distribution)
    assert (one.batch_shape, one.event_shape, several.batch_shape) == ((), (2,), (4,))
    assert one.sample().shape == (2,) and one.sample((5, 3)).shape == (5, 3, 2)
    assert several.sample((5,)).shape == (5, 4, 2) and several.mode.shape == several.mean.shape == (4, 2)
    assert several.log_prob(several.sample((5,))).shape == (5, 4)
    assert one.log_prob([0.0, 0.0]).shape == () and one.expand((7,)).sample().shape == (7, 2)
    assert ((one.stddev - one.sample((20_000,)).std(0)).abs() < 0.02).all()


def test_parameters_of_another_length_are_one_sentence(line: InverseProblem) -> None:
    with pytest.raises(ProblemError, match=r"have the shape \(3,\): give 2 numbers"):
        line.posterior([0.0, 0.0, 0.0]).log_prob(torch.zeros(3))


def test_the_entropy_is_that_of_a_normal_distribution_where_it_is_one(line: InverseProblem) -> None:
    posterior = line.posterior([0.1, 0.0, 0.2])
    covariance = posterior.sample((20_000,), torch.Generator().manual_seed(1)).T.cov()
    normal = torch.distributions.MultivariateNormal(torch.zeros(2), covariance).entropy()
    assert posterior.entropy().item() == pytest.approx(normal.item(), abs=0.1)


def test_the_same_seed_gives_the_same_samples_and_each_observation_its_own(line: InverseProblem) -> None:
    several = line.posterior([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    first, again = (several.sample((50,), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    torch.testing.assert_close(several.log_prob(first)[:, 1], line.posterior([1.0, 1.0, 1.0]).log_prob(first[:, 1]))
    assert first[:, 1, 1].mean() - first[:, 0, 1].mean() == pytest.approx(12 / 13, abs=0.3)


def test_an_observation_far_from_the_simulations_is_an_extrapolation(line: InverseProblem) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not line.posterior([[0.0, 0.5, 1.0], [-2.0, 0.0, 2.0], [3.0, 3.0, 3.0]]).far.any()
    with pytest.warns(ExtrapolationWarning, match=r"No simulation came near this; .* \(numbers 1 of the obs"):
        assert line.posterior([[0.0, 0.0, 0.0], [60.0, 0.0, 0.0]]).far.tolist() == [False, True]
    with pytest.warns(ExtrapolationWarning):  # each number alone is usual, but they lie on no line
        line.posterior([2.5, -3.0, 2.5])


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([1.0, 2.0], r"The observation \[1.0, 2.0\] does not fit: give 3 numbers \(y1, y2, y3\), or rows of as many\."),
        ([[[1.0, 2.0, 3.0]]], "does not fit"),
        ([1.0, float("nan"), 2.0], "has a number that is nan, infinite or too large"),
        ([1.0, 1e300, 2.0], "has a number that is nan, infinite or too large"),
        (["one", "two", "three"], "does not fit"),
        (None, "does not fit"),
    ],
)
def test_unfit_observations_are_one_sentence(line: InverseProblem, y: object, sentence: str) -> None:
    with pytest.raises(ProblemError, match=sentence):
        line.posterior(y)


def test_a_conditional_flow_predicts_nothing(line: InverseProblem) -> None:
    with pytest.raises(ProblemError, match="call the problem's simulate"):
        line.predict([0.0, 0.0])


def test_a_checkpoint_that_names_no_quantities_is_refused(line: InverseProblem) -> None:
    import dataclasses

    for details in (
        {},
        {"problem": {"name": "mine"}},
        {"problem": {**line.checkpoint.details["problem"], "parameters": []}},
    ):
        with pytest.raises(CheckpointError, match="does not say which quantities it is about"):
            InverseProblem(dataclasses.replace(line.checkpoint, details=details), torch.device("cpu"))
