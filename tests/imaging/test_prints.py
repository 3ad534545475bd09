"""What shows of an old print: levels, borders, negatives."""

import numpy as np
import pytest
import torch

from cinn_app.imaging import read_photograph, shrink_photograph
from cinn_app.imaging.prints import Border, Levels, halftone_period


def scene(height: int = 240, width: int = 320) -> np.ndarray:
    """Make a picture of full levels, 0 to 255, whose sides are all different from black and white."""
    y, x = np.mgrid[0:height, 0:width] / 40
    waves = 0.5 + 0.5 * np.sin(1.7 * x + np.sin(y)) * np.cos(1.3 * y)
    return (255 * waves).astype(np.uint8)


def faded(picture: np.ndarray, black: float = 0.45, white: float = 0.8) -> np.ndarray:
    return np.round(255 * black + (white - black) * picture).astype(np.uint8)


def framed(picture: np.ndarray, level: int, widths: tuple[int, int, int, int]) -> np.ndarray:
    """Lay a picture on paper: widths at the top, bottom, left and right."""
    return np.pad(picture, (widths[:2], widths[2:]), constant_values=level)


def border_of(picture: np.ndarray) -> tuple[slice, slice]:
    return read_photograph(picture).border.inside((picture.shape[0], picture.shape[1]))


