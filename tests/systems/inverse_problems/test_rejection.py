"""Rejection sampling against a posterior that is known exactly."""

import torch
from torch import Generator, Tensor

from cinn_app.systems.inverse_problems.rejection import rejection_sample


class Shifted:
    """A standard normal parameter, measured with a standard deviation of 0.5, and a second one that is not measured."""

    def prior(self, count: int, generator: Generator) -> Tensor:
        return torch.randn(count, 2, generator=generator)

    def simulate(self, x: Tensor, generator: Generator) -> Tensor:
        return x[:, :1] + 0.5 * torch.randn(len(x), 1, generator=generator)


def test_samples_are_those_of_the_posterior() -> None:
    """p(x | y) = N(0.8 y, 0.2) for the first parameter, and the prior for the second."""
    reference = rejection_sample(Shifted(), torch.tensor([1.0]), count=4000, simulations=300_000)
    assert reference.x.shape == (4000, 2)
    torch.testing.assert_close(reference.x.mean(0), torch.tensor([0.8, 0.0]), rtol=0, atol=0.04)
    torch.testing.assert_close(reference.x.std(0), torch.tensor([0.2**0.5, 1.0]), rtol=0.04, atol=0)


def test_nearest_come_first_and_more_simulations_come_nearer() -> None:
    few, many = (rejection_sample(Shifted(), torch.tensor([1.0]), 500, count, seed=3) for count in (20_000, 60_000))
    assert (few.distance.diff() >= 0).all()
    assert many.distance[-1] < few.distance[-1] / 2
    torch.testing.assert_close(
        few.distance, ((few.y - 1) / few.y.new_tensor(1.25).sqrt()).abs()[:, 0], rtol=0.03, atol=1e-4
    )


def test_scale_weighs_the_measurements() -> None:
    scaled = rejection_sample(Shifted(), torch.tensor([1.0]), 10, 1000, scale=torch.tensor([0.1]))
    torch.testing.assert_close(scaled.distance, (scaled.y[:, 0] - 1).abs() / 0.1)
