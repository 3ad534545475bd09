"""Each measure of a digit grows with what its name says."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from cinn_app.systems.digits.digit_shape import measure_shape


def stroke(*points: tuple[float, float], width: int = 3) -> torch.Tensor:
    """Draw a line through points in a picture of 28x28, smooth at its edges."""
    picture = Image.new("L", (280, 280))
    ImageDraw.Draw(picture).line([(10 * x, 10 * y) for x, y in points], 255, 10 * width, joint="curve")
    return torch.from_numpy(np.array(picture.resize((28, 28), Image.Resampling.BOX)))


PAIRS = {
    "slant": (stroke((14, 4), (14, 24)), stroke((10, 24), (18, 4))),
    "height": (stroke((14, 8), (14, 20)), stroke((14, 4), (14, 24))),
    "width": (stroke((11, 14), (17, 14)), stroke((5, 14), (23, 14))),
    "thickness": (stroke((14, 4), (14, 24), width=2), stroke((14, 4), (14, 24), width=5)),
    "stroke length": (stroke((14, 8), (14, 20)), stroke((8, 4), (20, 14), (8, 24))),
    "bow to the right": (stroke((18, 4), (8, 14), (18, 24)), stroke((8, 4), (18, 14), (8, 24))),
    "weight at the bottom": (
        stroke((8, 5), (20, 5), (14, 5), (14, 24)),
        stroke((14, 4), (14, 23), (8, 23), (20, 23)),
    ),
    "weight on the right": (
        stroke((22, 14), (6, 14), (6, 8), (6, 20)),
        stroke((6, 14), (22, 14), (22, 8), (22, 20)),
    ),
    "weight in the middle": (
        stroke((8, 4), (20, 4), (14, 4), (14, 24), (8, 24), (20, 24)),
        stroke((14, 4), (14, 14), (6, 14), (22, 14), (14, 14), (14, 24)),
    ),
    "closed loops": (
        stroke((8, 6), (20, 6), (20, 22), (8, 22)),
        stroke((8, 6), (20, 6), (20, 22), (8, 22), (8, 6)),
    ),
    "wide top": (stroke((14, 4), (8, 24), (20, 24), (14, 4)), stroke((8, 4), (20, 4), (14, 24), (8, 4))),
    "wide bottom": (stroke((8, 4), (20, 4), (14, 24), (8, 4)), stroke((14, 4), (8, 24), (20, 24), (14, 4))),
}


@pytest.mark.parametrize("name", PAIRS)
def test_each_measure_grows_with_what_its_name_says(name: str) -> None:
    less, more = measure_shape(torch.stack(PAIRS[name]))[name]
    assert more > less


def test_slant_does_not_change_width_and_an_upright_stroke_has_none() -> None:
    upright, leaning = stroke((14, 4), (14, 24)), stroke((11, 24), (17, 4))
    measures = measure_shape(torch.stack([upright, leaning]))
    assert measures["slant"][0].abs() < 0.02
    assert measures["slant"][1] == pytest.approx(6 / 20, abs=0.03)  # six to the right on twenty up
    assert measures["width"][1] == pytest.approx(float(measures["width"][0]), rel=0.15)


def test_measures_of_a_picture_without_ink_are_finite() -> None:
    assert all(value.isfinite().all() for value in measure_shape(torch.zeros(1, 28, 28, dtype=torch.uint8)).values())
