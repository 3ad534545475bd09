"""Hints: parsed, saved, and met in the finished picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer
from cinn_app.errors import CinnError
from cinn_app.imaging import rgb_to_lab, shrink_into_gamut
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.ensemble import Ensemble
from cinn_app.systems.colorization.hints import Hint, Hints
from cinn_app.systems.colorization.steering import Steering


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


def textured(height: int, width: int) -> np.ndarray:
    """A picture with edges, shades and grain."""
    rng = np.random.default_rng(0)
    blocks = Image.fromarray(rng.integers(40, 216, (5, 6), dtype=np.uint8)).resize((width, height), 0)
    return np.asarray(blocks, np.uint8) + rng.integers(0, 20, (height, width), dtype=np.uint8)


def rendered_ab(colouring: Colouring) -> torch.Tensor:
    return rgb_to_lab(torch.from_numpy(colouring.render()).movedim(-1, 0) / 255)[1:]


def worst_miss(colouring: Colouring) -> float:
    """Return the largest error of a hinted pixel in the finished picture, in Lab units."""
    assert colouring.hints
    lightness, ab, misses = colouring.photograph.lightness, rendered_ab(colouring), []
    for place, wanted in zip(colouring.hints.places(colouring.photograph.size), colouring.hints.ab, strict=True):
        possible = shrink_into_gamut(
            lightness[:, *place][..., None], wanted[:, None, None].expand(2, place.shape[1], 1)
        )[..., 0]
        misses.append((ab[:, *place] - possible).norm(dim=0).max())
    return float(torch.stack(misses).max())


@pytest.mark.parametrize(("height", "width"), [(64, 64), (333, 500), (40, 900)])
def test_hinted_pixels_of_the_finished_picture_have_the_wanted_colour(
    colorizer: Colorizer, height: int, width: int
) -> None:
    rng = np.random.default_rng(1)
    places = zip(rng.integers(0, width, 6), rng.integers(0, height, 6), rng.integers(0, 1 << 24, 6), strict=True)
    hints = Hints.parse([f"{x},{y}=#{colour:06x}" for x, y, colour in places])
    for colouring in colorizer.colorize(textured(height, width), 2, steering=Steering(hints=hints)):
        assert worst_miss(colouring) < 3


def test_a_place_too_dark_or_bright_for_its_colour_gives_a_warning(colorizer: Colorizer) -> None:
    steps = np.repeat(np.array([[4, 128, 252]], np.uint8).repeat(64, 0), 32, 1)
    hints = Hints.parse(["16,32=#c02020", "48,32=#c02020", "80,32=#2040c0", "10,10=#040404"])
    (colouring,) = colorizer.colorize(steps, steering=Steering(hints=hints))
    dark, bright = colouring.warnings
    assert "so dark where #c02020 was wanted" in dark and "so bright where #2040c0 was wanted" in bright
    (free,) = colorizer.colorize(steps)
    assert not free.warnings


def test_strokes_and_masks_are_met_at_all_their_pixels(colorizer: Colorizer) -> None:
    mask = np.zeros((120, 150), bool)
    mask[80:110, 100:140] = True
    hints = Hints((Hint("#c04020", ((10, 10), (90, 20), (90, 60)), radius=4), Hint.of_mask(mask, "#3050a0")))
    (colouring,) = colorizer.colorize(textured(120, 150), steering=Steering(hints=hints))
    stroke, masked = colouring.hints.places((120, 150))
    assert masked.shape[1] == mask.sum()
    assert {(10, 10), (15, 50), (20, 90), (40, 93)} <= {tuple(pixel) for pixel in stroke.T.tolist()}
    assert (40, 99) not in {tuple(pixel) for pixel in stroke.T.tolist()}
    assert worst_miss(colouring) < 3


def stripes_with_draws(colorizer: Colorizer, together: float) -> EncodedPhotograph:
    """A picture of three stripes, and draws of it, across which the colours of the outer two correlate."""
    picture = np.full((120, 180), 90, np.uint8)
    picture[:, 60:120] = 190
    encoded = colorizer.encode_photograph(picture)
    columns = torch.arange(encoded.conditions.mean.shape[3]) * 3 // encoded.canvas.content_size[1]
    values = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    even, _ = torch.linalg.qr(values - values.mean(0))  # no correlation by chance
    left, middle, right = (15 * 8 * even).unflatten(1, (3, 2)).unbind(1)
    right = together * left + (1 - together**2) ** 0.5 * right
    colours = torch.stack([left, middle, right], 2)[..., columns.clamp(max=2)]
    vars(encoded)["ensemble"] = Ensemble(colours[:, :, None].expand(-1, -1, encoded.conditions.mean.shape[2], -1))
    return encoded


@pytest.mark.parametrize("together", [0.0, 0.95])
def test_colour_fills_its_thing_and_goes_beyond_an_edge_only_to_what_goes_with_it(
    colorizer: Colorizer, together: float
) -> None:
    encoded = stripes_with_draws(colorizer, together)
    hints = Hints.parse(["20,60=#a03030"])
    (free,) = colorizer.colorize(encoded, seed=2)
    (steered,) = colorizer.colorize(encoded, seed=2, steering=Steering(hints=hints))
    off = [
        (rendered_ab(one) - hints.ab[0][:, None, None])[:, 20:100, 5:50].norm(dim=0).mean() for one in (steered, free)
    ]
    assert off[0] < 0.25 * off[1]
    moved = (rendered_ab(steered) - rendered_ab(free)).norm(dim=0)
    thing, middle, other = (moved[20:100, start : start + 45].mean() for start in (5, 68, 130))
    assert middle < 0.05 * thing
    if together == 0:
        assert other < 0.05 * thing
    else:  # not all of these colours can be shown
        moved = (steered.ab - free.ab).norm(dim=0)
        assert moved[:, 17:].mean() > 0.6 * moved[:, :7].mean()


def test_seeds_still_differ_and_lightness_stays(colorizer: Colorizer) -> None:
    steering = Steering(hints=Hints.parse(["10,10=#00c000"]))
    first, second = colorizer.colorize(textured(90, 120), 2, steering=steering)
    free = colorizer.colorize(textured(90, 120), 2)
    assert (first.ab - second.ab).abs().mean() > 0.5 * (free[0].ab - free[1].ab).abs().mean()
    lightness = rgb_to_lab(torch.from_numpy(first.render()).movedim(-1, 0) / 255)[:1]
    assert (lightness - first.photograph.lightness).abs().quantile(0.99) < 1


def test_hints_are_met_in_a_smaller_copy_and_scale_with_the_strength(colorizer: Colorizer) -> None:
    steering = Steering(hints=Hints.parse(["150,100=#c02020"]))
    (large,) = colorizer.colorize(textured(200, 300), steering=steering)
    small = large.on(colorizer.colorize(textured(50, 75))[0].photograph)
    assert worst_miss(small) < 3
    channels = large.render(strength=0).astype(int)
    assert np.abs(channels - channels.mean(-1, keepdims=True)).max() <= 1


def test_hints_are_saved_and_loaded(tmp_path: Path) -> None:
    mask = np.zeros((4, 5), bool)
    mask[1:3, 3:] = True
    hints = Hints((Hint("#102030", ((1.5, 2), (3, 3)), 2), Hint.of_mask(mask, "#AABBCC"))).on((4, 5))
    hints.save(tmp_path / "hints.json")
    assert Hints.load(tmp_path / "hints.json") == hints
    with pytest.raises(CinnError, match="belong to a picture of 5 x 4 pixels, and this one has 4 x 5"):
        Hints.load(tmp_path / "hints.json").on((5, 4))
    with pytest.raises(CinnError, match="belong to no picture yet"):
        Hints.parse(["1,1=#102030"]).save(tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()
    with pytest.raises(CinnError, match="cannot be saved"):
        hints.save(tmp_path / "nowhere" / "hints.json")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1, 2]", b'{"hints": []}', b'{"hints": [{"colour": "red", "points": [[1, 1]]}]}',
                b'{"hints": [{"colour": "#102030", "points": [[1]]}], "width": 2, "height": 2}', b"\xff\x00"]
)  # fmt: skip
def test_files_without_hints_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "hints.json").write_bytes(content)
    with pytest.raises(CinnError):
        Hints.load(tmp_path / "hints.json")
    with pytest.raises(CinnError, match="cannot be read"):
        Hints.load(tmp_path / "missing.json")


@pytest.mark.parametrize("text", ["", "1,2", "1;2=#000000", "-1,2=#000000", "1,2=red", "1,2=#12345", "nan,1=#000000"])
def test_an_invalid_hint_is_named(text: str) -> None:
    with pytest.raises(CinnError, match="hint"):
        Hints.parse(["1,1=#ffffff", text])


def test_hints_outside_the_picture_are_refused(colorizer: Colorizer) -> None:
    with pytest.raises(CinnError, match="120,10=#00c000 is outside the picture of 120 x 90"):
        colorizer.colorize(textured(90, 120), steering=Steering(hints=Hints.parse(["120,10=#00c000"])))
    with pytest.raises(CinnError, match="larger than the picture"):
        Hints((Hint.of_mask(np.ones((9, 9), bool), "#00c000"),)).on((8, 8))
    with pytest.raises(CinnError, match="no place"):
        Hint("#00c000")
    with pytest.raises(CinnError, match="at least one"):
        Hints.parse([])


def test_too_many_hints_are_refused() -> None:
    with pytest.raises(CinnError, match="There are 101 hints, more than the limit of 100"):
        Hints.parse([f"{number},0=#ff0000" for number in range(101)])
