"""Telling a photograph in colour from a toned print: sepia, cyanotype, yellowed paper.

In a toned print the colour follows from the lightness: brown shadows, cream lights. So what counts is not the chroma,
but how much of it is left over once each lightness has been given its mean colour.
"""

import torch
from torch import Tensor

__all__ = ["ToneCount"]

LEVELS = 32
# In a toned print the root mean square of what is left over (Lab units) is at most a quarter of the mean chroma, and
# never less than the first bound, which noise reaches, or more than the second, which eyes see. Of 300 colour
# photographs 3% fall below (misty, or of one hue); of 40 gray ones toned brown, saved as JPEG and yellowed unevenly
# by up to 30% all do.
SHARE, LEAST, MOST = 0.25, 3.0, 6.0


class ToneCount:
    """Sums over the pixels of a picture that arrives in bands."""

    def __init__(self) -> None:
        self._sums = torch.zeros(4, LEVELS, dtype=torch.float64)  # per level of L: pixels, a, b, a² + b²
        self._chroma = 0.0

    def add(self, lab: Tensor) -> None:
        """Count the pixels of a band, Lab `(3, rows, width)`."""
        lightness, a, b = lab.flatten(1)
        square = a.square() + b.square()
        level = (lightness * (LEVELS / 100)).long().clamp(0, LEVELS - 1)
        for row, weight in enumerate((torch.ones_like(a), a, b, square)):
            self._sums[row] += torch.bincount(level, weight, minlength=LEVELS)
        self._chroma += square.sqrt().sum().item()

    @property
    def coloured(self) -> bool:
        """Whether pixels of one lightness differ in colour."""
        pixels, a, b, square = self._sums
        left_over = (square - (a.square() + b.square()) / pixels.clamp(min=1)).sum() / pixels.sum()
        allowed = min(max(SHARE * self._chroma / pixels.sum().item(), LEAST), MOST)
        return left_over.clamp(min=0).sqrt().item() > allowed
