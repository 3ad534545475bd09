"""A plane of handwritings, as one visitor looks at it, and a place on it. Knows nothing of the page."""

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor

from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.images import digit_sheet

__all__ = ["COUNT", "REACH", "Plane"]

#: Digits along each side, and how far the outermost are from the middle, in standard deviations of the latent.
COUNT, REACH = 9, 3.0


@dataclasses.dataclass(frozen=True)
class Plane:
    """Two axes through the middle of all handwritings.

    Attributes:
        across: number of the axis that grows to the right, from 1.
        up: number of the one that grows upwards.
        label: the digit shown.
        place: how far along both, in standard deviations.
    """

    across: int = 1
    up: int = 2
    label: int = 5
    place: tuple[float, float] = (0.0, 0.0)

    def turned(self, across: int, up: int) -> "Plane":
        """Choose other axes, with the place in the middle; one that the other direction has already changes with it."""
        if across == up:
            across, up = (across, self.across) if across != self.across else (self.up, up)
        return self if (across, up) == (self.across, self.up) else Plane(across, up, self.label)

    def at(self, across: Any, up: Any) -> "Plane":
        """Go to the place nearest to the given one; what is no number is in the middle."""
        return dataclasses.replace(self, place=(_bounded(across), _bounded(up)))

    def draw(self, generator: DigitGenerator) -> Tensor:
        """Draw the digit all over the plane, the upper edge first: uint8, one picture ``(9 * 28, 9 * 28)``.

        Raises:
            CinnError: if there is no such axis or digit.
        """
        steps = torch.linspace(-REACH, REACH, COUNT).tolist()
        middle = generator.draw(1, temperature=0)[0]
        hands = generator.lattice(middle, [self.up, self.across], steps).flip(0)
        images = generator.decode(hands.flatten(0, 1), self.label).unflatten(0, (COUNT, COUNT))
        return torch.from_numpy(digit_sheet(images, scale=1, gap=0))

    def write(self, generator: DigitGenerator) -> Tensor:
        """Write all ten digits in the handwriting of the place: uint8, ``(10, 28, 28)``; raises as :meth:`draw`."""
        across, up = self.place
        hand = generator.move(generator.draw(1, temperature=0), {self.across: across, self.up: up})
        return generator.all_ten(hand)[0]

    def names(self, generator: DigitGenerator) -> tuple[str, str]:
        """Name the axes, across and up."""
        axes = generator.axes()
        return axes[self.across - 1].name, axes[self.up - 1].name

    def project(self, generator: DigitGenerator, latent: Tensor) -> tuple[float, float]:
        """Find the place of a handwriting, ``(784,)``; one beyond the plane is at its edge."""
        places = generator.project(latent).tolist()
        return _bounded(places[self.across - 1]), _bounded(places[self.up - 1])


def _bounded(value: Any) -> float:
    if not isinstance(value, int | float) or math.isnan(value):
        return 0.0
    return min(max(float(value), -REACH), REACH)
