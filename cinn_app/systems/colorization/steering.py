"""What a user asks of the colours beside chance.

>>> Steering(axes={"warmer": 0.5}).axes
{'warmer': 0.5}
>>> Steering(hints=Hints.parse(["40,30=#c02020"])).hints.hints[0].colour
'#c02020'
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from cinn_app.arguments import of_type, short
from cinn_app.errors import CinnError, SettingError
from cinn_app.imaging import WHOLE, Frame
from cinn_app.messages import Message
from cinn_app.systems.colorization.axes import check_steps
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.reference import ColourReference
from cinn_app.systems.colorization.region import Region, are_coordinates

__all__ = ["Steering"]


@dataclasses.dataclass(frozen=True)
class Steering:
    """Constraints on a colouring. All parts are optional; without any, colours are drawn freely.

    Attributes:
        axes: steps along the axes of colour, by name or by number from 1, in standard deviations of the draws.
        hints: wanted colours at places of the photograph.
        reference: the colours of another picture, taken on as far as they are plausible.
        region: a region of another colouring of the photograph, kept as it is.
        restore_levels: remove the fading of the photograph from the finished picture, too.
        thing: ``x, y`` of a thing that the steps along axes change, in pixels of the upright picture; without it, they
            change all of the picture.

    Raises:
        SettingError: if a part is of another type, a step is out of range, or a thing has no steps.
    """

    axes: Mapping[str | int, float] = dataclasses.field(default_factory=dict)
    hints: Hints | None = None
    reference: ColourReference | None = None
    region: Region | None = None
    restore_levels: bool = False
    thing: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_steps(self.axes)
        for part, wanted, name in (
            (self.hints, Hints, Message("The hints")),
            (self.reference, ColourReference, Message("The reference")),
            (self.region, Region, Message("The region")),
        ):
            if part is not None:
                of_type(part, wanted, name)
        of_type(self.restore_levels, bool, Message("The choice to restore levels"))
        if self.thing is not None and not are_coordinates([self.thing], 0):
            raise SettingError(
                "The thing {thing} is no place: give its x and y in pixels, from 0,0.", thing=short(self.thing)
            )
        if self.thing is not None and not self.axes:
            raise SettingError(
                "A thing is chosen, but nothing to change in it: give steps along axes, such as {example}.",
                example="{'warmer': 1.5}",
            )

    def on_part(self, frame: Frame, whole: tuple[int, int]) -> "Steering":
        """Move hints and thing of a picture of height and width `whole` to a part of it.

        Raises:
            CinnError: if the hints belong to another picture, or a place lies outside the part.
        """
        if frame == WHOLE:
            return self
        hints, thing = self.hints and self.hints.on_part(frame, whole), self.thing
        if thing is not None:
            x, y = frame.place(*thing, whole)
            height, width = frame.size(whole)
            if not (0 <= x < width and 0 <= y < height):
                raise CinnError(
                    "The thing at {x:g},{y:g} is not on the photograph without its dark rim: point there, or keep the "
                    "whole picture.",
                    x=thing[0],
                    y=thing[1],
                )
            thing = (x, y)
        return dataclasses.replace(self, hints=hints, thing=thing)

    def settings(self) -> dict[str, Any]:
        """Return the constraints for a provenance record, as JSON has them; empty without any."""
        settings: dict[str, Any] = {}
        if self.axes:
            settings["axes"] = {str(name): float(step) for name, step in self.axes.items()}
        if self.axes and self.thing is not None:
            settings["thing"] = list(map(float, self.thing))
        if self.hints:
            # Without the size of the picture, which is unknown before a photograph is read.
            dumped = TypeAdapter(Hints).dump_python(self.hints, mode="json", exclude_defaults=True)
            settings["hints"] = dumped["hints"]
        if self.reference:
            settings["reference"] = self.reference.digest
        if self.region:
            settings["kept"] = self.region.digest
        if self.restore_levels:
            settings["restore_levels"] = True
        return settings
