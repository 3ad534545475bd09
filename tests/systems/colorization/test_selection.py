"""Choosing among colourings, and mapping where they differ."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from cinn_app import Colorizer
from cinn_app.errors import CinnError
from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.selection import by_likelihood, choose_diverse, uncertainty


def flat(a: float, b: float, log_prob: float, shape: tuple[int, int] = (4, 4)) -> Colouring:
    ab = torch.tensor([a, b], dtype=torch.float32)[:, None, None].expand(2, *shape)
    return Colouring(Photograph(torch.full((1, 16, 16), 50.0)), ab, lambda: ((), log_prob))


def test_the_most_probable_comes_first() -> None:
    colourings = [flat(0, 0, -5.0), flat(1, 0, 3.0), flat(2, 0, -1.0)]
    assert [c.log_prob for c in by_likelihood(colourings)] == [3.0, -1.0, -5.0]


def test_the_colourings_that_differ_most_are_chosen() -> None:
    crowd = [flat(0.1 * number, 0, 10.0 - number) for number in range(6)]
    far, farther, casts = flat(40, 0, 9.5), flat(-20, 30, 8.5), [flat(99, number, -60.0) for number in range(2)]
    chosen = choose_diverse([far, *crowd, farther, *casts], 3)
    assert chosen[0].ab is crowd[0].ab
    assert {id(c.ab) for c in chosen[1:]} == {id(far.ab), id(farther.ab)}
    assert all(len(c.candidates) == c.settings["chosen_of"] == 10 for c in chosen)
    assert len({id(c.ab) for c in choose_diverse([far, *crowd, farther], 99)}) == 8
    twins = [flat(1, 1, 0.0)] * 2 + [flat(1, 1, -1.0)]
    assert len(choose_diverse(twins, 3)) == 3
    assert choose_diverse([], 2) == []


def test_diverse_samples_differ_more_than_the_most_probable_ones(tiny_checkpoint: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    colorizer = Colorizer.load(tiny_checkpoint, "cpu")
    chosen = colorizer.colorize(picture, 4, diverse=True)
    drawn = colorizer.colorize(picture, 16)
    assert [c.settings["sample"] for c in chosen[0].candidates] == list(range(16))

    def narrowest(colourings: list[Colouring]) -> float:
        return min(float((a.ab - b.ab).square().mean()) for a, b in itertools.combinations(colourings, 2))

    assert narrowest(chosen) > narrowest(by_likelihood(drawn)[:4])


def test_uncertainty_is_the_deviation_of_ab() -> None:
    map_ = uncertainty([flat(0, 0, 0.0), flat(6, 8, 0.0)])
    assert map_.shape == (16, 16)
    torch.testing.assert_close(map_, torch.full((16, 16), 10 / 2**0.5))
    assert uncertainty([flat(3, 4, 0.0)] * 3).abs().max() == 0


def test_colourings_that_do_not_compare_are_refused() -> None:
    with pytest.raises(CinnError, match="at least 1"):
        choose_diverse([flat(0, 0, 0.0)], 0)
    with pytest.raises(CinnError, match="at least 2"):
        uncertainty([flat(0, 0, 0.0)])
    with pytest.raises(CinnError, match="different photographs"):
        uncertainty([flat(0, 0, 0.0), flat(0, 0, 0.0, (4, 6))])
