"""Numbers that visitors set, with a slider or in a box.

Gradio's boxes let through whatever is typed, numbers out of range and none at all, and its own preprocessing raises an
error then. So events that take numbers go without it (``preprocess=False``): a :class:`Range` reads what arrives.
"""

import math
from typing import Any, NamedTuple

import gradio as gr

__all__ = ["SEEDS", "Range"]


class Range(NamedTuple):
    """What a control can be set to.

    Attributes:
        minimum: the lowest number.
        maximum: the highest number.
        usual: what it is set to at first, and what an emptied box means.
        whole: whether only whole numbers will do.
    """

    minimum: float
    maximum: float
    usual: float
    whole: bool = False

    def read(self, payload: Any) -> float:
        """Return the nearest number in range to what a control has sent; None and text mean the usual one."""
        if not isinstance(payload, int | float) or math.isnan(payload):
            return self.usual
        number = min(max(payload, self.minimum), self.maximum)
        return round(number) if self.whole else number

    def slider(self, **options: Any) -> gr.Slider:
        """Lay out a slider, with options as gradio has them; what it shows is in range once a visitor has set it."""
        slider = gr.Slider(self.minimum, self.maximum, self.usual, **options)
        slider.release(self._mend, slider, slider, **MENDING)
        return slider

    def box(self, **options: Any) -> gr.Number:
        """Lay out a box alone, otherwise as :meth:`slider`."""
        box = gr.Number(self.usual, minimum=self.minimum, maximum=self.maximum, **options)
        gr.on([box.submit, box.blur], self._mend, box, box, **MENDING)
        return box

    def _mend(self, payload: Any) -> Any:
        """Say what the control should show instead, if anything: a slider that moves again already is left alone."""
        number = self.read(payload)
        return gr.skip() if number == payload else number


# Beside the queue: what a visitor typed must not wait for pictures.
MENDING: dict[str, Any] = {
    "preprocess": False,
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}
#: Every tab's.
SEEDS = Range(0, 999_999_999, 0, whole=True)
