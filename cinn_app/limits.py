"""Limits that the systems, the command line and the studio share."""

__all__ = ["DIGEST_DIGITS", "MAX_SEED", "MAX_STEP", "MAX_STRENGTH", "MAX_TEMPERATURE"]

#: Seeds are whole numbers from 0 to this one.
MAX_SEED = 2**32 - 1
#: Temperatures of sampling are numbers from 0, which always gives the most probable latent, to this one.
MAX_TEMPERATURE = 2.0
#: Steps along an axis go this far either way, in standard deviations of the latent.
MAX_STEP = 3.0
#: Factors of a colouring's chroma are numbers from 0, which is gray, to this one.
MAX_STRENGTH = 2.0
#: Provenance records distinguish weights, palettes and regions by this many hexadecimal digits of a SHA-256 digest.
DIGEST_DIGITS = 12
