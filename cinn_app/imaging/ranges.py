"""Numbers of any type as brightness in 0..1."""

import numpy as np

from cinn_app.imaging.colour import row_tiles
from cinn_app.messages import Message

__all__ = ["to_8_bits", "to_unit_range"]


def to_unit_range(numbers: np.ndarray, highest: int | None = None) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Convert numbers to 0..1.

    Args:
        numbers: of any type.
        highest: what counts as 1 among unsigned integers; by default the largest of the type.

    Returns:
        uint8 in 0..255 if there are at most 8 bits, else float32 in 0..1; and warnings where the range is a guess.
    """
    if numbers.dtype == np.bool_:
        return numbers.astype(np.uint8) * 255, ()
    if numbers.dtype.kind == "u":
        highest = highest or int(np.iinfo(numbers.dtype).max)
        if highest == 255 and numbers.dtype == np.uint8:
            return numbers, ()
        if highest < 255:
            return np.round(np.arange(256).clip(0, highest) * (255 / highest)).astype(np.uint8)[numbers], ()
        precision = np.float64 if highest >= 1 << 24 else np.float32
        return np.divide(numbers, highest, dtype=precision).astype(np.float32, copy=False), ()
    return _scaled_to_unit_range(numbers)


def _scaled_to_unit_range(numbers: np.ndarray) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Scale floats and signed integers that leave 0..1; infinite ones are clipped, and what is no number is black."""
    finite, undefined = np.isfinite(numbers), np.isnan(numbers)
    low = float(numbers.min(initial=0, where=finite))
    high = float(numbers.max(initial=1, where=finite))
    unit = max(high, -low)  # first of all, since the difference of two large floats is infinite
    values = np.empty(numbers.shape, np.float32)
    for rows in row_tiles(*numbers.shape[:2]):
        tile = numbers[rows].astype(np.promote_types(numbers.dtype, np.float32))
        tile = np.where(undefined[rows], low, tile.clip(low, high)) / unit
        values[rows] = (tile - low / unit) / (high / unit - low / unit)
    warnings = []
    if (low, high) != (0, 1):
        scaled = "Its values, between {low} and {high}, were scaled to 0..1."
        warnings.append(Message(scaled, low=f"{low:g}", high=f"{high:g}"))
    if undefined.any():
        share = f"{undefined.mean():.0%}"
        warnings.append(Message("{share} of its values are not numbers; they were replaced by black.", share=share))
    infinite = ~(finite | undefined)
    if infinite.any():
        share = f"{infinite.mean():.0%}"
        warnings.append(
            Message("{share} of its values are infinite; they were clipped to the range of the others.", share=share)
        )
    return values, tuple(warnings)


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Convert floats in 0..1 to uint8; 8 bits stay as they are."""
    return values if values.dtype == np.uint8 else np.round(values * 255).astype(np.uint8)
