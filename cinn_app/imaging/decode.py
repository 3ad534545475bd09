"""From a picture file, of any kind, to the lightness that is to be coloured."""

from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from cinn_app.imaging.colour import rgb_to_lab
from cinn_app.imaging.metadata import PictureMetadata, read_metadata
from cinn_app.imaging.pixels import Pixels, pixels_of_array, pixels_of_image
from cinn_app.imaging.sources import PictureFile, opened_picture
from cinn_app.imaging.tiles import row_bands
from cinn_app.imaging.tone import ToneCount

__all__ = ["IN_COLOUR", "ImageSource", "Photograph", "decode_photograph", "read_photograph"]

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
        shrunk_from: height and width of the photograph that this one is a smaller copy of; None if it is none.
    """

    lightness: Tensor
    ab: Tensor | None = None
    alpha: np.ndarray | None = None
    metadata: PictureMetadata = field(default_factory=PictureMetadata)
    warnings: tuple[str, ...] = ()
    shrunk_from: tuple[int, int] | None = None

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
        return self.shrunk_from or self.size


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
    for rows in row_bands(height, width):
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
