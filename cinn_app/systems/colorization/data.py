"""Reading a pack: random batches for training, ordered ones for watching."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cinn_app.systems.colorization.features import feature_file
from cinn_app.systems.colorization.pack import shards_of

__all__ = ["ColourBatch", "PackedViews", "split_held_out"]


class ColourBatch(NamedTuple):
    """Views as the colorization system learns from them.

    Attributes:
        lightness: L* in 0..100, ``(batch, 1, size, size)``.
        ab: Lab units, ``(batch, 2, size / 4, size / 4)``.
        stem_features: by the encoder's stem, float16, ``(batch, channels, size / 8, size / 8)``.
    """

    lightness: Tensor
    ab: Tensor
    stem_features: Tensor


class PackedViews:
    """All views of a pack with their cached features, memory-mapped.

    Args:
        pack: a folder made by :func:`cinn_app.systems.colorization.pack.make_pack`.
        digest: which encoder's features, as :func:`cinn_app.systems.colorization.features.cache_features` returned it.
    """

    def __init__(self, pack: Path, digest: str) -> None:
        self._shards = [
            [
                np.load(file, mmap_mode="r")
                for file in (shard / "lightness.npy", shard / "ab.npy", feature_file(shard, digest))
            ]
            for shard in shards_of(pack)
        ]
        sizes = [len(shard[0]) for shard in self._shards]
        self._shard_of = np.repeat(np.arange(len(sizes)), sizes)
        self._row_of = np.concatenate([np.arange(size) for size in sizes])
        self.groups = np.concatenate([np.load(shard / "group.npy") for shard in shards_of(pack)])

    def __len__(self) -> int:
        return len(self._row_of)

    def batch(self, indices: Sequence[int] | np.ndarray) -> ColourBatch:
        """Gather views by their numbers."""
        rows = [(self._shards[self._shard_of[i]], self._row_of[i]) for i in indices]
        columns = [np.stack([arrays[column][row] for arrays, row in rows]) for column in range(len(rows[0][0]))]
        lightness, ab, stem_features = (torch.from_numpy(column) for column in columns)
        return ColourBatch(lightness.float() / 2.55, ab.float(), stem_features)


def split_held_out(groups: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Split views into learnt and held-out ones, all views of a picture to the same side.

    Args:
        groups: uint32 hashes of the pictures' names, ``(views,)``.
        share: of the pictures to hold out.

    Returns:
        The numbers of the views to learn from and of those held out.

    >>> learnt, held_out = split_held_out(np.array([0, 0, 2**32 - 1], dtype=np.uint32), 0.5)
    >>> learnt.tolist(), held_out.tolist()
    ([2], [0, 1])
    """
    held_out = groups < share * 2**32
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
