"""One colouring of one photograph: a few colours and a latent code, and the finished picture when it is asked for."""

import dataclasses
import math
from pathlib import Path

import numpy as np
from torch import Tensor

from cinn_app.imaging import (
    Photograph,
    lightness_and_ab_to_rgb8,
    put_colours,
    save_picture,
    upsample_chroma,
)
from cinn_app.systems.hints import Hints
from cinn_app.systems.steering import Steering

__all__ = ["Colouring"]


@dataclasses.dataclass(frozen=True)
class Colouring:
    """One plausible colouring; the picture itself is made when asked for, so that many cost little memory.

    Attributes:
        photograph: what was coloured.
        ab: chroma in Lab units at the network's size, ``(2, height, width)``.
        latents: its latent code, fine to coarse, one tensor ``(channels, height, width)`` per scale.
        log_prob: its log-likelihood given the lightness, in nats.
        seed: of the draw, or ``None`` where nothing was drawn.
        temperature: of the latent per scale, fine to coarse.
        steering: what was asked of it.
    """

    photograph: Photograph
    ab: Tensor
    latents: tuple[Tensor, ...]
    log_prob: float
    seed: int | None
    temperature: tuple[float, ...]
    steering: Steering = dataclasses.field(default_factory=Steering)

    @property
    def bits_per_dim(self) -> float:
        """Minus the log-likelihood in bits per value of `ab`: lower is more probable."""
        return -self.log_prob / math.log(2) / self.latent_dims

    @property
    def latent_dims(self) -> int:
        """How many values the latent has."""
        return sum(z.numel() for z in self.latents)

    @property
    def hints(self) -> Hints | None:
        """The wanted colours that it meets."""
        return self.steering.hints

    def on(self, photograph: Photograph) -> "Colouring":
        """Lay the same colours on another copy of the photograph, such as a smaller one for a quick look."""
        return dataclasses.replace(self, photograph=photograph)

    def render(self, strength: float = 1.0) -> np.ndarray:
        """Make the picture at full resolution, with the photograph's own lightness.

        Args:
            strength: factor of the chroma: 0 is gray, 1 as the model has it and hints want it.

        Returns:
            uint8 RGB, ``(height, width, 3)``.
        """
        lightness = self.photograph.lightness
        ab = upsample_chroma(self.ab * strength, lightness)
        if self.hints is not None:
            ab = put_colours(ab, lightness, self.hints.places(self.photograph.size), strength * self.hints.ab)
        return lightness_and_ab_to_rgb8(lightness, ab).numpy()

    def save(self, path: str | Path, strength: float = 1.0, source: Path | None = None) -> None:
        """Write the picture in the format of the path's suffix, whole or not at all, with the photograph's metadata.

        Args:
            path: where to; the photograph's own file is refused.
            strength: as in :meth:`render`.
            source: the photograph's file, where it is known.

        Raises:
            ImageError: if the file cannot be written, or is the input.
        """
        photograph = self.photograph
        save_picture(Path(path), self.render(strength), photograph.metadata, photograph.alpha, source=source)
