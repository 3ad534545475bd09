"""Pictures that this package decodes itself, since Pillow misreads their format or does not know it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.messages import Message

__all__ = ["LEAST_SHARE", "Decoded", "OwnPicture", "damage", "fill_up"]

#: Of a picture of which less than this share is in the file nothing is shown: a small file may claim any size.
LEAST_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pixels of a picture, before its colour profile is applied.

    Attributes:
        values: gray `(height, width)` or RGB `(height, width, 3)`, uint8, or float32 in 0..1 where there are more than
            8 bits; or CMYK `(height, width, 4)`, uint8.
        alpha: uint8 `(height, width)`, 255 opaque; None for an opaque picture.
        warnings: sentences about what was assumed or is missing.
    """

    values: np.ndarray
    alpha: np.ndarray | None = None
    warnings: tuple[Message, ...] = ()


class OwnPicture(Image.Image):
    """A picture whose pixels are in `decoded` once it is loaded, because Pillow has no modes for all of them.

    Format, size, `info` and EXIF are where Pillow has them. A loaded picture is upright.

    Args:
        format: Pillow's name of the format.
        size: width and height as stored.
        decode: decodes the pixels; the file must be open until then.
        info: as of a Pillow picture.
    """

    def __init__(
        self, format: str, size: tuple[int, int], decode: Callable[[], Decoded], info: Mapping[Any, Any] | None = None
    ) -> None:
        super().__init__()
        self.format, self._size, self._decode = format, size, decode
        self.info = dict(info or {})
        self.decoded: Decoded | None = None

    def load(self) -> None:
        """Decode the picture.

        Raises:
            ImageError: if it cannot be read or nothing of it is there.
        """
        if self.decoded is None:
            found = self._decode()
            alpha = None if found.alpha is None else np.ascontiguousarray(found.alpha)
            self.decoded = Decoded(np.ascontiguousarray(found.values), alpha, found.warnings)
            self._size = self.decoded.values.shape[1::-1]

    def getexif(self) -> Image.Exif:
        """Return EXIF without an orientation."""
        if self._exif is None:
            self._exif = Image.Exif()
            self._exif._loaded = True
        return self._exif


def fill_up(data: bytes, size: int, name: str) -> tuple[bytes, float]:
    """Fill up the pixels of a file that is cut short.

    Returns:
        Bytes of the given size, and the share that was missing.

    Raises:
        ImageError: if less than `LEAST_SHARE` is there.
    """
    share = len(data) / max(1, size)
    if share < LEAST_SHARE:
        raise damage(name)
    return data[:size].ljust(size, b"\0"), max(0.0, 1 - share)


def damage(name: str) -> ImageError:
    """Return the error for a file of which nothing is left."""
    return ImageError(
        "{name} is damaged or cut short: fetch it again from where it came, or save it again in an image editor.",
        name=name,
    )
