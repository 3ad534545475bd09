"""Conditional invertible neural networks that colour photographs in many plausible ways, and write digits.

``from cinn_app import Colorizer, DigitGenerator``: what the systems export is imported when it is first used.
"""

from typing import Any

__all__ = ["__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what a system exports."""
    from cinn_app.registry import exported

    return exported(name)
