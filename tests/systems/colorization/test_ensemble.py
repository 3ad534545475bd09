"""Many draws of one photograph: what belongs to a place, and what goes with a measure."""

import pytest
import torch
from torch import Tensor

from cinn_app.systems.colorization.ensemble import CHANCE, DRAWS, FULL, Ensemble

SIDE = 4


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def decorrelated(count: int) -> Tensor:
    """Return colours ``(count, draws, 2)`` of standard deviation 8, without any correlation by chance."""
    values = torch.randn(DRAWS, 2 * count, dtype=torch.float64)
    q, _ = torch.linalg.qr(values - values.mean(0))
    return 8 * DRAWS**0.5 * q.float().unflatten(1, (count, 2)).movedim(1, 0)


def ensemble_of(*places: Tensor) -> Ensemble:
    """Paint the colours of places, each ``(draws, 2)``, as columns of a picture."""
    return Ensemble(torch.stack(places, 2)[:, :, None].expand(-1, -1, SIDE, -1))


def moved(ensemble: Ensemble, hints: dict[int, tuple[float, float]], start: float = 0.0) -> Tensor:
    """Return by how much the colours of places change, ``(2, places)``, where some are hinted."""
    places = ensemble.ab.shape[3]
    weights = torch.zeros(len(hints), SIDE, places)
    for number, place in enumerate(hints):
        weights[number, :, place] = 1 / SIDE
    ab = torch.full((1, 2, SIDE, places), start)
    change = ensemble.spread(ab, weights, torch.tensor(list(hints.values()))) - ab
    torch.testing.assert_close(change, change[:, :, :1].expand_as(change))
    return change[0, :, 0]


def test_what_varies_together_changes_together() -> None:
    """The places' sum is always zero, so that no draw has a tint."""
    u, v = decorrelated(2)
    change = moved(ensemble_of(u, u, -2 * u, v, -v), {0: (20.0, -10.0)}, start=5.0)
    for place in (0, 1):
        torch.testing.assert_close(change[:, place], torch.tensor([15.0, -15.0]), rtol=0.06, atol=0)
    assert change[:, 2:].abs().max() < 1e-3


@pytest.mark.parametrize(("size", "share"), [(0.1, 0.1), (0.5, 0.5), (1.0, 1.0), (4.0, 1.0)])
def test_what_varies_less_changes_less_and_what_varies_more_no_more(size: float, share: float) -> None:
    (u,) = decorrelated(1)
    change = moved(ensemble_of(u, size * u, -(1 + size) * u), {0: (0.0, 10.0)})
    assert float(change[1, 1] / change[1, 0]) == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.2, 0.4, 0.6, 0.9])
def test_correlations_that_may_be_chance_are_cut_off(correlation: float) -> None:
    u, v = decorrelated(2)
    other = correlation * u + (1 - correlation**2) ** 0.5 * v
    change = moved(ensemble_of(u, other, -u - other), {0: (10.0, 0.0)})
    expected = min(max((correlation - CHANCE) / (FULL - CHANCE), 0), 1)
    assert float(change[0, 1] / change[0, 0]) == pytest.approx(expected, abs=0.02)


def test_independent_places_do_not_follow_each_other() -> None:
    """Of 200 independent places, 64 draws have many correlations by chance."""
    places = 8 * torch.randn(200, DRAWS, 2)
    change = moved(ensemble_of(*places), {0: (20.0, -20.0)})
    assert change[:, 0].abs().min() > 18
    assert (change[:, 1:].abs() > 0.5).float().mean() < 0.02


def test_tints_of_whole_draws_connect_nothing() -> None:
    tint, u, v = decorrelated(3)
    change = moved(ensemble_of(3 * tint + u, 3 * tint - u, 3 * tint + v, 3 * tint - v), {0: (10.0, 10.0)})
    assert change[:, 0].min() > 9
    assert change[:, 1:].abs().max() < 1e-2


def test_hints_that_agree_are_not_counted_twice() -> None:
    u, v = decorrelated(2)
    change = moved(ensemble_of(u, u, u, -3 * u, v, -v), {0: (10.0, 5.0), 1: (10.0, 5.0), 4: (-8.0, 0.0)})
    for place in range(3):
        torch.testing.assert_close(change[:, place], torch.tensor([10.0, 5.0]), rtol=0.05, atol=0)
    torch.testing.assert_close(change[:, 4], torch.tensor([-8.0, 0.0]), rtol=0.06, atol=1e-3)


def test_no_place_changes_by_more_than_what_is_missing() -> None:
    """Also where hints contradict what the draws say of them."""
    correlations = torch.tensor([[1, 0.66, 0.7], [0.66, 1, 0.38], [0.7, 0.38, 1]])
    a, b, c = torch.einsum("pq,qnc->pnc", torch.linalg.cholesky(correlations), decorrelated(3))
    change = moved(ensemble_of(a, b, c, -a - b - c), {0: (10.0, 0.0), 1: (-10.0, 0.0)})
    assert change[0, 0] > 3 and change[0, 1] < -3
    assert change.norm(dim=0).max() < 10.01
    many = moved(
        ensemble_of(*(8 * torch.randn(30, DRAWS, 2))), {place: (20.0 * (-1) ** place, 5.0) for place in range(9)}
    )
    assert many.norm(dim=0).max() < 20.7


def test_draws_without_any_spread_leave_all_finite() -> None:
    still = Ensemble(torch.zeros(DRAWS, 2, SIDE, 3))
    assert moved(still, {0: (50.0, 50.0)}).isfinite().all()
    assert still.regress(torch.zeros(DRAWS, 2)).isfinite().all()


def test_regression_changes_each_measure_and_leaves_the_others() -> None:
    u, v, w = decorrelated(3)
    other = 0.6 * u + 0.8 * v
    ensemble = ensemble_of(u, other, w, 0.01 * w)
    measured = torch.stack([u[:, 1], other[:, 1], w[:, 0]], 1)  # the first two go together
    changes = ensemble.regress(measured)[:, :, 0]  # (measures, ab, places)
    found = torch.stack([changes[:, 1, 0], changes[:, 1, 1], changes[:, 0, 2]], 1)
    torch.testing.assert_close(found / measured.std(0), torch.eye(3), atol=0.15, rtol=0)
    assert changes[:, 0, :2].abs().max() < 1e-3  # of the other channel nothing is known
    assert changes[:, :, 3].abs().max() < 0.1
