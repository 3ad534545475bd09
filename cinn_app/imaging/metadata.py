"""The metadata of a picture file, and which of them still hold for the picture in colour."""

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from cinn_app.imaging.provenance import with_provenance

__all__ = ["PictureMetadata", "options_to_save", "read_metadata"]

# Of the first EXIF directory only what describes the picture is kept. The rest is layout (all of it in a TIFF), the
# resolution (kept as dpi), the orientation (applied), or the gray thumbnail.
DESCRIPTIVE = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright,
)
# What describes the pixels of the input file is not kept from the camera's directory.
OUTDATED = (
    ExifTags.Base.Orientation,
    ExifTags.Base.ColorSpace,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
    ExifTags.IFD.Interop,
)
# In an XMP packet, as an attribute and as an element; programs choose the prefix.
ORIENTATION_IN_XMP = re.compile(
    rb"""\s+[\w.-]+:Orientation\s*=\s*(?:"[^"]*"|'[^']*')|<([\w.-]+:Orientation)\b(?:[^>]*/>|.*?</\1\s*>)""", re.DOTALL
)
INCH = 2  # EXIF's number of the unit of resolution
XMP_IN_TIFF = 700
IPTC_IN_TIFF = 33723
IPTC_IN_PHOTOSHOP = 0x0404
XMP_IN_PNG = "XML:com.adobe.xmp"
# Capacity of one segment of a JPEG file, minus the longest header.
JPEG_SEGMENT = 65_533 - 29


@dataclass(frozen=True)
class PictureMetadata:
    """Metadata that are copied from the input file to the output file.

    Attributes:
        format: Pillow's name of the input's format, such as "JPEG"; None for a picture that is not in a file.
        exif: a block that starts with `Exif\\0\\0`, without orientation, since pixels are upright.
        dpi: horizontal and vertical resolution.
        xmp: an XMP packet, without orientation, too.
        comment: of a JPEG file.
        iptc: captions and keywords in the form of archives (IPTC-IIM), from JPEG and TIFF files.
        texts: of a PNG file, by keyword.
    """

    format: str | None = None
    exif: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None
    xmp: bytes | None = field(default=None, repr=False)
    comment: bytes | None = None
    iptc: bytes | None = field(default=None, repr=False)
    texts: Mapping[str, str] = field(default_factory=dict)


def read_metadata(image: Image.Image) -> PictureMetadata:
    """Read the metadata of an open picture that `ImageOps.exif_transpose` has turned upright."""
    return PictureMetadata(
        format=image.format,
        exif=_exif(image),
        dpi=_dpi(image),
        xmp=_xmp(image),
        comment=_bytes(image.info.get("comment")),
        iptc=_iptc(image),
        texts=_texts(image),
    )


def options_to_save(
    metadata: PictureMetadata, file_format: str, provenance: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the options with which Pillow's `save` writes the metadata, as "JPEG", "PNG", "TIFF" or "WEBP".

    What does not fit into the format is left out, such as a block longer than a JPEG segment. A provenance record is
    added to the XMP packet (`with_provenance`).
    """
    xmp = metadata.xmp if provenance is None else with_provenance(metadata.xmp, provenance)
    options: dict[str, Any] = {"dpi": metadata.dpi, "exif": metadata.exif, "xmp": xmp}
    match file_format:
        case "JPEG":
            options |= {"comment": metadata.comment, "extra": metadata.iptc and _photoshop_segment(metadata.iptc)}
            if xmp and len(xmp) > JPEG_SEGMENT and provenance is not None:
                options["xmp"] = with_provenance(None, provenance)
            for block in ("exif", "xmp", "comment", "extra"):
                if options[block] and len(options[block]) > JPEG_SEGMENT:
                    options[block] = None
        case "PNG" if xmp or metadata.texts:
            options["pnginfo"] = texts = PngImagePlugin.PngInfo()
            for keyword, text in metadata.texts.items():
                texts.add_itxt(keyword, text)
            if xmp:
                texts.add_itxt(XMP_IN_PNG, xmp.decode(errors="replace"))
        case "TIFF" if xmp or metadata.iptc:
            exif = _load_exif(metadata.exif)
            for tag, block_of_bytes in ((XMP_IN_TIFF, xmp), (IPTC_IN_TIFF, metadata.iptc)):
                if block_of_bytes:
                    exif[tag] = block_of_bytes
            options["exif"] = exif
        case "WEBP" if metadata.dpi:
            exif = _load_exif(metadata.exif)
            exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = metadata.dpi
            exif[ExifTags.Base.ResolutionUnit] = INCH
            options["exif"] = exif
    return {key: value for key, value in options.items() if value}


def _photoshop_segment(iptc: bytes) -> bytes:
    """Wrap captions and keywords for a JPEG file: as a Photoshop resource in segment APP13."""
    padding = b"\0" * (len(iptc) % 2)
    resource = struct.pack(">4sHHL", b"8BIM", IPTC_IN_PHOTOSHOP, 0, len(iptc)) + iptc + padding
    content = b"Photoshop 3.0\0" + resource
    return struct.pack(">2sH", b"\xff\xed", 2 + len(content)) + content


def _iptc(image: Image.Image) -> bytes | None:
    try:
        if image.format == "TIFF":
            return _bytes(image.info.get("iptc"))
        return _bytes(image.info.get("photoshop", {}).get(IPTC_IN_PHOTOSHOP))
    except Exception:  # on damaged blocks Pillow may raise anything
        return None


def _texts(image: Image.Image) -> dict[str, str]:
    """Return a PNG's texts, without the metadata packets that programs store among them."""
    texts = getattr(image, "text", {}) if image.format == "PNG" else {}
    return {
        keyword: str(text)
        for keyword, text in texts.items()
        if not keyword.startswith((XMP_IN_PNG, "Raw profile type"))
        and not keyword.lower().endswith("orientation")  # as ImageMagick copies EXIF
        and len(text) <= JPEG_SEGMENT
    }


def _xmp(image: Image.Image) -> bytes | None:
    """Return the packet without the orientation, which programs leave as it was when they turn a picture."""
    packet = _bytes(image.info.get("xmp"))
    if packet is None or b"\0" in packet.strip(b"\0"):
        return None  # in UTF-16, which only few programs read
    return ORIENTATION_IN_XMP.sub(b"", packet)


def _load_exif(block: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block or b"")
    return exif


def _exif(image: Image.Image) -> bytes | None:
    """Build an EXIF block from the entries that still hold; None for a damaged one."""
    try:
        found = image.getexif()
        kept = Image.Exif()
        for tag in DESCRIPTIVE:
            if tag in found:
                kept[tag] = found[tag]
        for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            entries = {tag: value for tag, value in found.get_ifd(directory).items() if tag not in OUTDATED}
            if entries:
                kept[directory] = entries
        return kept.tobytes() if len(kept) else None
    except Exception:  # on damaged blocks Pillow may raise anything
        return None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        found = image.info["dpi"] if "dpi" in image.info else _dpi_in_exif(image.getexif())
        across, down = float(found[0]), float(found[1])
    except Exception:  # on damaged blocks Pillow may raise anything
        return None
    # Pillow gives 1 for a TIFF without resolution.
    return (across, down) if all(math.isfinite(value) and value > 1 for value in (across, down)) else None


def _dpi_in_exif(exif: Image.Exif) -> tuple[float, float]:
    if exif[ExifTags.Base.ResolutionUnit] != INCH:
        raise KeyError
    return exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution]


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) and value else None
