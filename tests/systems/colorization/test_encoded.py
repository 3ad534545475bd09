"""Encoding photographs: the same canvas and colours for all copies of one, and nothing is computed twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cinn_app import Colorizer, Hints, Steering
from cinn_app.imaging import GeodesicGrid, Photograph, read_photograph, shrink_photograph
from cinn_app.systems.colorization.encoded import Canvas, network_inputs
from cinn_app.systems.colorization.ensemble import DRAWS


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


def gray(height: int, width: int) -> Photograph:
    small = np.random.default_rng(0).integers(40, 216, (5, 7), dtype=np.uint8)
    return read_photograph(np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)))


def test_copies_of_any_size_have_the_canvas_of_their_photograph() -> None:
    rng = np.random.default_rng(0)
    for height, width in rng.integers(300, 4000, (200, 2)).tolist():
        full = Photograph(torch.empty(1, 1, 1).expand(1, height, width))
        scale = 200 / max(height, width)
        reduced = torch.empty(1, max(1, round(scale * height)), max(1, round(scale * width)))
        copy = Photograph(reduced, original=GeodesicGrid((height, width), reduced))
        for size in (96, 128, 192, 256):
            assert Canvas.of(copy, size) == Canvas.of(full, size)


SHAPES = [(300, 400), (400, 300), (1, 1), (1, 5000), (5000, 1), (97, 101), (2000, 260), (31, 33), (3000, 3001)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [32, 96, 160, 320])
def test_a_canvas_has_whole_cells_as_many_as_a_square_has_and_the_photograph_fits(
    shape: tuple[int, int], size: int
) -> None:
    canvas = Canvas.of(Photograph(torch.empty(1, 1, 1).expand(1, *shape)), size)
    (height, width), (rows, columns) = shape, (side // 32 for side in canvas.size)
    assert canvas.size == (32 * rows, 32 * columns) and rows > 0 < columns
    wanted = (size / 32) ** 2
    assert rows * columns == pytest.approx(wanted, rel=0.35, abs=1)
    assert canvas.height % 4 == canvas.width % 4 == 0
    assert 4 <= canvas.height <= canvas.size[0] and 4 <= canvas.width <= canvas.size[1]
    assert canvas.content_size == (canvas.height // 4, canvas.width // 4)
    assert canvas.height == canvas.size[0] or canvas.width == canvas.size[1]  # nothing larger fits
    scale = min(canvas.size[0] / height, canvas.size[1] / width)
    for side, original in ((canvas.height, height), (canvas.width, width)):
        assert side == pytest.approx(max(4, scale * original), abs=2.1)


def test_chroma_of_a_canvas_is_mirrored_and_cut() -> None:
    photograph = gray(700, 333)
    canvas = Canvas.of(photograph, 96)
    assert canvas.content_size != tuple(side // 4 for side in canvas.size)
    ab = torch.randn(2, 2, *canvas.content_size)
    extended = canvas.extend(ab)
    assert extended.shape[2:] == tuple(side // 4 for side in canvas.size)
    torch.testing.assert_close(canvas.crop(extended), ab)
    rows, columns = canvas.content_size
    beyond = extended[..., columns:]
    torch.testing.assert_close(beyond[..., :rows, :], ab.flip(-1)[..., : beyond.shape[-1]])
    assert canvas.lightness(photograph).shape == (1, 1, *canvas.size)
    flat = torch.tensor([7.0, -9.0])[:, None, None]
    torch.testing.assert_close(canvas.chroma(flat.expand(2, 700, 333)), flat.expand(1, 2, *extended.shape[2:]))


@pytest.mark.parametrize("size", [(1031, 520), (431, 1027), (700, 333), (150, 1200)])
@pytest.mark.parametrize("constraints", [Steering(), Steering(hints=Hints.parse(["100,140=#c02020"]))])
def test_a_copy_gets_the_colours_of_its_photograph(
    colorizer: Colorizer, size: tuple[int, int], constraints: Steering
) -> None:
    photograph = gray(*size)
    copy = shrink_photograph(shrink_photograph(photograph, 300), 280)
    whole = colorizer.colorize(photograph, 2, seed=4, steering=constraints)
    inputs = network_inputs(photograph, colorizer.recipe.sizes)
    same = colorizer.colorize(colorizer.encode_photograph(copy, inputs), 2, seed=4, steering=constraints)
    near = colorizer.colorize(copy, 2, seed=4, steering=constraints)
    for one, exact, resized in zip(whole, same, near, strict=True):
        assert exact.photograph is copy and exact.settings == one.settings
        torch.testing.assert_close(exact.ab, one.ab, rtol=0, atol=1e-4)
        # Not less, since other details move the borders of segments.
        assert (resized.ab - one.ab).square().mean().sqrt() < 0.05 * one.ab.square().mean().sqrt()


def test_a_photograph_is_encoded_once_and_its_mean_in_both_orientations_when_needed(
    colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[int]] = {"predict_mean": [], "condition": []}
    for name, calls in seen.items():
        method = getattr(colorizer.model, name)

        def count(lightness: Tensor, *rest: Any, of: Callable[..., Any] = method, calls: list[int] = calls) -> Any:
            calls.append(len(lightness))
            return of(lightness, *rest)

        monkeypatch.setattr(colorizer.model, name, count)
    encoded = colorizer.encode_photograph(gray(90, 120))
    assert not any(seen.values())
    colorizer.colorize(encoded, 2)
    colorizer.best_guess(encoded)
    assert seen == {"predict_mean": [2, 2], "condition": [1]}


def test_latents_are_computed_when_they_are_read_and_once_for_all_samples(
    colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    encode = colorizer.model.encode
    monkeypatch.setattr(
        colorizer.model, "encode", lambda ab, conditions: calls.append(len(ab)) or encode(ab, conditions)
    )
    first, second = colorizer.colorize(gray(90, 120), 2)
    first.render()
    assert not calls
    assert first.log_prob != second.log_prob and first.latents[0].shape == second.latents[0].shape
    assert calls == [2]


def test_distances_of_hints_are_measured_once_for_all_samples_and_copies(
    colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    distances = GeodesicGrid.distances
    monkeypatch.setattr(
        GeodesicGrid, "distances", lambda grid, *places: calls.append(len(places[0])) or distances(grid, *places)
    )
    photograph = gray(200, 300)
    steering = Steering(hints=Hints.parse(["150,100=#c02020", "20,20=#2040c0"]))
    for colouring in colorizer.colorize(photograph, 2, steering=steering):
        colouring.render()
        colouring.on(shrink_photograph(photograph, 100)).render(0.5)
    assert calls == [2]


def test_draws_of_a_photograph_are_made_once_and_always_the_same(
    colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    decode = colorizer.model.decode_segments
    monkeypatch.setattr(colorizer.model, "decode_segments", lambda z, *rest: calls.append(len(z)) or decode(z, *rest))
    encoded = colorizer.encode_photograph(gray(90, 120))
    colorizer.colorize(encoded, 2)
    assert not calls
    for seed in (0, 1):
        colorizer.colorize(encoded, 2, seed=seed, steering=Steering(axes={1: 1.0}))
    assert calls == [DRAWS] == [len(encoded.ensemble.ab)]
    again = colorizer.encode_photograph(gray(90, 120)).ensemble
    torch.testing.assert_close(again.ab, encoded.ensemble.ab)
