"""Photographs: from a picture file of any kind to the lightness that will be coloured."""

import dataclasses
import functools
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging.colour import rgb_to_lab, row_tiles
from cinn_app.imaging.formats.partial import load
from cinn_app.imaging.formats.png import low_bytes
from cinn_app.imaging.frame import WHOLE, Frame
from cinn_app.imaging.geodesic import GeodesicGrid
from cinn_app.imaging.metadata import PictureMetadata, read_metadata
from cinn_app.imaging.pixels import Pixels, pixels_of_array, pixels_of_image
from cinn_app.imaging.prints import FULL_LEVELS, NO_BORDER, Border, Levels, halftone_period
from cinn_app.imaging.sources import DAMAGE, PictureFile, damaged, opened_picture
from cinn_app.messages import Damage, Message

__all__ = ["IN_COLOUR", "ImageSource", "Photograph", "read_photograph", "read_preview", "shrink_photograph"]

#: The warning about a photograph in colour.
IN_COLOUR = Message("It is in colour already; only its lightness is used.")

ImageSource = PictureFile | np.ndarray

# A picture with a mean chroma below this many Lab units is gray, even if its file has colour channels.
GRAY_CHROMA = 1.0
# Levels of lightness at which the colours of a print are compared.
TONE_LEVELS = 32
# In a toned print the root mean square of the residual chroma (Lab units) is at most a quarter of the mean chroma. The
# bound is at least LEAST_RESIDUAL, which noise reaches, and at most MOST_RESIDUAL, which eyes see. Of 300 colour
# photographs 3% fall below (misty, or of one hue); of 40 gray ones toned brown, saved as JPEG and yellowed unevenly by
# up to 30% all do.
RESIDUAL_SHARE, LEAST_RESIDUAL, MOST_RESIDUAL = 0.25, 3.0, 6.0


@dataclasses.dataclass(frozen=True, eq=False)
class Photograph:
    """An upright picture.

    Attributes:
        lightness: float32 `(1, height, width)`, CIE L in 0..100.
        ab: float32 `(2, height, width)`, the picture's own chroma; None if it was not asked for or the file has no
            colour channels.
        alpha: uint8 `(height, width)`, 255 opaque; None for an opaque picture.
        metadata: what to copy to the output file.
        warnings: sentences for the user, for example that only the first frame is used.
        original: size and geodesic grid of the photograph that this is a smaller copy of, if it is one.
        border: of the print or film, found when it was read.
        levels: black and white inside the border.
        halftone: distance of the dots of a halftone, in pixels of the original photograph; 0 without dots.
        frame: the part of the picture in the file that this is.
        whole_size: height and width of the picture in the file, if this is a part of it.
    """

    lightness: Tensor
    ab: Tensor | None = None
    alpha: np.ndarray | None = None
    metadata: PictureMetadata = dataclasses.field(default_factory=PictureMetadata)
    warnings: tuple[Message, ...] = ()
    original: GeodesicGrid | None = None
    border: Border = NO_BORDER
    levels: Levels = FULL_LEVELS
    halftone: float = 0.0
    frame: Frame = WHOLE
    whole_size: tuple[int, int] | None = None

    @property
    def colours(self) -> Tensor | None:
        """The picture's own chroma `ab`, if it was kept and the picture is not gray."""
        return None if self.ab is None or self.ab.norm(dim=0).mean() < GRAY_CHROMA else self.ab

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.lightness.shape[-2], self.lightness.shape[-1]

    @property
    def full_size(self) -> tuple[int, int]:
        """Height and width of the original photograph, in whose pixels places are given."""
        return self.original.size if self.original else self.size

    def framed(self, frame: Frame) -> "Photograph":
        """Return a part of a photograph at full size, as if there were nothing else in its file."""
        if frame == WHOLE:
            return self
        alpha = None if self.alpha is None else frame.of_array(self.alpha)
        ab = None if self.ab is None else frame.of_tensor(self.ab)
        part = dataclasses.replace(
            self,
            lightness=frame.of_tensor(self.lightness),
            ab=ab,
            alpha=alpha,
            frame=self.frame.then(frame),
            whole_size=self.whole_size or self.size,
        )
        return part._measured()

    def without_rim(self) -> "Photograph":
        """Return a photograph at full size without the dark rim of a film, if it has one."""
        return self.framed(Frame.without_rim(self.lightness, self.border))

    @property
    def cut_out(self) -> dict[str, Any]:
        """What of the picture in its file this is (:meth:`Frame.record`); empty if it is all of it."""
        return self.frame.record(self.whole_size) if self.whole_size else {}

    def _measured(self) -> "Photograph":
        """Find border, levels and halftone."""
        border = Border.of(self.lightness)
        levels = Levels.of(self.lightness[:, *border.inside(self.size)])
        return dataclasses.replace(self, border=border, levels=levels, halftone=halftone_period(self.lightness))

    @functools.cached_property
    def unfaded(self) -> Tensor:
        """The lightness without fading; of a photograph that has not faded, the lightness itself."""
        return self.levels.restore(self.lightness)

    @functools.cached_property
    def continuous(self) -> Tensor:
        """The unfaded lightness with a pixel per dot of a halftone; of other photographs, the unfaded lightness."""
        scale = self.full_size[0] / max(self.halftone * self.size[0], 1e-6)
        if self.halftone == 0 or scale >= 1:
            return self.unfaded
        size = [max(1, round(scale * side)) for side in self.size]
        return functional.interpolate(self.unfaded[None], size, mode="bicubic", antialias=True)[0].clamp(0, 100)

    @functools.cached_property
    def geodesic_grid(self) -> GeodesicGrid:
        """The grid of the full-size photograph, for geodesic distances."""
        return self.original or GeodesicGrid.of(self.unfaded)


