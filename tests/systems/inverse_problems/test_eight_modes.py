"""The built-in problems of eight modes: what the labels say, and what they leave open."""

import pytest
import torch

from cinn_app.systems.inverse_problems.problem import load_problem
from cinn_app.systems.inverse_problems.problems.eight_modes import CENTRES, DEVIATION, NOISE, nearest_mode


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_modes_are_those_of_the_paper() -> None:
    """At the corners of a regular octagon, neighbours two apart."""
    radius = CENTRES.norm(dim=1)
    assert torch.allclose(radius, radius[0].expand(8))
    assert torch.allclose((CENTRES - CENTRES.roll(1, 0)).norm(dim=1), torch.full((8,), 2.0), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "modes_per_label"),
    [("eight_modes", [1] * 8), ("eight_modes_some", [4, 2, 1, 1]), ("eight_modes_none", [8])],
)
def test_a_label_has_its_share_of_the_points(name: str, modes_per_label: list[int]) -> None:
    problem = load_problem(name)
    x, y = problem.draw(8000, generator())
    assert y.shape == (8000, len(modes_per_label))
    shares = torch.tensor(modes_per_label) / 8
    assert torch.allclose(y.mean(0), shares, atol=0.02)
    assert torch.allclose((y - y.round()).std(), torch.tensor(NOISE), rtol=0.05)
    for label, count in enumerate(modes_per_label):
        assert len(nearest_mode(x[y[:, label] > 0.5]).unique()) == count


def test_points_scatter_about_their_modes() -> None:
    x = load_problem("eight_modes").prior(8000, generator())
    around = x - CENTRES[nearest_mode(x)]
    assert torch.allclose(around.std(0), torch.full((2,), DEVIATION), rtol=0.05)
    assert torch.allclose(nearest_mode(x).bincount() / 8000, torch.full((8,), 1 / 8), atol=0.02)
