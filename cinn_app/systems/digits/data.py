"""MNIST: 70,000 handwritten digits, read from disk or downloaded once."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cinn_app.errors import DataError
from cinn_app.extras import require_extra

__all__ = ["Digits", "load_mnist", "require_mnist"]

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class Digits(NamedTuple):
    """Pictures and their labels.

    Attributes:
        images: uint8, ``(count, 28, 28)``, 255 for full ink.
        labels: int64, ``(count,)``.
    """

    images: Tensor
    labels: Tensor

    def batch(self, indices: np.ndarray) -> "Digits":
        """Gather digits by their numbers."""
        chosen = torch.from_numpy(indices)
        return Digits(self.images[chosen], self.labels[chosen])


def load_mnist(folder: Path, train: bool) -> Digits:
    """Read MNIST's 60,000 training pictures or its 10,000 test ones.

    Args:
        folder: holds the folder ``MNIST/raw`` with the four files, or gets it.
        train: which of the two sets.

    Raises:
        DataError: if the files are damaged, or are missing and cannot be downloaded.
        MissingExtraError: if torchvision, which reads them, is not installed.
    """
    require_extra("classifier", "Reading MNIST")
    from torchvision.datasets import MNIST

    try:
        dataset = MNIST(str(folder), train=train, download=not _is_there(folder))
        digits = Digits(dataset.data, dataset.targets)
    except Exception as error:  # damaged files make torchvision's reader raise anything
        if _is_there(folder):
            raise _damaged(folder) from error
        raise DataError(
            "MNIST is not in {folder} and cannot be downloaded ({reason}): connect to the internet, or give the "
            "folder that holds MNIST/raw with --data.",
            folder=folder,
            reason=str(error).partition("\n")[0] or type(error).__name__,
        ) from error
    if digits.images.shape != (len(digits.labels), 28, 28) or digits.labels.max() > 9:
        raise _damaged(folder)
    return digits


def require_mnist(folder: Path) -> None:
    """Refuse a folder that a user names but that does not hold MNIST, so that nothing is downloaded into it unasked.

    Files that are still compressed, as they are downloaded, count.

    Raises:
        DataError: naming what is missing.
    """
    raw = folder / "MNIST" / "raw"
    missing = [name for name in FILES if not (raw / name).is_file() and not (raw / f"{name}.gz").is_file()]
    if missing:
        listed = " and ".join([", ".join(missing[:-1]), missing[-1]] if missing[:-1] else missing)
        raise DataError(
            "MNIST is not in {folder}, where {raw} should hold {files}: give the folder that holds MNIST/raw, "
            "or leave --data out to have MNIST downloaded once.",
            folder=folder,
            raw=raw,
            files=listed,
        )


def _damaged(folder: Path) -> DataError:
    return DataError("The MNIST files in {folder} are damaged: delete its folder MNIST and start again.", folder=folder)


def _is_there(folder: Path) -> bool:
    return all((folder / "MNIST" / "raw" / name).is_file() for name in FILES)
