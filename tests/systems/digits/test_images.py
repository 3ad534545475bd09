"""Drawings of digits in MNIST's form: whatever pen, paper, size and file they came in."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from cinn_app.errors import ImageError
from cinn_app.systems.digits.images import digit_sheet, read_digit

Colour = int | tuple[int, ...]

SEVEN = [(30, 15), (70, 18), (42, 85)]
ONE = [(48, 20), (50, 84)]


def drawing(
    side: int = 200,
    lines: list[tuple[int, int]] = SEVEN,
    pen: float = 9,
    ink: Colour = 0,
    paper: Colour = 255,
    mode: str = "L",
) -> Image.Image:
    """Draw lines, given in hundredths of the side as is the pen's width, without soft edges as a sketch pad does."""
    image, scale = Image.new(mode, (side, side), paper), side / 100
    width = max(1, round(pen * scale))
    ImageDraw.Draw(image).line([(x * scale, y * scale) for x, y in lines], ink, width, "curve")
    return image


def mnist_like() -> np.ndarray:
    """Grays of every value on black, around the middle, as MNIST has them."""
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 8:21] = np.random.default_rng(0).permutation(260).reshape(20, 13).clip(0, 255)
    return picture


def assert_alike(first: Tensor, second: Tensor, mean: float, shift: int = 0) -> None:
    """Check two pictures for their mean difference in grays, of pixels that either of them has ink in.

    With a shift, one may be that number of pixels beside the other: the centre of mass is rounded to whole pixels.
    """
    moved = [
        second.roll((down, right), (0, 1)) for down in range(-shift, shift + 1) for right in range(-shift, shift + 1)
    ]
    difference = [(first.float() - other.float()).abs()[(first > 0) | (other > 0)].mean() for other in moved]
    assert min(difference) < mean


def middle(digit: Tensor) -> tuple[float, float]:
    """Return row and column of the centre of mass."""
    ink = digit.float() / digit.sum()
    place = torch.arange(28)
    return float((ink.sum(1) * place).sum()), float((ink.sum(0) * place).sum())


# Form


@pytest.mark.parametrize("lines", [SEVEN, ONE, [(5, 50), (95, 52)], [(90, 90), (96, 97)]], ids=str)
@pytest.mark.parametrize("pen", [2, 6, 12])
def test_ink_is_20_pixels_long_and_its_mass_is_in_the_middle(lines: list[tuple[int, int]], pen: int) -> None:
    digit = read_digit(drawing(lines=lines, pen=pen))
    assert digit.dtype == torch.uint8
    assert digit.shape == (28, 28)
    assert digit.max() == 255
    height, width = ((digit > 0).any(dim).sum() for dim in (1, 0))
    assert max(height, width) == 20
    assert middle(digit) == pytest.approx((13.5, 13.5), abs=0.55)


def test_the_centre_of_mass_is_centred_not_the_box() -> None:
    """A stroke with a blot at one end: half the box is nearly empty."""
    image = drawing(lines=[(20, 50), (80, 50)], pen=4)
    ImageDraw.Draw(image).ellipse((30, 80, 70, 120), 0)
    digit = read_digit(image)
    assert middle(digit)[1] == pytest.approx(13.5, abs=0.5)
    columns = torch.nonzero(digit.any(0)).flatten()
    assert columns[0] + columns[-1] > 27 + 4


@pytest.mark.parametrize("make", [np.asarray, Image.fromarray, lambda a: Image.fromarray(a).convert("RGB")])
def test_a_picture_in_mnists_form_is_returned_exactly(make: Callable[[np.ndarray], np.ndarray | Image.Image]) -> None:
    picture = mnist_like()
    assert np.array_equal(read_digit(make(picture)), picture)
    assert np.array_equal(read_digit(make(255 - picture)), picture)


@pytest.mark.parametrize("shift", [(0, 3), (-2, 0), (3, -3)])
def test_a_picture_in_mnists_form_that_is_off_centre_is_moved(shift: tuple[int, int]) -> None:
    digit = mnist_like()
    moved = read_digit(np.roll(digit, shift, (0, 1)))
    assert_alike(moved, torch.from_numpy(digit), mean=1, shift=1)
    assert moved.sum() == digit.sum()
    assert all(abs(place - 13.5) < 1 for place in middle(moved))


