"""One word for each of several colourings: how it differs from the first."""

import pytest
import torch

from cinn_app.errors import CinnError
from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.differences import name_differences


def halves(left: tuple[float, float], right: tuple[float, float] | None = None) -> Colouring:
    """Return a colouring whose halves have these ab."""
    columns = torch.tensor([left, left, right or left, right or left], dtype=torch.float32)
    return Colouring(Photograph(torch.full((1, 16, 16), 50.0)), columns.T[:, None].expand(2, 4, 4), lambda: ((), 0.0))


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([(10, 30), (10, 2), (-9, 10)], ["warmer", "paler", "greener"]),
        ([(25, 10), (2, 2), (30, 30)], ["pinker", "paler", "warmer"]),
        ([(10, 30), (10, 22)], ["warmer", "bolder"]),  # both are warmer, too, and no word comes twice
        ([(-2, -20), (-20, 5)], ["bluer", "greener"]),
        ([(10, 10), (12, 12), (13, 9)], [""] * 3),  # differences that nobody sees
        ([], []),
    ],
)
def test_each_colouring_has_a_word_of_its_own(others: list[tuple[float, float]], words: list[str]) -> None:
    colourings = [halves(colour) for colour in ((10.0, 10.0), *others)]
    assert name_differences(colourings) == ["best", *words]


def test_what_turns_yellow_is_not_greener() -> None:
    """It has less red, so on average it is nearer to green."""
    assert name_differences([halves((20, 40)), halves((5, 42))]) == ["best", ""]


def test_chroma_counts_where_hues_go_apart() -> None:
    first, bolder, paler = (halves((a, 0), (-a, 0)) for a in (10, 30, 2))
    assert name_differences([first, bolder, paler]) == ["best", "bolder", "paler"]
    apart = halves((20, 40), (-20, -30))  # one half turns orange, the other blue
    assert name_differences([halves((20, 0), (-20, 0)), apart]) == ["best", "bolder"]


def test_colours_that_no_screen_shows_have_no_word() -> None:
    black = Photograph(torch.zeros(1, 16, 16))
    assert name_differences([halves((10, 10)).on(black), halves((60, -40)).on(black)]) == ["best", ""]


def test_colourings_of_one_photograph_alone_are_named() -> None:
    assert name_differences([]) == []
    other = Colouring(Photograph(torch.full((1, 16, 24), 50.0)), torch.zeros(2, 4, 6), lambda: ((), 0.0))
    with pytest.raises(CinnError, match="different photographs"):
        name_differences([halves((0, 0)), other])
