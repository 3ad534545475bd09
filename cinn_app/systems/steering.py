"""What a user asks of the colours, beside chance.

>>> Steering(hints=Hints.parse(["40,30=#c02020"])).hints.hints[0].colour
'#c02020'
"""

import dataclasses

from cinn_app.systems.hints import Hints

__all__ = ["Steering"]


@dataclasses.dataclass(frozen=True)
class Steering:
    """Wishes for a colouring; every part is optional, and without any the colours are drawn freely.

    Attributes:
        hints: wanted colours at places of the picture.
    """

    hints: Hints | None = None
