"""What a visitor of the colorize tab can set, and has set."""

from typing import Any, NamedTuple

from cinn_app.studio.controls import SEEDS, Range
from cinn_app.systems.colorization.axes import MAX_STEP
from cinn_app.systems.colorization.colorizer import Colorizer

__all__ = ["STEPS", "VIVIDNESS", "ControlRanges", "Controls"]

VIVIDNESS = Range(0, 1.5, 1)
#: Along an axis of colour.
STEPS = Range(-MAX_STEP, MAX_STEP, 0)


class Controls(NamedTuple):
    """What a visitor has set.

    Attributes:
        variety: temperature of the coarsest scale.
        vividness: factor of the chroma.
        seed: of the draw.
        drawn: on the photograph, as :mod:`cinn_app.systems.colorization.studio.hint_pad` has it.
        steps: along the axes of colour.
    """

    variety: float
    vividness: float
    seed: int
    drawn: dict[str, Any] | None = None
    steps: tuple[float, ...] = ()


class ControlRanges:
    """What the controls can be set to for a colorizer.

    Attributes:
        axes: names of the axes of colour.
        variety: the range of temperatures.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self.axes = [axis.name for axis in colorizer.axes]
        self.variety = Range(0.1, 1.5, colorizer.recipe.sampling.temperature[-1])

    def read(self, variety: Any, vividness: Any, seed: Any, drawn: Any = None, *steps: Any) -> Controls:
        """Read what the page has sent; what is out of range is brought into it."""
        along = tuple(STEPS.read(step) for step in steps) or (STEPS.default,) * len(self.axes)
        return Controls(self.variety.read(variety), VIVIDNESS.read(vividness), int(SEEDS.read(seed)), drawn, along)
