"""Pictures of single digits: any drawing brought to MNIST's form, and many digits on one sheet."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.errors import ImageError
from cinn_app.imaging.decode import ImageSource, read_photograph

__all__ = ["DIGIT_SIDE", "digit_sheet", "read_digit"]

#: Height and width of a digit's picture, and of the box that its ink fits into.
DIGIT_SIDE, BOX_SIDE = 28, 20
#: Ink lighter than this share of the strongest is paper.
FAINT = 0.2
#: Lightness, of 100, by which ink and paper differ at least.
CONTRAST = 15
#: A digit is drawn with strokes: ink that covers more of its own box than this is a photograph or a blot.
MOST_INK = 0.85


def read_digit(source: ImageSource) -> Tensor:
    """Read a picture of one digit and bring it to MNIST's form.

    Ink becomes light and paper dark, whichever way round they were: the frame of the picture is taken for paper. The
    ink is cut out, shrunk into a box of 20x20 and laid into 28x28 so that its centre of mass is in the middle, as
    MNIST's own pictures were made. A picture that has MNIST's form already comes back as it is.

    Args:
        source: as for :func:`cinn_app.imaging.read_photograph`; transparent parts count as paper.

    Returns:
        uint8, ``(28, 28)``, 255 for full ink.

    Raises:
        ImageError: if the picture is missing, damaged or too large, empty, or filled all over.
    """
    photograph = read_photograph(source)
    lightness = photograph.lightness[0]
    frame = torch.cat([lightness[0], lightness[-1], lightness[:, 0], lightness[:, -1]])
    paper = frame.median()
    ink = (lightness - paper).abs()
    if photograph.alpha is not None:
        opacity = torch.from_numpy(np.array(photograph.alpha, copy=True)).float() / 255
        # On transparent paper whatever is opaque is ink, of whatever colour.
        ink = 100 * opacity if opacity.min() < 0.5 else ink * opacity
    strongest = ink.max()
    if strongest < CONTRAST:
        raise ImageError(f"{_name(source)} is empty: draw one digit, dark on light or light on dark.")
    ink = ink / strongest
    if photograph.size == (DIGIT_SIDE, DIGIT_SIDE) and paper < 5 and photograph.alpha is None:
        return (lightness_to_gray(lightness)).to(torch.uint8)
    rows, columns = (torch.nonzero((ink > FAINT).any(dim)).flatten() for dim in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if (ink > 0.5).float().mean() > MOST_INK and min(ink.shape) > max(ink.shape) / 4:
        raise ImageError(f"{_name(source)} is filled all over: give a picture of one digit, drawn with strokes.")
    scale = BOX_SIDE / max(ink.shape)
    size = [max(1, round(scale * side)) for side in ink.shape]
    small = functional.interpolate(ink[None, None], size, mode="bilinear", antialias=True)[0, 0]
    small = small / small.max()
    return (255 * _centre(small)).round().to(torch.uint8)


def lightness_to_gray(lightness: Tensor) -> Tensor:
    """Undo CIE L on gray pixels: values 0 to 255, rounded."""
    from cinn_app.imaging.colour import lab_to_rgb

    lab = torch.cat([lightness[None], torch.zeros(2, *lightness.shape)])
    return (255 * lab_to_rgb(lab)[0]).round().clamp(0, 255)


def digit_sheet(images: Tensor, scale: int = 3, gap: int = 2) -> np.ndarray:
    """Lay digits out in rows and columns, light on dark.

    Args:
        images: uint8, ``(rows, columns, 28, 28)``.
        scale: sheet pixels per pixel.
        gap: sheet pixels around each digit.

    Returns:
        uint8, ``(height, width)``.
    """
    framed = functional.pad(images.repeat_interleave(scale, -2).repeat_interleave(scale, -1), (gap, gap, gap, gap))
    rows, columns, height, width = framed.shape
    return framed.permute(0, 2, 1, 3).reshape(rows * height, columns * width).numpy()


def _centre(ink: Tensor) -> Tensor:
    """Lay ink of at most 20x20 into 28x28, its centre of mass in the middle as far as it fits."""
    height, width = ink.shape
    row = (ink.sum(1) * torch.arange(height)).sum() / ink.sum()
    column = (ink.sum(0) * torch.arange(width)).sum() / ink.sum()
    middle = (DIGIT_SIDE - 1) / 2
    top = min(max(0, round(float(middle - row))), DIGIT_SIDE - height)
    left = min(max(0, round(float(middle - column))), DIGIT_SIDE - width)
    return functional.pad(ink, (left, DIGIT_SIDE - width - left, top, DIGIT_SIDE - height - top))


def _name(source: ImageSource) -> str:
    return str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else "The picture"
