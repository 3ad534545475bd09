"""The classifier two-sample test finds what an ideal classifier would."""

import pytest
import torch
from torch.special import ndtr

from cinn_app.metrics.c2st import c2st


def test_two_shifted_normals_are_told_apart_as_often_as_bayes_rule_does() -> None:
    generator = torch.Generator().manual_seed(0)
    shifts = torch.tensor([0.0, 1.0, 2.0])
    truth, samples = torch.randn(2, 3, 1000, 1, generator=generator).unbind()
    measured = c2st(truth, samples + shifts[:, None, None])
    ideal = ndtr(shifts / 2)  # the boundary is half-way
    torch.testing.assert_close(measured, ideal, atol=0.03, rtol=0)


def test_units_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(1)
    truth, samples = torch.randn(2, 300, 2, generator=generator).unbind()
    scaled = [values * torch.tensor([1e-4, 1e3]) + 5 for values in (truth, samples)]
    assert c2st(*scaled).item() == pytest.approx(c2st(truth, samples).item(), abs=0.02)
