"""The Fréchet distance of sets with a known distance."""

import pytest
import torch

from cinn_app.metrics.frechet import frechet_distance


def test_the_distance_of_normal_distributions_is_that_of_the_formula() -> None:
    """For diagonal covariances the matrix root is the root of each variance."""
    generator = torch.Generator().manual_seed(0)
    cloud = torch.randn(4000, 4, generator=generator)
    cloud = (cloud - cloud.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(cloud.T.cov(), upper=True))
    widths, shift = torch.tensor([2.0, 1.0, 0.5, 3.0]), torch.tensor([1.0, 0.0, -2.0, 0.0])
    expected = shift.square().sum() + (widths - 1).square().sum()
    assert frechet_distance(cloud * widths + shift, cloud) == pytest.approx(expected.item(), rel=1e-3)


def test_it_works_with_fewer_pictures_than_features() -> None:
    features = torch.rand(12, 64, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(features + 0.5, features) == pytest.approx(16, rel=1e-4)
