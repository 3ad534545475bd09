"""Parts of pictures, turned."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from cinn_app.imaging import WHOLE, Frame, read_photograph
from cinn_app.imaging.prints import Border

SHARES = st.floats(0, 0.4)
FRAMES = st.builds(Frame, st.integers(0, 3), st.builds(Border, SHARES, SHARES, SHARES, SHARES))


def numbered(height: int, width: int) -> torch.Tensor:
    """Make a picture whose values are all different."""
    return torch.arange(height * width, dtype=torch.float32).reshape(1, height, width)


@given(FRAMES, st.integers(20, 60), st.integers(20, 60))
def test_a_place_is_where_its_pixel_went(frame: Frame, height: int, width: int) -> None:
    picture = numbered(height, width)
    part = frame.of_tensor(picture)
    y, x = part.shape[1] // 2, part.shape[2] // 3
    whole_x, whole_y = frame.place_in_whole(x, y, (height, width))
    assert picture[0, whole_y, whole_x] == part[0, y, x]
    assert frame.place(whole_x, whole_y, (height, width)) == (x, y)
    np.testing.assert_array_equal(frame.of_array(picture[0].numpy()), part[0].numpy())


@given(FRAMES, FRAMES)
def test_two_frames_after_each_other_are_one(first: Frame, second: Frame) -> None:
    picture = numbered(400, 300)
    twice, once = second.of_tensor(first.of_tensor(picture)), first.then(second).of_tensor(picture)
    for part in (0, -1):  # the first pixel and the last, as row and column; shares are rounded twice, or once
        places = [np.unravel_index(int(one.flatten()[part]), (400, 300)) for one in (twice, once)]
        assert np.abs(np.subtract(*places)).max() <= 2


def test_a_dark_rim_is_left_out_and_paper_is_not() -> None:
    waves = (128 + 100 * np.sin(np.mgrid[:90, :120][1] / 9)).astype(np.uint8)
    film, mount = (np.pad(waves, 15, constant_values=level) for level in (5, 250))
    photograph = read_photograph(film)
    frame = Frame.without_rim(photograph.lightness, photograph.border)
    part = photograph.framed(frame)
    assert 84 <= part.size[0] <= 90 and 114 <= part.size[1] <= 120 and part.lightness.min() > 8
    assert not any(part.border)
    photograph = read_photograph(mount)
    assert any(photograph.border) and Frame.without_rim(photograph.lightness, photograph.border) == WHOLE


def test_levels_are_those_of_the_part() -> None:
    halves = np.concatenate(
        [np.tile(np.arange(0, 256, 2, dtype=np.uint8), (60, 1)), np.full((60, 128), 255, np.uint8)], 1
    )
    halves[:, :128] //= 2
    alpha = np.dstack([halves, halves, halves, np.arange(60, dtype=np.uint8)[:, None].repeat(256, 1)])
    photograph = read_photograph(alpha)
    left = photograph.framed(Frame(1, Border(bottom=0.5)))
    assert left.levels.white < photograph.levels.white == 100
    assert left.size == (128, 60) and left.alpha is not None and left.alpha[0, 0] == 59
