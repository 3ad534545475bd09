"""Choosing among colourings, and mapping where they differ."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cinn_app import Colorizer
from cinn_app.errors import CinnError
from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.selection import best_first, choose_diverse, uncertainty


def flat(a: float, b: float, shape: tuple[int, int] = (4, 4)) -> Colouring:
    ab = torch.tensor([a, b], dtype=torch.float32)[:, None, None].expand(2, *shape)
    return Colouring(Photograph(torch.full((1, 16, 16), 50.0)), ab, lambda: ((), 0.0))


def test_the_nearest_to_all_others_comes_first() -> None:
    one, two, far, middle = flat(0, 0), flat(4, 0), flat(0, 40), flat(3, 0)
    assert [id(c) for c in best_first([far, one, two, middle])] == [id(c) for c in (middle, two, one, far)]
    assert best_first([]) == []
    assert best_first([far]) == [far]


def test_pale_colours_are_not_first_for_being_near_to_all() -> None:
    """Colours all around gray: gray is the nearest to all, but hardly nearer than any of them is."""
    gray, vivid = flat(0.5, 0), [flat(a, b) for a, b in ((10, 0), (9, 3), (8, -4))]
    assert best_first([gray, *vivid], among=[flat(-1, 0), flat(5, 0), flat(6, 0), flat(7, 0)])[0] is vivid[0]
    around = [flat(12 * math.cos(turn), 12 * math.sin(turn)) for turn in range(6)]
    assert best_first([gray, *around])[0] is gray  # by far the nearest


def test_single_pixels_do_not_decide() -> None:
    """Distances count, not their squares: most of the picture like others is better than all of it nearly."""
    alike, halved = flat(10, 0), torch.tensor([10.0, 0])[:, None, None].repeat(1, 4, 4)
    halved[0, 0] = -30  # a quarter
    mixed, shifted = dataclasses.replace(alike, ab=halved), flat(10, 16)
    assert best_first([shifted, mixed], among=[alike])[0] is mixed


def test_colourings_may_be_compared_with_others() -> None:
    few, many = [flat(0, 0), flat(20, 0)], [flat(19 + number, 0) for number in range(5)]
    assert best_first(few, among=many)[0] is few[1]


def test_each_group_of_candidates_has_one_of_the_chosen_near() -> None:
    groups = [[flat(a + shift, b) for shift in range(4)] for a, b in ((0, 0), (40, 0), (0, 40))]
    lonely = [flat(-70, -70), flat(90, 90), flat(95, -80)]  # left out, as the quarter that is farthest from all
    chosen = choose_diverse([*lonely, *(one for group in groups for one in group)], 3)
    for group in groups:
        assert len({id(one.ab) for one in group} & {id(one.ab) for one in chosen}) == 1


def test_what_differs_from_a_crowd_is_chosen_beside_it() -> None:
    crowd = [flat(0.1 * number, 0) for number in range(6)]
    far, farther, casts = flat(40, 0), flat(-20, 30), [flat(99, number) for number in range(2)]
    chosen = choose_diverse([far, *crowd, farther, *casts], 3)
    assert id(chosen[0].ab) in {id(c.ab) for c in crowd}
    assert {id(c.ab) for c in chosen[1:]} == {id(far.ab), id(farther.ab)}
    assert all(len(c.candidates) == c.settings["chosen_of"] == 10 for c in chosen)
    assert len({id(c.ab) for c in choose_diverse([far, *crowd, farther], 99)}) == 8
    assert len(choose_diverse([flat(1, 1)] * 2 + [flat(1, 1)], 3)) == 3
    assert choose_diverse([], 2) == []


def test_diverse_samples_differ_more_than_those_that_are_nearest_to_all(tiny_checkpoint: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 6), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
    colorizer = Colorizer.load(tiny_checkpoint, "cpu")
    chosen = colorizer.colorize(picture, 4, diverse=True)
    drawn = colorizer.colorize(picture, 16)
    assert [c.settings["sample"] for c in chosen[0].candidates] == list(range(16))
    assert chosen[0].settings["sample"] == best_first(drawn)[0].settings["sample"]

    def narrowest(colourings: list[Colouring]) -> float:
        return min(float((a.ab - b.ab).square().mean()) for a, b in itertools.combinations(colourings, 2))

    assert narrowest(chosen) > narrowest(best_first(drawn)[:4])


def test_uncertainty_is_the_deviation_of_ab_beyond_tints() -> None:
    even, halves = flat(1, 2), flat(0, 0)
    sides = torch.tensor([3.0, 4.0])[:, None, None] * torch.tensor([-1.0, -1, 1, 1])
    map_ = uncertainty([even, dataclasses.replace(halves, ab=sides.expand(2, 4, 4))])
    assert map_.shape == (16, 16)
    torch.testing.assert_close(map_[:, [0, -1]], torch.full((16, 2), 5 / 2**0.5))
    assert uncertainty([flat(3, 4)] * 3).abs().max() == 0
    assert uncertainty([flat(0, 0), flat(6, 8), flat(-5, 1)]).abs().max() < 1e-4


def test_colourings_that_do_not_compare_are_refused() -> None:
    with pytest.raises(CinnError, match="at least 1"):
        choose_diverse([flat(0, 0)], 0)
    with pytest.raises(CinnError, match="at least 2"):
        uncertainty([flat(0, 0)])
    with pytest.raises(CinnError, match="different photographs"):
        uncertainty([flat(0, 0), flat(0, 0, (4, 6))])
