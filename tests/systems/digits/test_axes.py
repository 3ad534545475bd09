"""The axes of the handwriting: each moves what it is named after, and leaves the rest alone."""

import pytest
import torch

from cinn_app import DigitGenerator
from cinn_app.systems.digits.axes import varimax
from cinn_app.systems.digits.digit_shape import measure_shape


def test_varimax_separates_mixed_factors() -> None:
    torch.manual_seed(0)
    simple = torch.zeros(9, 3)
    for factor in range(3):
        simple[3 * factor : 3 * factor + 3, factor] = torch.rand(3) + 0.5
    mixture = torch.linalg.qr(torch.randn(3, 3)).Q
    rotation = varimax(simple @ mixture)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-5, rtol=0)
    found = (simple @ mixture @ rotation).abs()
    torch.testing.assert_close(found.sort(dim=1).values[:, :2], torch.zeros(9, 2), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.max(1).values, simple.max(1).values, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("axis", "other"), [("slant", "thickness"), ("thickness", "slant")])
def test_slant_and_thickness_of_the_shipped_model_move_independently(axis: str, other: str) -> None:
    generator = DigitGenerator.load("digits", "cpu")
    ends = [measure_shape(generator.sample(range(10), 4, steps={axis: step}).flatten(0, 1)) for step in (2, -2)]
    plain = measure_shape(generator.sample(range(10), 20).flatten(0, 1))
    moved, kept = ((ends[0][name] - ends[1][name]).mean() / plain[name].std() for name in (axis, other))
    assert moved > 1.5
    assert kept.abs() < 0.2 * moved
