"""TIFF of every kind, as a Pillow picture."""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image

from cinn_app.imaging.formats.own import Decoded, OwnPicture
from cinn_app.imaging.formats.tiff_colours import decode_page
from cinn_app.imaging.formats.tiff_samples import tag_fractions, tag_number

if TYPE_CHECKING:
    from tifffile import TiffFrame, TiffPage

__all__ = ["TIFF_SIGNATURES", "TiffPicture"]

#: The first bytes of TIFF and BigTIFF in both byte orders.
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Numbers of tags, as in the specification.
XMP, IPTC, ICC_PROFILE = 700, 33723, 34675
RESOLUTIONS, RESOLUTION_UNIT, CENTIMETRE = (282, 283), 296, 3
# How a viewer shows pixels that are stored under each orientation.
UPRIGHT = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


#: Pages of a file that are listed: each takes a fifth of a millisecond or more.
MAX_PAGES = 2000


class TiffPicture(OwnPicture):
    """The first full page of a TIFF.

    Pillow's own reader misreads many kinds of TIFF and does not know others. This one reads the tags with tifffile, and
    takes from Pillow no more than codecs.

    Attributes:
        n_frames: number of pages, without reduced ones and masks.

    Args:
        stream: an open file; it must stay open until the picture is loaded.
        name: of the file, for errors.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        import tifffile  # slow, and not every picture is a TIFF

        stream.seek(0)
        file = tifffile.TiffFile(stream)
        seen = set[int]()
        pages = _readable(file.pages, seen)
        nested = [page for top in pages for page in (top, *_readable(top.pages or (), seen))]
        full = [page for page in nested if not (page.is_reduced or page.is_mask)]
        self._page = (full or nested)[0]
        self._file, self._stream, self._name = file, stream, name
        self.n_frames = max(1, sum(not (page.is_reduced or page.is_mask) for page in pages))
        size = self._page.imagewidth, self._page.imagelength
        super().__init__("TIFF", size, self._upright, self._read_info())

    def _upright(self) -> Decoded:
        decoded = decode_page(self._page, self._name)
        turn = UPRIGHT.get(tag_number(self._page, ExifTags.Base.Orientation, 1), np.asarray)
        return Decoded(turn(decoded.values), None if decoded.alpha is None else turn(decoded.alpha), decoded.warnings)

    def getexif(self) -> Image.Exif:
        """Read the tags, without the orientation, since the picture is upright."""
        if self._exif is None:
            self._exif = exif = Image.Exif()
            exif.bigtiff, exif.endian, exif._loaded = self._file.is_bigtiff, self._file.byteorder, True
            if exif.bigtiff and exif.endian == ">":  # which Pillow 12 cannot read
                exif.update({tag.code: tag.value for tag in self._page.tags if isinstance(tag.value, str)})
            else:
                exif.load_from_fp(self._stream, self._page.offset)
            exif.pop(ExifTags.Base.Orientation, None)
        return self._exif

    def _read_info(self) -> dict[str | tuple[int, int], Any]:
        def block(code: int) -> bytes:
            value = self._page.tags.valueof(code)
            return value if isinstance(value, bytes) else b""

        unit = 2.54 if tag_number(self._page, RESOLUTION_UNIT, 2) == CENTIMETRE else 1
        dpi = [unit * tag_fractions(self._page, code, [0.0])[0] for code in RESOLUTIONS]
        blocks = {"icc_profile": block(ICC_PROFILE), "xmp": block(XMP), "iptc": block(IPTC)}
        return {**{key: value for key, value in blocks.items() if value}, **({"dpi": tuple(dpi)} if all(dpi) else {})}


def _readable(pages: "Iterable[TiffPage | TiffFrame]", seen: set[int]) -> "list[TiffPage]":
    """List pages up to the first that is damaged, or that was seen before: the list of pages of some files is a circle.

    Args:
        pages: of a file, or nested in one of its pages.
        seen: where pages begin that are listed, to which those of these pages are added.
    """
    from tifffile import TiffPage

    found = []
    with contextlib.suppress(Exception):  # on damaged files tifffile may raise anything
        for page in pages:
            if page.offset in seen or len(seen) == MAX_PAGES:
                break
            seen.add(page.offset)
            if isinstance(page, TiffPage):
                found.append(page)
    return found
