"""Pictures of digits: drawings converted to MNIST's form, and sheets of many digits."""

import math
import os

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.errors import ImageError
from cinn_app.imaging.colour import lab_to_rgb
from cinn_app.imaging.photograph import ImageSource, Photograph, read_photograph
from cinn_app.messages import Message

__all__ = ["DIGIT_SIDE", "digit_sheet", "read_digit"]

#: Height and width of a digit's picture, and of the box that its ink fits into.
DIGIT_SIDE, BOX_SIDE = 28, 20
#: Larger drawings are shrunk to this side first, which averages specks and the grain of paper.
WORKING_SIDE = 512
#: The least difference between ink and paper, in Lab units.
MIN_CONTRAST = 15.0
#: Ink that is fainter than this share of the strongest is taken as paper: its grain, or a shadow on it.
FAINT = 0.2
#: MNIST's strokes are full ink but for their edges, so shrunk ink is multiplied by this.
INK_GAIN = 1.5
#: Iterations of the fit of the paper's plane.
REFITS = 20
#: The greatest difference from white of blank paper, in Lab units.
OFF_WHITE = 30.0
#: A digit is drawn with strokes. Ink that covers more of its box than the first number is a blot, unless the box's
#: shorter side over its longer one is below the second number, as for a 1.
MAX_COVERAGE, NARROW = 0.85, 0.5


def read_digit(source: ImageSource) -> Tensor:
    """Read a picture of one digit and convert it to MNIST's form.

    The frame of the picture shows the paper. Whatever differs from it is ink, darker or lighter and of any colour. The
    ink is cut out, shrunk into a box of 20x20 pixels and placed into 28x28 with its centre of mass in the middle, as
    MNIST's pictures were made (LeCun et al. 1998). A picture of 28x28 pixels on black has MNIST's form already: it is
    only moved to the middle if need be; one on white is inverted.

    Args:
        source: as for :func:`cinn_app.imaging.read_photograph`; on transparent paper all that is opaque is ink.

    Returns:
        uint8, ``(28, 28)``, 255 for full ink.

    Raises:
        ImageError: if the picture is missing, damaged, too large, empty, painted all over, or filled by a blot.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else Message("The picture")
    photograph = read_photograph(source, keep_colour=True, strict=True)  # a part of a digit may be another digit
    ink = _ink(photograph)
    mnist = _in_mnist_form(photograph)
    if ink.max() < MIN_CONTRAST:
        if mnist is not None or _is_blank(photograph):
            raise ImageError("{name} is empty: draw one digit, dark on light or light on dark.", name=name)
        raise ImageError(
            "{name} has the same colour everywhere, so ink and paper look alike: draw one digit, and leave paper "
            "around it.",
            name=name,
        )
    if mnist is not None:
        return _recentre(mnist)
    ink = ((ink / ink.max() - FAINT) / (1 - FAINT)).clamp(min=0)
    rows, columns = (torch.nonzero(ink.sum(dim)).flatten() for dim in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if (ink > 0.5).float().mean() > MAX_COVERAGE and min(ink.shape) > NARROW * max(ink.shape):
        raise ImageError("{name} is filled all over: give a picture of one digit, drawn with strokes.", name=name)
    small = _resize(ink[None], BOX_SIDE)[0]
    return (255 * _centre((INK_GAIN * small / small.max()).clamp(max=1))).round().to(torch.uint8)


def digit_sheet(images: Tensor, scale: int = 3, gap: int = 2) -> np.ndarray:
    """Arrange digits in rows and columns, light on dark.

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


def _ink(photograph: Photograph) -> Tensor:
    """Return how far each pixel of a drawing differs from its paper: ``(height, width)``, in Lab units."""
    lab = photograph.lightness if photograph.ab is None else torch.cat([photograph.lightness, photograph.ab])
    lab = _shrink(lab)
    ink = (lab - _paper(lab)).norm(dim=0)
    if photograph.alpha is None:
        return ink
    opacity = _shrink(torch.from_numpy(photograph.alpha / np.float32(255))[None])[0]
    return ink * opacity if _frame(opacity).median() > 0.5 else 100 * opacity


