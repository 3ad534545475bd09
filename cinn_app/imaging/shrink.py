"""Smaller copies of photographs, for a quick look."""

import dataclasses

import numpy as np
from PIL import Image
from torch.nn import functional

from cinn_app.imaging.decode import Photograph, decode_photograph
from cinn_app.imaging.sources import PictureFile, opened_picture

__all__ = ["read_preview", "shrink_photograph"]


def shrink_photograph(photograph: Photograph, longer_side: int) -> Photograph:
    """Give a copy whose longer side has at most so many pixels, without chroma; one that is small enough stays.

    >>> from cinn_app.imaging import read_photograph
    >>> shrink_photograph(read_photograph(np.full((300, 900), 128, np.uint8)), 90).size
    (30, 90)
    """
    scale = longer_side / max(photograph.size)
    if scale >= 1:
        return photograph
    height, width = (max(1, round(scale * side)) for side in photograph.size)
    lightness = functional.interpolate(photograph.lightness[None], (height, width), mode="bicubic", antialias=True)
    alpha = photograph.alpha
    if alpha is not None:
        alpha = np.array(Image.fromarray(alpha).resize((width, height), Image.Resampling.BOX))
    return dataclasses.replace(
        photograph, lightness=lightness[0].clamp(0, 100), ab=None, alpha=alpha, shrunk_from=photograph.full_size
    )


def read_preview(source: PictureFile, longer_side: int) -> Photograph:
    """Read a picture for a quick look at so many pixels: of a large JPEG only a part is decoded.

    Raises:
        ImageError: as :func:`read_photograph`.
    """
    with opened_picture(source) as image:
        image.draft(None, (2 * longer_side, 2 * longer_side))
        return shrink_photograph(decode_photograph(image), longer_side)