def test_full_levels_have_not_faded_and_stay_themselves() -> None:
    for picture in (scene(), scene() // 2, faded(scene(), 0.05, 0.95)):  # also a dark one with a true black
        photograph = read_photograph(picture)
        assert photograph.levels.fading == 0 and photograph.levels.contrast == 1
        assert photograph.unfaded is photograph.lightness


def test_a_faded_print_gets_its_contrast_back() -> None:
    fresh, old = read_photograph(scene()), read_photograph(faded(scene()))
    assert old.levels.fading == 1
    assert (old.unfaded - fresh.lightness).abs().mean() < (old.lightness - fresh.lightness).abs().mean() / 4
    slope = old.lightness.std() / fresh.lightness.std()
    assert old.levels.contrast == pytest.approx(float(slope), rel=0.15)


def test_contrast_has_no_jump_between_full_and_faded_levels() -> None:
    blacks = np.linspace(0, 70, 281)
    for factor in ([Levels(black, 80).contrast for black in blacks], [Levels(black, 80).gain for black in blacks]):
        assert np.abs(np.diff(factor)).max() < 0.06


def test_nothing_is_made_of_evenness_and_grain() -> None:
    noise = np.random.default_rng(0).integers(120, 129, (90, 120)).astype(np.uint8)
    for level in (0, 40, 128, 255):
        even = read_photograph(np.full((60, 80), level, np.uint8))
        assert even.levels.contrast == 0
        torch.testing.assert_close(even.unfaded, even.lightness)
    for picture in (np.full((1, 1), 99, np.uint8), noise):
        photograph = read_photograph(picture)
        assert photograph.levels.contrast < 0.1
        assert photograph.unfaded.std(correction=0) <= 2 * photograph.lightness.std(correction=0)


@pytest.mark.parametrize(
    ("level", "widths"),
    [
        (250, (20, 20, 20, 20)),
        (230, (12, 60, 12, 12)),
        (8, (14, 20, 9, 25)),
        (4, (25, 25, 0, 0)),
        (200, (24, 24, 24, 24)),
        (150, (20, 40, 20, 20)),
    ],
    ids=["mount", "instant picture", "film rim", "letterbox", "light gray mount", "gray mount"],
)
def test_borders_are_found_to_the_pixel(level: int, widths: tuple[int, int, int, int]) -> None:
    picture = framed(60 + scene() // 2 if level > 200 or level < 60 else scene() // 3, level, widths)
    picture = np.clip(picture + np.random.default_rng(1).normal(0, 1, picture.shape), 0, 255).astype(np.uint8)
    top, bottom, left, right = widths
    rows, columns = border_of(picture)
    expected = (top, picture.shape[0] - bottom, left, picture.shape[1] - right)
    assert np.abs(np.subtract((rows.start, rows.stop, columns.start, columns.stop), expected)).max() <= 1


def test_borders_may_lie_within_each_other_and_hold_writing() -> None:
    rim = framed(scene(), 6, (20, 20, 20, 20))
    rim[4:14, 60:120:3] = 200
    rows, columns = border_of(framed(rim, 252, (10, 10, 10, 10)))
    assert (rows.start, rows.stop, columns.start, columns.stop) == pytest.approx((30, 270, 30, 350), abs=1)


def test_the_rim_of_a_film_has_holes_that_are_darker() -> None:
    film = framed(scene(200, 280), 32, (20, 24, 12, 12))
    for left in range(10, 290, 36):
        film[:12, left : left + 18] = film[-12:, left : left + 18] = 2
    rows, columns = border_of(film)
    assert (rows, columns) == (slice(20, 220), slice(12, 292))


def test_skies_studios_and_the_night_are_no_borders() -> None:
    y, x = np.mgrid[0:240, 0:320]
    sky = scene()
    sky[y < 50 + 20 * np.sin(x / 30)] = 250
    sea = scene()
    sea[:50] = 250  # a straight horizon
    studio = np.full((240, 320), 245, np.uint8)
    studio[(y - 150) ** 2 + (x - 160) ** 2 < 70**2] = 90
    wall = np.full((240, 320), 120, np.uint8)
    wall[40:, 60:260] = scene()[40:, 60:260]  # someone before a gray wall
    night = np.where(np.hypot(y - 120, x - 160) < 70, scene(), 3).astype(np.uint8)
    for picture in (
        sky,
        sea,
        studio,
        wall,
        night,
        scene(),
        np.full((50, 50), 255, np.uint8),
        np.zeros((3, 2), np.uint8),
    ):
        assert read_photograph(picture).border == Border()


def test_levels_are_those_inside_the_border_also_of_a_smaller_copy() -> None:
    photograph = read_photograph(framed(faded(scene()), 250, (20, 20, 20, 20)))
    assert photograph.levels.fading == 1
    small = shrink_photograph(photograph, 90)
    assert (small.levels, small.border) == (photograph.levels, photograph.border)


def test_clearing_removes_what_is_on_the_border() -> None:
    cleared = Border(top=0.25, right=0.5).clear(torch.ones(2, 8, 8))
    assert cleared[:, 2:, :4].eq(1).all() and cleared.sum() == 2 * 6 * 4


def screened(picture: np.ndarray, period: float, degrees: float) -> np.ndarray:
    """Make a halftone: dots on a square grid, softened as a scan does."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] * (2 * np.pi / period)
    angle = np.deg2rad(degrees)
    grid = np.cos(x * np.cos(angle) + y * np.sin(angle)) + np.cos(y * np.cos(angle) - x * np.sin(angle))
    return (255 / (1 + np.exp(-(picture / 255 - 0.5 + grid / 4) * 6))).astype(np.uint8)


@pytest.mark.parametrize(("period", "degrees"), [(2.6, 45), (4, 0), (5.5, 30), (9, 15)])
@pytest.mark.parametrize("size", [(240, 320), (151, 90), (700, 601)])
def test_dots_of_a_halftone_are_found_and_hidden_from_the_network(
    period: float, degrees: float, size: tuple[int, int]
) -> None:
    plain = read_photograph(60 + scene(*size) // 2)
    photograph = read_photograph(screened(60 + scene(*size) // 2, period, degrees))
    assert plain.halftone == 0 and plain.continuous is plain.unfaded
    assert photograph.halftone == pytest.approx(period, rel=0.1)
    shape = photograph.continuous.shape[-2:]
    expected = torch.nn.functional.interpolate(photograph.unfaded[None], shape, mode="area")[0]
    assert (photograph.continuous - expected).std() < 0.3 * photograph.unfaded.std()
    assert shape[0] == pytest.approx(size[0] / photograph.halftone, abs=1)
    small = shrink_photograph(photograph, int(max(size) / (2 * period)))  # the dots are gone by themselves
    assert small.continuous is small.unfaded


def test_fences_noise_and_tiny_pictures_are_no_halftones() -> None:
    y, x = np.mgrid[:240, :320]
    fence = (128 + 100 * np.sign(np.sin(x * 1.3))).astype(np.uint8)
    diagonal = (128 + 100 * np.sin(x + 0.7 * y)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (240, 320)).astype(np.uint8)
    for picture in (fence, diagonal, noise, scene(), np.full((300, 300), 128, np.uint8), np.zeros((2, 400), np.uint8)):
        assert read_photograph(picture).halftone == 0
    assert halftone_period(torch.zeros(1, 31, 900)) == 0
