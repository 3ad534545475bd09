"""The figures of the colouring that a measure puts first of four."""

import pytest
import torch
from first_of_four import COLUMNS, Picture, compare, table

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.colouring import Colouring


def flat(a: float, b: float) -> Colouring:
    ab = torch.tensor([a, b], dtype=torch.float32)[:, None, None].expand(2, 4, 4)
    return Colouring(Photograph(torch.full((1, 16, 16), 50.0)), ab, lambda: ((), -abs(a - 2)))


def test_the_first_of_each_measure_is_judged_by_the_truth() -> None:
    four = [flat(10.0, 0), flat(11, 0), flat(2, 0), flat(0, 12)]
    found = compare([Picture(four, guess=flat(11, 0), truth=flat(12, 0))])
    pale, guessed = found["the palest"], found["nearest to the best guess"]
    assert found["the likeliest"] == pytest.approx(pale)
    assert (guessed["nearest"], guessed["rank"], guessed["palest"]) == (1, 1, 0)
    assert (pale["nearest"], pale["rank"], pale["palest"]) == (0, 3, 1)
    assert pale["chroma, of the truth"] == pytest.approx(2 / 12)
    assert pale["chroma, of the four"] == pytest.approx(2 / 8.75)
    assert table(found).count("\n") == 1 + len(found) and set(pale) == set(COLUMNS)