def test_strokes_are_as_bright_and_as_soft_as_mnists() -> None:
    """MNIST's test set: 33.8 is the mean gray, 0.52 the share of inked pixels that are neither black nor white."""
    digits = torch.stack(
        [read_digit(drawing(side, lines, 9)) for side in (100, 280, 1000) for lines in (SEVEN, [*SEVEN, (20, 30)])]
    ).float()
    assert 25 < digits.mean() < 45
    soft = ((digits > 20) & (digits < 235)).sum() / (digits > 20).sum()
    assert 0.35 < soft < 0.7


# Pen and paper


def test_black_on_white_is_white_on_black() -> None:
    assert_alike(read_digit(drawing(ink=255, paper=0)), read_digit(drawing()), mean=1)


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("hidden", [0, 255])
def test_opaque_ink_on_transparent_paper(ink: int, hidden: int) -> None:
    """Whatever the colour of the ink, and of the paper that is not seen."""
    sketch = drawing(ink=(ink, ink, ink, 255), paper=(hidden, hidden, hidden, 0), mode="RGBA")
    assert_alike(read_digit(sketch), read_digit(drawing()), mean=1)


def test_a_drawing_with_transparent_corners_is_read_as_on_paper() -> None:
    card = drawing().convert("RGBA")
    alpha = Image.new("L", card.size, 0)
    ImageDraw.Draw(alpha).rounded_rectangle((0, 0, 199, 199), 30, 255)
    card.putalpha(alpha)
    assert_alike(read_digit(card), read_digit(drawing()), mean=1)


@pytest.mark.parametrize("ink", [(220, 0, 0), (0, 0, 255), (255, 230, 0), (0, 160, 60)], ids=str)
@pytest.mark.parametrize("paper", [(255, 255, 255), (240, 225, 190), (0, 0, 0)], ids=str)
def test_a_coloured_pen(ink: Colour, paper: Colour) -> None:
    """Yellow on white is hardly darker than the paper: it is the colour that tells."""
    assert_alike(read_digit(drawing(ink=ink, paper=paper, mode="RGB")), read_digit(drawing()), mean=2)


def test_a_photograph_of_paper_with_shade_and_grain() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-0.5:0.5:800j, -0.5:0.5:600j]
    light = 170 + 45 * x - 35 * y - 30 * (x**2 + y**2)
    sharp = np.asarray(drawing(600).resize((600, 600))) / 255
    ink = np.pad(1 - sharp, ((100, 100), (0, 0)))
    picture = light * (1 - 0.7 * ink) + rng.normal(0, 4, light.shape)
    file = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).convert("RGB").save(file, "JPEG", quality=80)
    digit = read_digit(file.getvalue())
    assert_alike(digit, read_digit(drawing(600)), mean=20, shift=1)
    # The box of the ink is black around the stroke: no haze of shaded paper.
    assert (digit == 0).sum() > 28 * 28 - 260


@pytest.mark.parametrize("turns", range(4))
def test_paper_lit_from_one_side_is_paper(turns: int) -> None:
    """From 120 to 250 gray, and the stroke reaches the frame, which must not bend what is taken for paper.

    Ink is only somewhat fainter where less light falls on it.
    """
    light = np.rot90(np.tile(np.linspace(120, 250, 300), (300, 1)), turns)
    ink = 1 - np.asarray(drawing(300)) / 255
    ink[140:160, :80] = 1
    lit, even = (
        read_digit(Image.fromarray((paper * (1 - 0.8 * ink)).astype(np.uint8)))
        for paper in (light, np.full_like(light, 230))
    )
    assert_alike(lit, even, mean=25, shift=1)


@pytest.mark.parametrize("side", [60, 100, 500, 2000])
def test_the_size_of_the_drawing_does_not_matter(side: int) -> None:
    assert_alike(read_digit(drawing(side)), read_digit(drawing(1000)), mean=25 if side < 100 else 15, shift=1)


