"""From a picture file, of any kind, to the lightness that is to be coloured."""

import dataclasses
import functools
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging.colour import rgb_to_lab, row_tiles
from cinn_app.imaging.geodesic import GeodesicGrid
from cinn_app.imaging.metadata import PictureMetadata, read_metadata
from cinn_app.imaging.pixels import Pixels, pixels_of_array, pixels_of_image
from cinn_app.imaging.sources import PictureFile, opened_picture

__all__ = [
    "IN_COLOUR",
    "ImageSource",
    "Photograph",
    "ToneCount",
    "decode_photograph",
    "read_photograph",
    "read_preview",
    "shrink_photograph",
]

#: What is said of a photograph in colour.
IN_COLOUR = "It is in colour already; only its lightness is used."

ImageSource = PictureFile | np.ndarray

# A picture whose chroma is below this many Lab units on average is gray, whatever channels its file has.
GRAY_CHROMA = 1.0


@dataclass(frozen=True, eq=False)
class Photograph:
    """An upright picture, ready to be coloured.

    Attributes:
        lightness: float32 `(1, height, width)`, CIE L in 0..100.
        ab: float32 `(2, height, width)`, the picture's own chroma; None if it was not asked for or the file
            has no colour channels.
        alpha: uint8 `(height, width)`, 255 opaque; None for an opaque picture.
        metadata: what the output file should carry on.
        warnings: sentences that a user should see, such as that only the first frame is used.
        original: size and geodesic grid of the photograph that this one is a smaller copy of; None if it is none.
    """

    lightness: Tensor
    ab: Tensor | None = None
    alpha: np.ndarray | None = None
    metadata: PictureMetadata = field(default_factory=PictureMetadata)
    warnings: tuple[str, ...] = ()
    original: GeodesicGrid | None = None

    @property
    def colours(self) -> Tensor | None:
        """Its own chroma `ab`, if that was kept and the picture is not gray."""
        return None if self.ab is None or self.ab.norm(dim=0).mean() < GRAY_CHROMA else self.ab

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.lightness.shape[-2], self.lightness.shape[-1]

    @property
    def full_size(self) -> tuple[int, int]:
        """Height and width of the photograph itself, in whose pixels places are given, whatever copy of it this is."""
        return self.original.size if self.original else self.size

    @functools.cached_property
    def geodesic_grid(self) -> GeodesicGrid:
        """The grid of the full-size photograph, for geodesic distances."""
        return self.original or GeodesicGrid.of(self.lightness)


def read_photograph(source: ImageSource, keep_colour: bool = False) -> Photograph:
    """Read a picture: upright, through its colour profile, in full precision, with alpha and metadata.

    Args:
        source: a path, the bytes of a file, an open binary file, a Pillow picture, or an array
            (`pixels_of_array` says which).
        keep_colour: keep the picture's own chroma in `ab`, at twice the lightness's memory; for evaluation.

    Raises:
        ImageError: the picture is missing, no picture, damaged or too large; the message is one sentence that
            names the file and says what to do.
    """
    if isinstance(source, np.ndarray):
        return _photograph(pixels_of_array(source), PictureMetadata(), (), keep_colour)
    with opened_picture(source) as image:
        return decode_photograph(image, keep_colour)


def decode_photograph(image: Image.Image, keep_colour: bool = False) -> Photograph:
    """Decode what :func:`opened_picture` has opened, inside its block."""
    warnings = _frames_left_out(image)  # before decoding: counting frames moves through the file
    image.load()
    warnings += _turn_upright(image)
    return _photograph(pixels_of_image(image), read_metadata(image), warnings, keep_colour)


def _photograph(pixels: Pixels, metadata: PictureMetadata, warnings: tuple[str, ...], keep_colour: bool) -> Photograph:
    """Convert to Lab by bands of rows, so that the memory peaks at little more than the result."""
    height, width = pixels.values.shape[:2]
    coloured = pixels.values.ndim == 3
    lightness = torch.empty(1, height, width)
    ab = torch.empty(2, height, width) if coloured and keep_colour else None
    tone = ToneCount()
    for rows in row_tiles(height, width):
        lab = rgb_to_lab(_rgb(pixels.values[rows]))
        lightness[:, rows] = lab[:1].clamp(0, 100)
        if coloured:
            tone.add(lab)
        if ab is not None:
            ab[:, rows] = lab[1:]
    warnings += pixels.warnings
    if coloured and tone.coloured:
        warnings += (IN_COLOUR,)
    return Photograph(lightness, ab, pixels.alpha, metadata, warnings)


def _rgb(values: np.ndarray) -> Tensor:
    """Bring gray `(height, width)` or RGB `(height, width, 3)` to float32 `(3, height, width)` in 0..1."""
    scale = 255 if values.dtype == np.uint8 else 1
    rgb = torch.tensor(values, dtype=torch.float32) / scale
    return rgb.expand(3, -1, -1) if rgb.ndim == 2 else rgb.movedim(-1, 0)


def _turn_upright(image: Image.Image) -> tuple[str, ...]:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # Pillow raises anything at all on damaged blocks
        return ("Its EXIF block is damaged; the picture may lie on its side.",)
    return ()


def _frames_left_out(image: Image.Image) -> tuple[str, ...]:
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":  # a camera's JPEG with previews behind the photograph
        return ()
    kind = "pages" if image.format == "TIFF" else "frames"
    return (f"Only the first of {frames} {kind} is used.",)


LEVELS = 32
# In a toned print the root mean square of what is left over (Lab units) is at most a quarter of the mean chroma, and
# never less than the first bound, which noise reaches, or more than the second, which eyes see. Of 300 colour
# photographs 3% fall below (misty, or of one hue); of 40 gray ones toned brown, saved as JPEG and yellowed unevenly
# by up to 30% all do.
SHARE, LEAST, MOST = 0.25, 3.0, 6.0


class ToneCount:
    """Sums over the pixels of a picture that arrives in bands."""

    def __init__(self) -> None:
        self._sums = torch.zeros(4, LEVELS, dtype=torch.float64)  # per level of L: pixels, a, b, a² + b²
        self._chroma = 0.0

    def add(self, lab: Tensor) -> None:
        """Count the pixels of a band, Lab `(3, rows, width)`."""
        lightness, a, b = lab.flatten(1)
        square = a.square() + b.square()
        level = (lightness * (LEVELS / 100)).long().clamp(0, LEVELS - 1)
        for row, weight in enumerate((torch.ones_like(a), a, b, square)):
            self._sums[row] += torch.bincount(level, weight, minlength=LEVELS)
        self._chroma += square.sqrt().sum().item()

    @property
    def coloured(self) -> bool:
        """Whether pixels of one lightness differ in colour."""
        pixels, a, b, square = self._sums
        left_over = (square - (a.square() + b.square()) / pixels.clamp(min=1)).sum() / pixels.sum()
        allowed = min(max(SHARE * self._chroma / pixels.sum().item(), LEAST), MOST)
        return left_over.clamp(min=0).sqrt().item() > allowed


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
        photograph, lightness=lightness[0].clamp(0, 100), ab=None, alpha=alpha, original=photograph.geodesic_grid
    )


def read_preview(source: PictureFile, longer_side: int) -> Photograph:
    """Read a picture for a quick look at so many pixels: of a large JPEG only a part is decoded.

    Raises:
        ImageError: as :func:`read_photograph`.
    """
    with opened_picture(source) as image:
        image.draft(None, (2 * longer_side, 2 * longer_side))
        return shrink_photograph(decode_photograph(image), longer_side)
