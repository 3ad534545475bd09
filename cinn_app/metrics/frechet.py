"""How far apart two sets of pictures are, as a network sees them."""

from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

__all__ = ["frechet_distance"]


def frechet_distance(features: Tensor, truth: Tensor) -> float:
    r"""Fréchet distance between two clouds of features, each taken for a normal distribution.

    .. math::
        \lVert \mu - \hat\mu \rVert^2 + \operatorname{tr}(\Sigma + \hat\Sigma - 2 (\Sigma \hat\Sigma)^{1/2})

    It is the FID only if the features are Inception's, and depends on how many pictures there are: compare only what
    was measured on the same ones.

    Args:
        features: of what is measured, ``(pictures, features)``, at least two pictures.
        truth: of what it should look like, of as many features.
    """
    metric = FrechetInceptionDistance(_AsTheyAre(features.shape[1]))
    metric.update(truth, real=True)
    metric.update(features, real=False)
    return max(0.0, float(metric.compute()))  # rounding may leave a hair below


class _AsTheyAre(nn.Module):
    """Stands where the library expects a network: the features are known already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features.double()
