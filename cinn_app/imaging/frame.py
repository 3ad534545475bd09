"""What is used of a picture: how it is turned, and what is cut off."""

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from cinn_app.imaging.prints import NO_BORDER, Border

__all__ = ["WHOLE", "Frame"]

#: A rim is dark below this mean level of L: that of a film, which belongs to no print.
DARK_RIM = 25.0
#: Share of a side beside the rim that blends with it.
BLENDED = 0.004


class Frame(NamedTuple):
    """A part of a picture, turned.

    Attributes:
        turns: quarter turns clockwise, which come first.
        cut: what is cut off on each side of the turned picture.

    >>> corner = Frame(1, Border(top=0.5, right=0.25))
    >>> corner.then(Frame(3)), corner.then(Frame(cut=Border(bottom=0.5))).cut.bottom
    (Frame(turns=0, cut=Border(top=0.25, bottom=0.0, left=0.5, right=0.0)), 0.25)
    """

    turns: int = 0
    cut: Border = NO_BORDER

    @classmethod
    def without_rim(cls, lightness: Tensor, border: Border) -> "Frame":
        """Return the frame that leaves out the dark rim of a film, or the whole picture if there is none.

        Args:
            lightness: CIE L, `(1, height, width)`.
            border: found in it.
        """
        rows, columns = border.inside((lightness.shape[-2], lightness.shape[-1]))
        inner = lightness[:, rows, columns]
        outside = lightness.numel() - inner.numel()
        if outside == 0 or float(lightness.sum() - inner.sum()) / outside > DARK_RIM:
            return WHOLE
        return cls(cut=Border(*(share and share + BLENDED for share in border)))

    def then(self, other: "Frame") -> "Frame":
        """Return this frame and another one of what it leaves."""
        cut = self.cut
        for _ in range(other.turns % 4):
            cut = Border(top=cut.left, bottom=cut.right, left=cut.bottom, right=cut.top)
        height, width = 1 - cut.top - cut.bottom, 1 - cut.left - cut.right
        return Frame(
            (self.turns + other.turns) % 4,
            Border(
                cut.top + height * other.cut.top,
                cut.bottom + height * other.cut.bottom,
                cut.left + width * other.cut.left,
                cut.right + width * other.cut.right,
            ),
        )

    def record(self, whole: tuple[int, int]) -> dict[str, Any]:
        """Return what it is of a picture of height and width `whole`, for provenance records; nothing of all of it.

        >>> Frame(1, Border(top=0.5)).record((100, 60))
        {'turned': 90, 'crop': [0, 30, 100, 30]}

        Returns:
            ``turned``: degrees clockwise; ``crop``: left, top, width and height in pixels of the turned picture.
        """
        record: dict[str, Any] = {"turned": 90 * self.turns} if self.turns else {}
        if self.cut != NO_BORDER:
            rows, columns = self._inside(whole)
            record["crop"] = [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start]
        return record

    def size(self, whole: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of this part of a picture of height and width `whole`."""
        rows, columns = self._inside(whole)
        return rows.stop - rows.start, columns.stop - columns.start

    def _inside(self, whole: tuple[int, int]) -> tuple[slice, slice]:
        """Return rows and columns that are left of the turned picture."""
        return self.cut.inside(whole if self.turns % 2 == 0 else whole[::-1])

    def of_tensor(self, picture: Tensor) -> Tensor:
        """Return this part of a picture `(..., height, width)`."""
        turned = picture.rot90(-self.turns, (-2, -1))
        rows, columns = self.cut.inside((turned.shape[-2], turned.shape[-1]))
        return turned[..., rows, columns].contiguous()

    def of_array(self, picture: np.ndarray) -> np.ndarray:
        """Return this part of an array `(height, width)`."""
        turned = np.rot90(picture, -self.turns)
        return np.ascontiguousarray(turned[self.cut.inside((turned.shape[0], turned.shape[1]))])

    def place(self, x: float, y: float, size: tuple[int, int]) -> tuple[float, float]:
        """Return where a pixel of a picture of height and width `size` is in this part of it; it may lie outside."""
        height, width = size
        for _ in range(self.turns):
            x, y, height, width = height - 1 - y, x, width, height
        rows, columns = self.cut.inside((height, width))
        return x - columns.start, y - rows.start

    def place_in_whole(self, x: float, y: float, size: tuple[int, int]) -> tuple[float, float]:
        """Return where a pixel of this part is in a picture of height and width `size`."""
        turned = size if self.turns % 2 == 0 else size[::-1]
        rows, columns = self.cut.inside(turned)
        x, y, (height, width) = x + columns.start, y + rows.start, turned
        for _ in range(self.turns):
            x, y, height, width = y, width - 1 - x, width, height
        return x, y


WHOLE = Frame()
