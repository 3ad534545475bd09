"""Batches without end, for any data that can be asked for by number."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

import numpy as np
from torch.utils.data import IterableDataset

__all__ = ["BatchStream", "Batches"]

Batch = TypeVar("Batch", covariant=True)


class Batches(Protocol[Batch]):
    """Data that give a batch of what has the given numbers."""

    def batch(self, indices: np.ndarray) -> Batch:
        """Gather a batch."""
        ...


class BatchStream(IterableDataset[Batch]):
    """Batches without end, shuffled anew each epoch, and the same ones whenever the same step comes round.

    Args:
        views: where batches are read.
        indices: which views take part.
        batch_size: views per batch.
        seed: of the shuffling.
        start: the step to begin with, so that a resumed training goes on where it was.
    """

    def __init__(self, views: Batches[Batch], indices: np.ndarray, batch_size: int, seed: int, start: int = 0) -> None:
        self.views, self.indices, self.batch_size, self.seed, self.start = (
            views,
            indices,
            batch_size,
            seed,
            start,
        )

    def __iter__(self) -> Iterator[Batch]:
        per_epoch = max(1, len(self.indices) // self.batch_size)
        epoch, batch = divmod(self.start, per_epoch)
        while True:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.indices)
            for number in range(batch, per_epoch):
                yield self.views.batch(order[number * self.batch_size : (number + 1) * self.batch_size])
            epoch, batch = epoch + 1, 0