def _is_blank(photograph: Photograph) -> bool:
    """Return whether an even picture is blank paper, transparent or nearly white, and not paint all over."""
    if photograph.alpha is not None and photograph.alpha.max() < 128:
        return True
    lab = photograph.lightness if photograph.ab is None else torch.cat([photograph.lightness, photograph.ab])
    from_white = lab.flatten(1).mean(1)
    from_white[0] -= 100
    return bool(from_white.norm() < OFF_WHITE)


def _paper(lab: Tensor) -> Tensor:
    """Estimate the paper behind a drawing ``(channels, height, width)``: even, or lit more brightly from one side.

    It is the plane with the least sum of distances from the pixels of the frame, so ink that crosses the frame does not
    bend it. Iteratively reweighted least squares find it, with the inverse distances as weights.
    """
    _, height, width = lab.shape
    rows, columns = torch.meshgrid(torch.linspace(-0.5, 0.5, height), torch.linspace(-0.5, 0.5, width), indexing="ij")
    basis = torch.stack([torch.ones_like(rows), rows, columns])
    at_frame, values = _frame(basis).T.double(), _frame(lab).T.double()
    distance = torch.ones(len(values), 1, dtype=torch.float64)
    for _ in range(REFITS):
        weight = distance.clamp(min=1).rsqrt()
        plane = torch.linalg.lstsq(weight * at_frame, weight * values, driver="gelsd").solution
        distance = (values - at_frame @ plane).norm(dim=1, keepdim=True)
    return torch.einsum("fhw,fc->chw", basis, plane.float())


def _frame(x: Tensor) -> Tensor:
    """Return the outermost pixels: ``(..., height, width)`` to ``(..., pixels)``."""
    return torch.cat([x[..., 0, :], x[..., -1, :], x[..., 0], x[..., -1]], dim=-1)


def _in_mnist_form(photograph: Photograph) -> Tensor | None:
    """Return the grays of a picture with MNIST's size and even paper on black, uint8 ``(28, 28)``, or None."""
    if photograph.size != (DIGIT_SIDE, DIGIT_SIDE) or photograph.alpha is not None:
        return None
    lab = torch.cat([photograph.lightness, torch.zeros(2, DIGIT_SIDE, DIGIT_SIDE)])
    gray = (255 * lab_to_rgb(lab)[0]).round().clamp(0, 255).to(torch.uint8)
    match _frame(gray).median().item():
        case 0:
            return gray
        case 255:
            return 255 - gray
    return None


def _shrink(x: Tensor) -> Tensor:
    return x if max(x.shape[-2:]) <= WORKING_SIDE else _resize(x, WORKING_SIDE)


def _resize(x: Tensor, longer_side: int) -> Tensor:
    """Scale ``(channels, height, width)`` to a longer side; each pixel is the weighted mean of those it covers."""
    scale = longer_side / max(x.shape[-2:])
    size = [max(1, round(scale * side)) for side in x.shape[-2:]]
    return functional.interpolate(x[None], size, mode="bilinear", antialias=True)[0]


def _centre(ink: Tensor) -> Tensor:
    """Place ink of at most 20x20 pixels into 28x28, its centre of mass in the middle, to whole pixels, if it fits."""
    room = []
    for dim, size in enumerate(ink.shape):
        mass = ink.sum(1 - dim)
        middle = float((mass * torch.arange(0.5, size)).sum() / mass.sum())
        before = min(max(0, round(DIGIT_SIDE / 2 - middle)), DIGIT_SIDE - size)
        room += [DIGIT_SIDE - size - before, before]
    return functional.pad(ink, room[::-1])


def _recentre(gray: Tensor) -> Tensor:
    """Move a picture that is more than a pixel off centre by whole pixels, without cutting ink off."""
    shifts = []
    for dim in (0, 1):
        mass = gray.sum(1 - dim, dtype=torch.float32)
        middle = float((mass * torch.arange(0.5, DIGIT_SIDE)).sum() / mass.sum())
        inked = torch.nonzero(mass).flatten().tolist()
        wanted = math.trunc(DIGIT_SIDE / 2 - middle)
        shifts.append(max(-inked[0], min(wanted, DIGIT_SIDE - 1 - inked[-1])))
    return gray.roll(shifts, (0, 1))
