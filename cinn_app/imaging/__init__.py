"""Pixels in, pixels out: decode, colour spaces, chroma upsampling, encode. Knows no model."""
