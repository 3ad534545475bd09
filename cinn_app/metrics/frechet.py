"""Distance of two sets of pictures in the feature space of a network."""

from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

__all__ = ["frechet_distance"]


def frechet_distance(features: Tensor, truth: Tensor) -> float:
    r"""Fréchet distance of two sets of features, each approximated by a normal distribution.

    .. math::
        \lVert \mu - \hat\mu \rVert^2 + \operatorname{tr}(\Sigma + \hat\Sigma - 2 (\Sigma \hat\Sigma)^{1/2})

    It is the FID only for Inception's features. It depends on the number of pictures, so only values for the same
    pictures can be compared.

    Args:
        features: ``(pictures, features)``, at least two pictures.
        truth: of the reference pictures, with the same number of features.
    """
    metric = FrechetInceptionDistance(_Identity(features.shape[1]))
    metric.update(truth, real=True)
    metric.update(features, real=False)
    return max(0.0, float(metric.compute()))  # rounding may make it slightly negative


class _Identity(nn.Module):
    """Takes the place of the network that torchmetrics expects: the features are known already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features.double()
