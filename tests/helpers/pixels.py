"""Making small 8-bit pictures, and comparing those that are the same to within rounding."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["assert_same_pixels", "save_pictures"]


def save_pictures(folder: Path, names: Iterable[object], cells: int = 4, size: tuple[int, int] = (72, 64)) -> Path:
    """Save smooth pictures of random colours, `cells` of them along each side, and return the folder."""
    rng = np.random.default_rng(0)
    for name in names:
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


def assert_same_pixels(picture: Any, expected: Any) -> None:
    """Check that two pictures with values 0 to 255, arrays or tensors, differ by one step at most.

    That is how far pictures of the same values may be apart if they were computed in batches of different sizes, or on
    different machines: last bits differ, and a value near the middle of two steps is rounded to either.
    """
    picture, expected = np.asarray(picture), np.asarray(expected)
    assert picture.dtype.kind in "iu" and expected.dtype.kind in "iu"
    assert picture.shape == expected.shape
    difference = np.abs(picture.astype(int) - expected)
    assert difference.max(initial=0) <= 1, f"{(difference > 1).mean():.2%} of the values differ by more than a step"
