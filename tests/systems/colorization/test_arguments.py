"""What Python programs may pass: any array that shows a picture, any kind of number; else one sentence."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, Colouring, Steering
from cinn_app.errors import CinnError
from cinn_app.imaging import read_photograph

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture(scope="module")
def pair(colorizer: Colorizer) -> list[Colouring]:
    return colorizer.colorize(PIXELS, 2)


@pytest.mark.parametrize(
    "view",
    [
        PIXELS[..., ::-1],  # as OpenCV's pictures are turned into RGB
        np.flip(PIXELS, 0),
        np.rot90(PIXELS),
        PIXELS[::-2, ::-3],
        PIXELS.transpose(1, 0, 2),
        (PIXELS / np.float32(255))[:, ::-1],
        np.broadcast_to(PIXELS[:1], PIXELS.shape),
        PIXELS.astype(">u2")[::-1],
    ],
)
def test_a_view_is_the_same_picture_as_its_copy(colorizer: Colorizer, view: np.ndarray) -> None:
    torch.testing.assert_close(read_photograph(view).lightness, read_photograph(view.copy()).lightness)
    assert colorizer.colorize(view)[0].render().shape == view.shape


NUMBERS: list[Callable[[int], Any]] = [np.int8, np.uint64, np.array, torch.tensor]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_may_be_those_of_numpy_and_torch(colorizer: Colorizer, number: Callable[[int], Any]) -> None:
    def draw(of: Callable[[int], Any]) -> list[Any]:
        steering = Steering(axes={1: of(1)})
        found = colorizer.colorize(PIXELS, of(2), seed=of(5), temperature=of(1), steering=steering)
        found += colorizer.interpolate(found[0], found[1], of(3))[1:2]
        return [(one.render(of(2)).tolist(), one.settings) for one in found]

    assert draw(number) == draw(int)


ODD = [None, "2", float("nan"), -1, [], [[1]], {1}, object(), 10**30, b"x"]
USES: list[Callable[[Colorizer, list[Colouring], Any], Any]] = [
    lambda colorizer, pair, odd: colorizer.colorize(PIXELS, odd),
    lambda colorizer, pair, odd: colorizer.colorize(PIXELS, seed=odd),
    lambda colorizer, pair, odd: colorizer.colorize(PIXELS, temperature=[odd] * 5),
    lambda colorizer, pair, odd: colorizer.colorize(PIXELS, steering=odd),
    lambda colorizer, pair, odd: colorizer.colorize(PIXELS, steering=Steering(axes={1: 5 if odd == -1 else odd})),
    lambda colorizer, pair, odd: colorizer.colorize(PIXELS, steering=Steering(axes=odd or "warmer")),
    lambda colorizer, pair, odd: colorizer.sample_density(PIXELS, odd),
    lambda colorizer, pair, odd: colorizer.interpolate(*pair, odd),
    lambda colorizer, pair, odd: pair[0].render(odd),
    lambda colorizer, pair, odd: colorizer.colorize(odd),
    lambda colorizer, pair, odd: Colorizer.load(odd or 7, "cpu"),
]


def test_anything_else_is_one_sentence(colorizer: Colorizer, pair: list[Colouring]) -> None:
    for number, use in enumerate(USES):
        for odd in ODD:
            with pytest.raises(CinnError) as error:
                use(colorizer, pair, odd)
                pytest.fail(f"use {number} takes {odd!r}")
            assert str(error.value).endswith(".") and "\n" not in str(error.value)


@pytest.mark.parametrize("empty", [PIXELS[:, :0], PIXELS[:0], Image.new("L", (0, 5)), Image.new("RGB", (5, 0))])
def test_a_picture_without_pixels_is_one_sentence(empty: Any) -> None:
    with pytest.raises(CinnError, match=r"^(An array of shape .* is not a picture|The file has no pixels)"):
        read_photograph(empty)


def _render(colorizer: Colorizer, number: int) -> np.ndarray:
    return colorizer.colorize(PIXELS, [number], seed=3)[0].render()


def test_a_colorizer_and_its_colourings_can_be_sent_to_a_worker(colorizer: Colorizer, pair: list[Colouring]) -> None:
    there = _render(pickle.loads(pickle.dumps(colorizer)), 2)
    np.testing.assert_allclose(there.astype(int), _render(colorizer, 2), atol=1)
    copy = pickle.loads(pickle.dumps(pair[1]))
    assert copy.log_prob == pytest.approx(pair[1].log_prob)
    np.testing.assert_array_equal(copy.render(), pair[1].render())


def test_eight_threads_get_what_one_gets(colorizer: Colorizer) -> None:
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda number: _render(colorizer, number), range(8)))
    for number, picture in enumerate(together):
        np.testing.assert_allclose(picture.astype(int), _render(colorizer, number), atol=1)
