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

from cinn_app import Colorizer, Colouring, Hints, Steering
from cinn_app.errors import CinnError
from cinn_app.imaging import read_photograph
from cinn_app.systems.colorization.hints import Hint
from cinn_app.systems.colorization.region import Region

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


MASK = np.zeros((3, 3), bool)
MISUSES: list[tuple[Callable[[Colorizer, Colouring, Path], Any], str]] = [
    (lambda *_: Hints.parse([5]), "The hint 5 cannot be read: write it as X,Y=#RRGGBB"),  # type: ignore[list-item]
    (lambda *_: Hints.parse([None]), "The hint None cannot be read"),  # type: ignore[list-item]
    (lambda *_: Hints.parse(None), "The hints None are no list: give texts such as"),  # type: ignore[arg-type]
    (lambda *_: Hints.parse("1,1=#c02020"), "The hints '1,1=#c02020' are no list"),
    (lambda *_: Hints((5,)), "These hints are .*: give a tuple of Hint"),  # type: ignore[arg-type]
    (lambda *_: Hints(5), "These hints are 5: give a tuple of Hint"),  # type: ignore[arg-type]
    (lambda *_: Hint(5, ((1, 1),)), "The hint's colour 5 is invalid"),  # type: ignore[arg-type]
    (lambda *_: Hint("#c02020", 5), "The hint #c02020 has no place"),  # type: ignore[arg-type]
    (lambda *_: Hint("#c02020", ((1, 2, 3),)), "The hint #c02020 has no place"),  # type: ignore[arg-type]
    (lambda *_: Hints.load(None), "A path cannot be given as NoneType: give a text or a Path"),  # type: ignore[arg-type]
    (lambda *_: Hints.parse(["1,1=#c02020"]).on((9, 9)).save(1), "A path cannot be given as int"),  # type: ignore[arg-type]
    (lambda *_: Steering(hints=5), "The hints cannot be given as int: give a Hints"),  # type: ignore[arg-type]
    (lambda *_: Steering(reference=5), "The reference cannot be given as int: give a ColourReference"),  # type: ignore[arg-type]
    (lambda *_: Steering(region=MASK), "The region cannot be given as ndarray: give a Region"),  # type: ignore[arg-type]
    (lambda *_: Steering(region="x"), "The region cannot be given as str: give a Region"),  # type: ignore[arg-type]
    (lambda *_: Steering(restore_levels="no"), "The choice to restore levels cannot be"),  # type: ignore[arg-type]
    (lambda *_: Steering({1: 1}, thing="x"), "The thing 'x' is no place: give its x and y"),  # type: ignore[arg-type]
    (lambda *_: Steering({1: 1}, thing=(1, "y")), r"The thing \(1, 'y'\) is no place"),  # type: ignore[arg-type]
    (lambda *_: Steering(thing="x"), "The thing 'x' is no place"),  # type: ignore[arg-type]
    (lambda *_: Steering(thing=(1, 2)), "A thing is chosen, but nothing to change in it: give steps along axes"),
    (lambda *_: Steering({"warmer": "x"}), "A step of 'x' along 'warmer' is out of range"),  # type: ignore[dict-item]
    (lambda *_: Region(5, MASK), "The colours of what to keep have to be those of a colouring"),  # type: ignore[arg-type]
    (lambda c, one, _: c.colorize(PIXELS, temperature="hot"), "The temperature 'hot' is out of range: give one from 0"),
    (
        lambda c, one, _: c.colorize(PIXELS, temperature=[1, 1]),
        "2 temperatures were given: give one number, or 5, fine to coarse: of tiny details, small",
    ),
    (
        lambda c, one, _: c.colorize(PIXELS, temperature=[1, 1, 1, 1, 3]),
        r"The temperature \[1, 1, 1, 1, 3\] is out of range",
    ),
    (lambda c, one, _: c.interpolate(one, 5), "A colouring cannot be given as int: give a Colouring"),
    (lambda c, one, _: c.redraw(5, MASK), "A colouring cannot be given as int: give a Colouring"),
    (lambda c, one, _: c.redraw(one, MASK, encoded=5), ""),
    (lambda c, one, _: one.save(None), "A path cannot be given as NoneType: give a text or a Path"),
    (lambda c, one, _: one.save(1), "A path cannot be given as int: give a text or a Path"),
    (lambda c, one, folder: one.save(folder / "a\0.png"), ""),
    (lambda c, one, folder: one.save(folder / "a.jpg", quality="x"), ""),
]


def test_misuses_are_explained_by_one_true_sentence(
    colorizer: Colorizer, pair: list[Colouring], tmp_path: Path
) -> None:
    for misuse, reason in MISUSES:
        with pytest.raises(CinnError, match=f"^{reason}") as caught:
            misuse(colorizer, pair[0], tmp_path)
        assert str(caught.value).isprintable() and str(caught.value).endswith(".")
