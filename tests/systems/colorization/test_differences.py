"""One word for each of several colourings: how it differs from the first."""

import pytest
import torch

from cinn_app.errors import CinnError
from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.differences import DIFFERENCES, name_differences


def halves(left: tuple[float, float], right: tuple[float, float] | None = None) -> Colouring:
    """Return a colouring whose halves have these ab."""
    columns = torch.tensor([left, left, right or left, right or left], dtype=torch.float32)
    return Colouring(Photograph(torch.full((1, 16, 16), 50.0)), columns.T[:, None].expand(2, 4, 4), lambda: ((), 0.0))


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([(10, 30), (10, 2), (-9, 10)], ["warmer", "cooler", "greener"]),
        ([(25, 10), (2, 2), (30, 30)], ["pinker", "paler", "bolder"]),  # the third is pinker, too, but yet bolder
        ([(10, 30), (10, 18), (10, 12)], ["warmer", "bolder", ""]),  # each is warmer and bolder, in this order
        ([(10, 10), (10.5, 10.5), (10, 8.5)], ["", "", "cooler"]),  # differences that nobody sees
        ([], []),
    ],
)
def test_each_colouring_has_a_word_of_its_own(others: list[tuple[float, float]], words: list[str]) -> None:
    colourings = [halves(colour) for colour in ((10.0, 10.0), *others)]
    assert name_differences(colourings) == ["best", *words]


def test_vividness_counts_where_means_agree() -> None:
    """Complements have no mean: only their chroma differs."""
    first, bolder, paler = (halves((a, 0), (-a, 0)) for a in (10, 30, 2))
    assert name_differences([first, bolder, paler]) == ["best", "bolder", "paler"]


def test_every_word_is_true_and_comes_once() -> None:
    draw = torch.Generator().manual_seed(0)
    axes = {axis.name: axis.measure for axis in AXES}
    signs = {word: (name, 1 - 2 * less) for name, pair in DIFFERENCES.items() for less, word in enumerate(pair)}
    for _ in range(50):
        ab = 20 * torch.randn(4, 2, 2, generator=draw)
        colourings = [halves(*map(tuple, one.tolist())) for one in ab]
        first, *words = name_differences(colourings)
        named = [(word, colouring) for word, colouring in zip(words, colourings[1:], strict=True) if word]
        assert first == "best" and len({word for word, _ in named}) == len(named) >= 2
        for word, colouring in named:
            name, sign = signs[word]
            own, firsts = (axes[name](one.ab[None], torch.full((4, 4), 1 / 16)) for one in (colouring, colourings[0]))
            assert sign * (own - firsts) >= 1


def test_colourings_of_one_photograph_alone_are_named() -> None:
    assert name_differences([]) == []
    other = Colouring(Photograph(torch.full((1, 16, 24), 50.0)), torch.zeros(2, 4, 6), lambda: ((), 0.0))
    with pytest.raises(CinnError, match="different photographs"):
        name_differences([halves((0, 0)), other])
