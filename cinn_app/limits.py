"""Limits that the systems, the command line and the studio share."""

__all__ = ["MAX_SEED", "MAX_STEP", "MAX_TEMPERATURE"]

#: Seeds are whole numbers from 0 to this one.
MAX_SEED = 2**32 - 1
#: Temperatures of sampling are numbers from 0, which always gives the most probable latent, to this one.
MAX_TEMPERATURE = 2.0
#: Steps along an axis go this far either way, in standard deviations of the latent.
MAX_STEP = 3.0
