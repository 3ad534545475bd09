"""What stays of a colouring while the rest of the photograph is drawn anew."""

import dataclasses
import hashlib

import numpy as np
from torch import Tensor

from cinn_app.errors import CinnError

__all__ = ["Kept"]


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """A region of a colouring, to stay as it is in others of the same photograph.

    Attributes:
        ab: the colouring's chroma in Lab units at the network's size, ``(2, height, width)``.
        region: true where it stays, ``(height, width)`` of the photograph.

    Raises:
        CinnError: if the region is no array of booleans.
    """

    ab: Tensor
    region: np.ndarray

    def __post_init__(self) -> None:
        if not isinstance(self.region, np.ndarray) or self.region.dtype != np.bool_:
            raise CinnError("The mask of what to keep has to be an array of booleans: compare it, as in mask > 0.5.")

    def check(self, size: tuple[int, int], field: tuple[int, ...]) -> None:
        """Refuse what does not fit a photograph of height and width `size`, with chroma of height and width `field`.

        Raises:
            CinnError: if the region is of another size, or leaves nothing to draw, or the colouring is of another size.
        """
        if self.region.shape != size or self.region.all():
            raise CinnError(
                f"The mask of what to keep has shape {self.region.shape}, {self.region.mean():.0%} of it true: give "
                f"one of shape {size} that leaves something out."
            )
        if tuple(self.ab.shape[1:]) != tuple(field):
            raise CinnError("What is to be kept is of another photograph or model: keep a part of one of this.")

    @property
    def digest(self) -> str:
        """Tell what is kept apart in few letters: a picture's mark has no room for all of it."""
        content = self.ab.cpu().numpy().round(1).tobytes() + np.packbits(self.region).tobytes()
        return hashlib.sha256(content).hexdigest()[:12]
