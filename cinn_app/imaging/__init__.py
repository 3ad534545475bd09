"""Pixels in, pixels out: decode, colour spaces, chroma upsampling, encode. Knows no model."""

from cinn_app.imaging.colour import lab_to_rgb, lightness_and_ab_to_rgb8, rgb_to_lab, shrink_into_gamut
from cinn_app.imaging.decode import IN_COLOUR, ImageSource, Photograph, read_photograph
from cinn_app.imaging.encode import OUTPUT_FORMATS, encode_picture, format_like, save_picture
from cinn_app.imaging.film import FILM_FORMATS, encode_film
from cinn_app.imaging.geodesic import blend_by_distance, edge_distances, put_colours
from cinn_app.imaging.metadata import PictureMetadata
from cinn_app.imaging.provenance import MADE_WHOLE, read_mark
from cinn_app.imaging.samples import sample_photographs
from cinn_app.imaging.sheet import contact_sheet
from cinn_app.imaging.shrink import read_preview, shrink_photograph
from cinn_app.imaging.sources import INPUT_SUFFIXES, MAX_PIXELS
from cinn_app.imaging.upsample import upsample_chroma

__all__ = [
    "FILM_FORMATS",
    "INPUT_SUFFIXES",
    "IN_COLOUR",
    "MADE_WHOLE",
    "MAX_PIXELS",
    "OUTPUT_FORMATS",
    "ImageSource",
    "Photograph",
    "PictureMetadata",
    "blend_by_distance",
    "contact_sheet",
    "edge_distances",
    "encode_film",
    "encode_picture",
    "format_like",
    "lab_to_rgb",
    "lightness_and_ab_to_rgb8",
    "put_colours",
    "read_mark",
    "read_photograph",
    "read_preview",
    "rgb_to_lab",
    "sample_photographs",
    "save_picture",
    "shrink_into_gamut",
    "shrink_photograph",
    "upsample_chroma",
]
