"""Pixels in, pixels out: decode, colour spaces, chroma upsampling, encode. Knows no model."""

from cinn_app.imaging.colour import lab_to_rgb, lightness_and_ab_to_rgb8, rgb_to_lab, shrink_into_gamut
from cinn_app.imaging.encode import (
    FILM_FORMATS,
    OUTPUT_FORMATS,
    contact_sheet,
    encode_film,
    encode_picture,
    format_like,
    save_picture,
)
from cinn_app.imaging.frame import WHOLE, Frame
from cinn_app.imaging.geodesic import GeodesicGrid, blend_by_distance, put_colours
from cinn_app.imaging.metadata import PictureMetadata
from cinn_app.imaging.photograph import (
    IN_COLOUR,
    ImageSource,
    Photograph,
    read_photograph,
    read_preview,
    shrink_photograph,
)
from cinn_app.imaging.provenance import GENERATED_XMP, read_provenance
from cinn_app.imaging.sources import INPUT_SUFFIXES, MAX_PIXELS, OTHER_SUFFIXES, sample_photographs
from cinn_app.imaging.unfinished import is_unfinished
from cinn_app.imaging.upsample import upsample_chroma

__all__ = [
    "FILM_FORMATS",
    "GENERATED_XMP",
    "INPUT_SUFFIXES",
    "IN_COLOUR",
    "MAX_PIXELS",
    "OTHER_SUFFIXES",
    "OUTPUT_FORMATS",
    "WHOLE",
    "Frame",
    "GeodesicGrid",
    "ImageSource",
    "Photograph",
    "PictureMetadata",
    "blend_by_distance",
    "contact_sheet",
    "encode_film",
    "encode_picture",
    "format_like",
    "is_unfinished",
    "lab_to_rgb",
    "lightness_and_ab_to_rgb8",
    "put_colours",
    "read_photograph",
    "read_preview",
    "read_provenance",
    "rgb_to_lab",
    "sample_photographs",
    "save_picture",
    "shrink_into_gamut",
    "shrink_photograph",
    "upsample_chroma",
]
