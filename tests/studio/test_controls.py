"""Numbers as controls send them."""

import math

import pytest

from cinn_app.studio.controls import SEEDS, Range


@pytest.mark.parametrize(
    ("payload", "read"),
    [(0.3, 0.3), (1, 1), (-1, 0.1), (99, 1.5), (math.inf, 1.5), (None, 0.8), ("", 0.8), ("7", 0.8), (math.nan, 0.8)],
)
def test_what_arrives_is_brought_into_the_range(payload: object, read: float) -> None:
    assert Range(0.1, 1.5, 0.8).read(payload) == read


def test_seeds_are_whole() -> None:
    assert [SEEDS.read(payload) for payload in (1.7, -0.5, 1e30, None)] == [2, 0, 2**32 - 1, 0]
    assert isinstance(SEEDS.read(1.7), int)
