"""Many draws as a linear model: what goes with a known colour, and what with a measure."""

import pytest
import torch
from torch import Tensor

from cinn_app.systems.colorization.ensemble import DRAWS, Ensemble

SIDE = 4


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def decorrelated(count: int, draws: int = DRAWS) -> Tensor:
    """Return standard normal values ``(draws, count)`` without any chance correlation."""
    values = torch.randn(draws, count, dtype=torch.float64)
    q, _ = torch.linalg.qr(values - values.mean(0))
    return (q * draws**0.5).float()


def one_colour_per_place(colours: Tensor) -> Tensor:
    """Paint colours of places, ``(draws, 2, places)``, as columns of a picture: ``(draws, 2, SIDE, places)``."""
    return colours[:, :, None].expand(-1, -1, SIDE, -1)


def weights_of(*places: int, among: int) -> Tensor:
    weights = torch.zeros(len(places), SIDE, among)
    for number, place in enumerate(places):
        weights[number, :, place] = 1 / SIDE
    return weights


def linear_gaussian() -> tuple[Ensemble, Tensor]:
    """Three places: b of the second is 0.9 of the first one's; the third has nothing to do with them."""
    free = 8 * decorrelated(6).unflatten(1, (2, 3))
    colours = free.clone()
    colours[:, 1, 1] = 0.9 * free[:, 1, 0] + 0.19**0.5 * free[:, 1, 1]
    return Ensemble(one_colour_per_place(colours)), colours


def test_an_update_is_the_conditional_mean_of_a_linear_gaussian() -> None:
    ensemble, _ = linear_gaussian()
    ab = torch.zeros(2, 2, SIDE, 3)
    ab[1] += 5
    wanted = torch.tensor([[0.0, 20.0]])
    changed = ensemble.update(ab, weights_of(0, among=3), wanted)
    moved = (changed - ab)[:, :, 0]  # (samples, ab, places)
    torch.testing.assert_close(changed, changed[:, :, :1].expand_as(changed))
    # Up to the errors that observations have, 2 % of the variance and 0.25.
    gain = 64 / (64 * 1.02 + 0.25)
    missing = torch.tensor([20.0, 15.0])
    torch.testing.assert_close(moved[:, 1, 0], gain * missing, rtol=0.02, atol=0)
    torch.testing.assert_close(moved[:, 1, 1], 0.9 * gain * missing, rtol=0.03, atol=0)
    torch.testing.assert_close(moved[:, 0, 0], gain * torch.tensor([0.0, -5.0]), rtol=0.02, atol=1e-3)
    assert moved[:, :, 2].abs().max() < 1e-3
    assert moved[:, 0, 1].abs().max() < 1e-3


def test_two_wanted_colours_that_agree_are_not_counted_twice() -> None:
    ensemble, _ = linear_gaussian()
    ab, wanted = torch.zeros(1, 2, SIDE, 3), torch.tensor([[0.0, 10.0], [0.0, 10.0]])
    moved = ensemble.update(ab, weights_of(0, 1, among=3), wanted)[0, 1, 0]
    torch.testing.assert_close(moved[:2], torch.tensor([10.0, 10.0]), rtol=0.05, atol=0)
    both = ensemble.update(ab, weights_of(0, 0, among=3), wanted)[0, 1, 0]
    torch.testing.assert_close(both[0], torch.tensor(10.0), rtol=0.05, atol=0)


def test_chance_correlations_are_cut() -> None:
    """Of independent places, 64 draws have correlations up to 0.4 by chance; hardly any place may move."""
    ensemble = Ensemble(one_colour_per_place(8 * torch.randn(DRAWS, 2, 200)))
    ab = torch.zeros(1, 2, SIDE, 200)
    moved = (ensemble.update(ab, weights_of(0, among=200), torch.tensor([[20.0, -20.0]])) - ab)[0, :, 0]
    assert moved[:, 0].abs().min() > 19
    assert moved[:, 1:].abs().mean() < 0.2
    assert (moved[:, 1:].abs() > 1e-6).float().mean() < 0.2


def test_no_place_changes_by_more_in_proportion() -> None:
    """A place that varies much, and goes with one that hardly does, changes by as much as that one."""
    known = decorrelated(2).unflatten(1, (2, 1))
    ensemble = Ensemble(one_colour_per_place(torch.cat([2 * known, 30 * known, 1 * known], 2)))
    ab = torch.zeros(1, 2, SIDE, 3)
    moved = (ensemble.update(ab, weights_of(0, among=3), torch.tensor([[10.0, 0.0]])) - ab)[0, 0, 0]
    assert moved[0] > 8
    torch.testing.assert_close(moved[1], moved[0], rtol=1e-3, atol=0)
    torch.testing.assert_close(moved[2], moved[0] / 2, rtol=0.02, atol=0)


def test_wanted_colours_without_confidence_change_nothing() -> None:
    ensemble, _ = linear_gaussian()
    ab, weights, wanted = torch.zeros(1, 2, SIDE, 3), weights_of(0, 2, among=3), torch.tensor([[9.0, 9.0], [9.0, 9.0]])
    moved = [
        (ensemble.update(ab, weights, wanted, torch.tensor([confidence, 0.0])) - ab)[0, :, 0]
        for confidence in (0.0, 0.5, 1.0)
    ]
    assert moved[0].abs().max() < 0.05
    assert all(part[:, 2].abs().max() < 0.05 for part in moved)
    assert (moved[1][:, 0] < 0.7 * moved[2][:, 0]).all() and (moved[1][:, 0] > 2).all()
    certain = ensemble.update(ab, weights, wanted, torch.ones(2))
    torch.testing.assert_close(certain, ensemble.update(ab, weights, wanted))


def test_draws_without_any_spread_keep_the_update_finite() -> None:
    ensemble = Ensemble(torch.zeros(DRAWS, 2, SIDE, 3))
    changed = ensemble.update(torch.zeros(1, 2, SIDE, 3), weights_of(0, among=3), torch.tensor([[50.0, 50.0]]))
    assert changed.isfinite().all()
    assert ensemble.regress(torch.zeros(DRAWS, 2)).isfinite().all()


def test_regression_changes_each_measure_and_leaves_the_others() -> None:
    ensemble, colours = linear_gaussian()
    measured = torch.stack([colours[:, 1, 0], colours[:, 1, 1], colours[:, 0, 2]], 1)  # the first two go together
    changes = ensemble.regress(measured)[:, :, 0]  # (measures, ab, places)
    deviations = measured.std(0)
    found = torch.stack([changes[:, 1, 0], changes[:, 1, 1], changes[:, 0, 2]], 1)
    torch.testing.assert_close(found / deviations, torch.eye(3), atol=0.12, rtol=0)
    assert changes[:, 0, :2].abs().max() < 1e-3
