"""What a user asks of the colours, beside chance.

>>> Steering(axes={"warmer": 0.5}).axes
{'warmer': 0.5}
>>> Steering(hints=Hints.parse(["40,30=#c02020"])).hints.hints[0].colour
'#c02020'
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.reference import Palette
from cinn_app.systems.colorization.region import Kept

__all__ = ["Steering"]


@dataclasses.dataclass(frozen=True)
class Steering:
    """Wishes for a colouring; every part is optional, and without any the colours are drawn freely.

    Attributes:
        axes: steps along the model's axes of colour, in standard deviations of what is drawn at the recipe's
            temperature, by name or by number from 1.
        hints: wanted colours at places of the picture.
        reference: the colours of another picture, to take on as far as is plausible.
        kept: a region of another colouring of the photograph, to stay as it is.
    """

    axes: Mapping[str | int, float] = dataclasses.field(default_factory=dict)
    hints: Hints | None = None
    reference: Palette | None = None
    kept: Kept | None = None

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
        if self.kept:
            made["kept"] = self.kept.digest
        return made
