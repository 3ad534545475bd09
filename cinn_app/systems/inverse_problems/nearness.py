r"""How near measurements are to the simulated ones: an answer far from all of them is an extrapolation."""

import torch
from torch import Tensor, nn

__all__ = ["Nearness"]

#: Directions of the measurements that count one by one; what is in the others counts together.
DIRECTIONS = 32
#: Simulations that are kept to compare with, and those that show which distances are usual.
KEPT, TRIED = 1000, 2000
#: A measurement is far if its distance is this many times the largest one that is usual.
FACTOR = 1.5
#: Variances below this share of the largest one count as this much.
FLOOR = 1e-4


class Nearness(nn.Module):
    r"""Distance of measurements to the nearest of some simulated ones.

    The distance is Euclidean between whitened measurements: along the principal directions of the simulated ones, each
    divided by its standard deviation. It is given in units of the 99.9% quantile of simulations, so a typical distance
    is below 1.

    Args:
        measurements: M.
    """

    directions: Tensor
    scales: Tensor
    kept: Tensor
    usual: Tensor

    def __init__(self, measurements: int) -> None:
        super().__init__()
        count = min(measurements, DIRECTIONS)
        self.register_buffer("directions", torch.zeros(measurements, count))
        self.register_buffer("scales", torch.ones(count + 1))
        self.register_buffer("kept", torch.zeros(KEPT, count + 1))
        self.register_buffer("usual", torch.ones(()))

    @torch.no_grad()
    def fit(self, y: Tensor) -> None:
        """Keep some simulations, and learn which distances are usual.

        Args:
            y: simulated measurements of mean 0, ``(count, M)``.
        """
        some = y[:20_000].double()
        variances, vectors = torch.linalg.eigh(some.T @ some / len(some))
        directions = vectors.flip(1)[:, : self.directions.shape[1]]
        rest = float((variances.sum() - variances.flip(0)[: directions.shape[1]].sum()).clamp(min=0))
        floor = float(FLOOR * variances.max())
        scales = torch.cat([variances.flip(0)[: directions.shape[1]], torch.tensor([rest], dtype=torch.double)])
        self.directions.copy_(directions)
        self.scales.copy_(scales.clamp(min=floor).sqrt())
        features = self._features(y[: KEPT + TRIED])
        kept = features[: max(1, min(KEPT, len(features) // 2))]
        self.kept.copy_(kept[torch.arange(KEPT) % len(kept)])
        tried = features[len(kept) :]
        if len(tried):
            self.usual.copy_(torch.cdist(tried, kept).amin(1).quantile(0.999).clamp(min=1e-6))

    def distance(self, y: Tensor) -> Tensor:
        """Return the distances of scaled measurements ``(B, M)``: ``(B,)``."""
        return torch.cdist(self._features(y), self.kept).amin(1) / self.usual

    def is_far(self, y: Tensor) -> Tensor:
        """Say of which scaled measurements ``(B, M)`` no simulation was near: ``(B,)``."""
        return self.distance(y) > FACTOR

    def _features(self, y: Tensor) -> Tensor:
        along = y @ self.directions
        rest = (y.square().sum(1) - along.square().sum(1)).clamp(min=0).sqrt()
        return torch.cat([along, rest[:, None]], dim=1) / self.scales
