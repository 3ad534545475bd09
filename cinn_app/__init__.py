"""Conditional invertible neural networks that colour photographs in many plausible ways."""

__version__ = "0.1.0"
