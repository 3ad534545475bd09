"""Conditional invertible neural networks that colour photographs in many plausible ways, and write digits."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinn_app.systems.colorization.colorizer import Colorizer
    from cinn_app.systems.colorization.colouring import Colouring
    from cinn_app.systems.colorization.hints import Hints
    from cinn_app.systems.colorization.reference import Palette
    from cinn_app.systems.colorization.steering import Steering
    from cinn_app.systems.digits.generator import DigitGenerator

__all__ = ["Colorizer", "Colouring", "DigitGenerator", "Hints", "Palette", "Steering", "__version__"]
__version__ = "0.1.0"

HOMES = {
    "Colorizer": "cinn_app.systems.colorization.colorizer",
    "Colouring": "cinn_app.systems.colorization.colouring",
    "DigitGenerator": "cinn_app.systems.digits.generator",
    "Hints": "cinn_app.systems.colorization.hints",
    "Palette": "cinn_app.systems.colorization.reference",
    "Steering": "cinn_app.systems.colorization.steering",
}


def __getattr__(name: str) -> Any:
    """Import the systems only when they are asked for, so that the command line answers at once."""
    if name in HOMES:
        return getattr(importlib.import_module(HOMES[name]), name)
    raise AttributeError(f"module 'cinn_app' has no attribute {name!r}")
