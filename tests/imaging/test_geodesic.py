"""Geodesic distances: how far a colour spreads."""

import math

import pytest
import torch

from cinn_app.imaging import GeodesicGrid, blend_by_distance


def test_on_even_ground_paths_are_straight() -> None:
    distances = GeodesicGrid.of(torch.full((1, 100, 160), 50.0)).distances([torch.tensor([[50], [20]])])[0]
    assert distances[50, 20] == 0
    assert distances[50, 120] == pytest.approx(1.0, abs=0.02)
    assert distances[10, 50] == pytest.approx(math.hypot(40, 30) / 100, rel=0.09)  # steps go in eight directions


def test_an_edge_costs_its_square_unless_a_path_leads_around_it() -> None:
    lightness = torch.full((1, 100, 100), 40.0)
    lightness[:, :, 50:] = 56.0  # a difference of 16: (16 / 8)^2 = 4 is beyond the limit
    source = [torch.tensor([[90], [40]])]
    assert GeodesicGrid.of(lightness).distances(source)[0, 90, 60].isinf()
    lightness[:, :5] = torch.linspace(40, 56, 100)
    assert GeodesicGrid.of(lightness).distances(source)[0, 90, 60] < 3


def test_between_two_colours_each_has_its_own_side() -> None:
    places = [torch.tensor([[20], [10]]), torch.tensor([[20], [50]])]
    distances = GeodesicGrid.of(torch.full((1, 40, 61), 50.0)).distances(places)
    weights, values = blend_by_distance(distances, torch.tensor([[1.0], [-1.0]]))
    assert values[0, 20, 10] == pytest.approx(1, abs=1e-3)
    assert values[0, 20, 50] == pytest.approx(-1, abs=1e-3)
    assert values[0, 20, 30] == pytest.approx(0, abs=1e-3)
    assert weights[0, 20, 10] == pytest.approx(1)
    assert values.abs().max() <= 1 + 1e-6
