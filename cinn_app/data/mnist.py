"""MNIST: 70,000 handwritten digits, read from disk or fetched once."""

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from cinn_app.errors import DataError

__all__ = ["Digits", "load_mnist"]


class Digits(NamedTuple):
    """Pictures and what they show.

    Attributes:
        images: uint8, ``(count, 28, 28)``, 255 for full ink.
        labels: int64, ``(count,)``.
    """

    images: Tensor
    labels: Tensor


def load_mnist(folder: Path, train: bool) -> Digits:
    """Read MNIST's 60,000 training pictures or its 10,000 test ones.

    Args:
        folder: where the folder ``MNIST/raw`` with the four files is, or is to be.
        train: which of the two sets.

    Raises:
        DataError: if the files are damaged, or are missing and cannot be downloaded.
    """
    from torchvision.datasets import MNIST

    try:
        dataset = MNIST(str(folder), train=train, download=not _is_there(folder))
    except (RuntimeError, OSError) as error:  # what torchvision raises, from no network to a wrong digest
        raise DataError(
            f"MNIST is not in {folder} and cannot be downloaded ({str(error).splitlines()[0]}): connect to the "
            "internet, or give the folder that holds MNIST/raw with --data."
        ) from error
    except Exception as error:  # damaged files make its reader raise anything
        raise DataError(f"The MNIST files in {folder} are damaged ({error}): delete them and start again.") from error
    return Digits(dataset.data, dataset.targets)


def _is_there(folder: Path) -> bool:
    from torchvision.datasets import MNIST

    files = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    raw = folder / MNIST.__name__ / "raw"
    return all((raw / name).is_file() for name in files)
