"""What a user asks of the colours, beside chance.

>>> Steering(axes={"warmer": 0.5}).axes
{'warmer': 0.5}
>>> Steering(hints=Hints.parse(["40,30=#c02020"])).hints.hints[0].colour
'#c02020'
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.reference import Palette

__all__ = ["Region", "Steering"]


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """A region of a colouring, to stay as it is in others of the same photograph.

    Attributes:
        ab: the colouring's chroma in Lab units at the network's size, ``(2, height, width)``.
        mask: true where it stays, ``(height, width)`` of the photograph.

    Raises:
        CinnError: if the region is no array of booleans.
    """

    ab: Tensor
    mask: np.ndarray

    def __post_init__(self) -> None:
        if not isinstance(self.mask, np.ndarray) or self.mask.dtype != np.bool_:
            raise CinnError("The mask of what to keep has to be an array of booleans: compare it, as in mask > 0.5.")

    def check(self, size: tuple[int, int], field: tuple[int, ...]) -> None:
        """Refuse what does not fit a photograph of height and width `size`, with chroma of height and width `field`.

        Raises:
            CinnError: if the region is of another size, or leaves nothing to draw, or the colouring is of another size.
        """
        if self.mask.shape != size or self.mask.all():
            raise CinnError(
                f"The mask of what to keep has shape {self.mask.shape}, {self.mask.mean():.0%} of it true: give "
                f"one of shape {size} that leaves something out."
            )
        if tuple(self.ab.shape[1:]) != tuple(field):
            raise CinnError("What is to be kept is of another photograph or model: keep a part of one of this.")

    @property
    def digest(self) -> str:
        """Tell what is kept apart in few letters: a picture's mark has no room for all of it."""
        content = self.ab.cpu().numpy().round(1).tobytes() + np.packbits(self.mask).tobytes()
        return hashlib.sha256(content).hexdigest()[:12]


@dataclasses.dataclass(frozen=True)
class Steering:
    """Wishes for a colouring; every part is optional, and without any the colours are drawn freely.

    Attributes:
        axes: steps along the model's axes of colour, in standard deviations of what is drawn at the recipe's
            temperature, by name or by number from 1.
        hints: wanted colours at places of the picture.
        reference: the colours of another picture, to take on as far as is plausible.
        region: a region of another colouring of the photograph, to stay as it is.
    """

    axes: Mapping[str | int, float] = dataclasses.field(default_factory=dict)
    hints: Hints | None = None
    reference: Palette | None = None
    region: Region | None = None

    def settings(self) -> dict[str, Any]:
        """Name the wishes as JSON has them, for the mark of a file; nothing where there are none."""
        made: dict[str, Any] = {}
        if self.axes:
            made["axes"] = {str(name): step for name, step in self.axes.items()}
        if self.hints:
            # Without the picture's size, which is not known before a photograph is there.
            made["hints"] = TypeAdapter(Hints).dump_python(self.hints, mode="json", exclude_defaults=True)["hints"]
        if self.reference:
            made["reference"] = self.reference.digest
        if self.region:
            made["kept"] = self.region.digest
        return made