def test_a_small_drawing_on_large_paper() -> None:
    page = Image.new("L", (3000, 2000), 255)
    page.paste(drawing(400), (2300, 200))
    assert_alike(read_digit(page), read_digit(drawing(400)), mean=30, shift=1)


@pytest.mark.parametrize("pen", [2, 10, 25])
def test_a_bar_is_a_1_and_not_a_blot(pen: int) -> None:
    digit = read_digit(drawing(lines=ONE, pen=pen))
    assert digit.any(1).sum() == 20
    assert digit.any(0).sum() == pytest.approx(20 * pen / 65, abs=2)


# What is no digit


def file_of(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (Image.new("L", (300, 200), 255), "is empty: draw one digit"),
        (Image.new("RGB", (300, 200), (250, 248, 240)), "is empty: draw one digit"),
        (Image.new("RGBA", (300, 200), (0, 0, 0, 0)), "is empty: draw one digit"),
        (Image.new("RGB", (300, 200), (0, 0, 0)), "has the same colour everywhere"),
        (Image.new("L", (300, 200), 128), "has the same colour everywhere"),
        (Image.new("RGBA", (300, 200), (0, 200, 0, 255)), "has the same colour everywhere"),
        (Image.new("RGBA", (300, 200), (0, 0, 0, 255)), "leave paper around it"),
        (Image.new("RGB", (300, 200), (255, 230, 0)), "has the same colour everywhere"),
        (Image.new("L", (1, 1)), "has the same colour everywhere"),
        (np.zeros((28, 28), np.uint8), "is empty: draw one digit"),
        (np.full((28, 28), 255, np.uint8), "is empty: draw one digit"),
        (np.pad(np.full((90, 70), 255, np.uint8), 20), "is filled all over"),
        (np.pad(np.full((90, 70, 4), 255, np.uint8), ((20, 20), (20, 20), (0, 0))), "is filled all over"),
        (Image.new("1", (20_000, 10_001)), "more than the limit of 200 megapixels"),
        (file_of(drawing())[:120], "is damaged or cut short"),
        (b"seven", "is not a picture"),
        (b"", "is empty (0 bytes)"),
        (Path("nowhere.png"), "does not exist"),
    ],
)
def test_each_is_refused_with_one_sentence(source: Image.Image | np.ndarray | bytes | Path, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_digit(source)
    message = str(caught.value)
    assert reason in message
    assert message.endswith(".")
    assert "\n" not in message


def test_a_pad_painted_all_over_but_for_specks_is_not_empty() -> None:
    pad = Image.new("RGBA", (280, 280), (20, 20, 20, 255))
    ImageDraw.Draw(pad).point([(100, 100), (101, 100), (180, 30)], (0, 0, 0, 0))
    with pytest.raises(ImageError, match="has the same colour everywhere"):
        read_digit(pad)


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "blank.png"
    Image.new("L", (50, 50), 255).save(path)
    with pytest.raises(ImageError, match=r"blank\.png is empty"):
        read_digit(path)
    with pytest.raises(ImageError, match=r"blank\.png is empty"):
        read_digit(str(path))


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (2, 2), (3, 3)])
def test_tiny_pictures_are_read_or_refused(size: tuple[int, int]) -> None:
    picture = np.full(size, 255, np.uint8)
    picture[size[0] // 2, size[1] // 2] = 0
    try:
        assert read_digit(picture).max() == 255
    except ImageError as error:
        assert "is empty" in str(error) or "is filled all over" in str(error)


# Sheets


def test_a_sheet_has_rows_and_columns_and_gaps_between() -> None:
    digits = torch.randint(1, 256, (2, 3, 28, 28), dtype=torch.uint8)
    sheet = digit_sheet(digits, scale=2, gap=1)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (2 * 58, 3 * 58)
    assert np.array_equal(sheet[58 + 1 : 58 + 57 : 2, 2 * 58 + 1 : 2 * 58 + 57 : 2], digits[1, 2])
    assert (sheet == 0).sum() == sheet.size - 2 * 3 * 56 * 56
