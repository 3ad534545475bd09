"""Working through a large picture a band of rows at a time."""

from collections.abc import Iterator

__all__ = ["row_bands"]

# Half a megapixel: the intermediates of a conversion to Lab stay near 50 MB, whatever the picture's size.
PIXELS_PER_BAND = 1 << 19


def row_bands(height: int, width: int, pixels: int = PIXELS_PER_BAND) -> Iterator[slice]:
    """Yield slices that cover the rows once, from the top, each of about `pixels` pixels, at least one row.

    >>> list(row_bands(5, 10, pixels=20))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows = max(1, pixels // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
