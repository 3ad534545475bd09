"""Conditional invertible neural networks that colour photographs in many plausible ways."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinn_app.systems.colorizer import Colorizer, Colouring

__all__ = ["Colorizer", "Colouring", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the systems only when they are asked for, so that the command line answers at once."""
    if name in {"Colorizer", "Colouring"}:
        from cinn_app.systems import colorizer

        return getattr(colorizer, name)
    raise AttributeError(f"module 'cinn_app' has no attribute {name!r}")