def read_photograph(source: ImageSource, keep_colour: bool = False, strict: bool = False) -> Photograph:
    """Read a picture: upright, through its colour profile, in full precision, with alpha and metadata.

    Of a file that is damaged or cut short, what is there is read, with a warning that says how much is missing.

    Args:
        source: a path, the bytes of a file, an open binary file, a Pillow picture, or an array (see
            `pixels_of_array`).
        keep_colour: keep the picture's own chroma in `ab`, which takes twice the lightness's memory; for evaluation.
        strict: refuse a file that is damaged or cut short, even if a part of the picture is there.

    Raises:
        ImageError: if the picture is missing, unreadable, too large, or nothing of it is left; one sentence that names
            the file and says what to do.
    """
    if isinstance(source, np.ndarray):
        return _photograph(pixels_of_array(source), PictureMetadata(), (), keep_colour)
    with opened_picture(source) as image:
        photograph = _decode(image, keep_colour)
        if strict and any(isinstance(warning, Damage) for warning in photograph.warnings):
            raise damaged(source)
        return photograph


def read_preview(source: PictureFile, longer_side: int) -> Photograph:
    """Read a picture at a smaller size, `longer_side` pixels; a large JPEG is decoded only in part.

    Raises:
        ImageError: as :func:`read_photograph`.
    """
    with opened_picture(source) as image:
        image.draft(None, (2 * longer_side, 2 * longer_side))
        return shrink_photograph(_decode(image), longer_side)


def shrink_photograph(photograph: Photograph, longer_side: int) -> Photograph:
    """Return a copy without chroma, `longer_side` pixels long; a photograph that is small enough is returned itself.

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


def _decode(image: Image.Image, keep_colour: bool = False) -> Photograph:
    """Decode a picture inside the block of :func:`opened_picture`."""
    warnings = _unused_frames(image)  # before decoding: counting frames moves through the file
    low = low_bytes(image)
    image, damage = load(image)
    warnings += (*image.info.get(DAMAGE, ()), *damage, *_turn_upright(image))
    return _photograph(pixels_of_image(image, low), read_metadata(image), warnings, keep_colour)


def _photograph(
    pixels: Pixels, metadata: PictureMetadata, warnings: tuple[Message, ...], keep_colour: bool
) -> Photograph:
    """Convert to Lab in tiles, which needs little more memory than the result."""
    height, width = pixels.values.shape[:2]
    coloured = pixels.values.ndim == 3
    lightness = torch.empty(1, height, width)
    ab = torch.empty(2, height, width) if coloured and keep_colour else None
    tones = ToneStatistics()
    for rows in row_tiles(height, width):
        lab = rgb_to_lab(_rgb(pixels.values[rows]))
        lightness[:, rows] = lab[:1].clamp(0, 100)
        if coloured:
            tones.add(lab)
        if ab is not None:
            ab[:, rows] = lab[1:]
    warnings += pixels.warnings
    if coloured and tones.in_colour:
        warnings += (IN_COLOUR,)
    return Photograph(lightness, ab, pixels.alpha, metadata, warnings)._measured()


def _rgb(values: np.ndarray) -> Tensor:
    """Convert gray `(height, width)` or RGB `(height, width, 3)` to float32 `(3, height, width)` in 0..1."""
    scale = 255 if values.dtype == np.uint8 else 1
    rgb = torch.tensor(np.ascontiguousarray(values), dtype=torch.float32) / scale
    return rgb.expand(3, -1, -1) if rgb.ndim == 2 else rgb.movedim(-1, 0)


def _turn_upright(image: Image.Image) -> tuple[Message, ...]:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # on damaged blocks Pillow may raise anything
        return (Message("Its EXIF block is damaged; the picture may lie on its side."),)
    return ()


def _unused_frames(image: Image.Image) -> tuple[Message, ...]:
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":  # a camera's JPEG with previews behind the photograph
        return ()
    kind = Message("pages") if image.format == "TIFF" else Message("frames")
    return (Message("Only the first of {number} {kind} is used.", number=frames, kind=kind),)


class ToneStatistics:
    """Statistics that distinguish a photograph in colour from a toned print: sepia, cyanotype, yellowed paper.

    In a toned print the colour follows from the lightness: brown shadows, cream highlights. So the criterion is not
    chroma, but the residual chroma after subtracting the mean colour of each level of lightness. The pixels of a
    picture are added tile by tile.
    """

    def __init__(self) -> None:
        self._sums = torch.zeros(4, TONE_LEVELS, dtype=torch.float64)  # per level of L: pixels, a, b, a² + b²
        self._chroma = 0.0

    def add(self, lab: Tensor) -> None:
        """Add the pixels of a tile, Lab `(3, rows, width)`."""
        lightness, a, b = lab.flatten(1)
        square = a.square() + b.square()
        level = (lightness * (TONE_LEVELS / 100)).long().clamp(0, TONE_LEVELS - 1)
        for row, weight in enumerate((torch.ones_like(a), a, b, square)):
            self._sums[row] += torch.bincount(level, weight, minlength=TONE_LEVELS)
        self._chroma += square.sqrt().sum().item()

    @property
    def in_colour(self) -> bool:
        """Whether pixels of the same lightness differ in colour."""
        pixels, a, b, square = self._sums
        residual = (square - (a.square() + b.square()) / pixels.clamp(min=1)).sum() / pixels.sum()
        bound = min(max(RESIDUAL_SHARE * self._chroma / pixels.sum().item(), LEAST_RESIDUAL), MOST_RESIDUAL)
        return residual.clamp(min=0).sqrt().item() > bound
