"""Endless batches of any data set whose examples have numbers."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

import numpy as np
from torch.utils.data import IterableDataset

__all__ = ["BatchStream", "Batches"]

Batch = TypeVar("Batch", covariant=True)


class Batches(Protocol[Batch]):
    """A data set that returns the examples with given numbers as one batch."""

    def batch(self, indices: np.ndarray) -> Batch:
        """Return a batch."""
        ...


class BatchStream(IterableDataset[Batch]):
    """Endless batches, shuffled in each epoch; the batch of a step is always the same.

    Args:
        data: where batches come from.
        indices: numbers of the examples that take part.
        batch_size: examples per batch.
        seed: of the shuffling.
        start: the first step, so that a resumed training continues with the next batch.
    """

    def __init__(self, data: Batches[Batch], indices: np.ndarray, batch_size: int, seed: int, start: int = 0) -> None:
        self.data, self.indices, self.batch_size, self.seed, self.start = data, indices, batch_size, seed, start

    def __iter__(self) -> Iterator[Batch]:
        per_epoch = max(1, len(self.indices) // self.batch_size)
        epoch, batch = divmod(self.start, per_epoch)
        while True:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.indices)
            for number in range(batch, per_epoch):
                yield self.data.batch(order[number * self.batch_size : (number + 1) * self.batch_size])
            epoch, batch = epoch + 1, 0
