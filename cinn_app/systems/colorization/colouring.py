"""One colouring of one photograph: a few colours and a latent code, and the finished picture when it is asked for."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from cinn_app import __version__
from cinn_app.imaging import (
    Photograph,
    encode_picture,
    format_like,
    lightness_and_ab_to_rgb8,
    put_colours,
    save_picture,
    upsample_chroma,
)
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.steering import Steering

__all__ = ["Colouring", "name_source"]


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
        settings: what makes the same colouring of the same photograph again (:meth:`Colorizer.settings`).
    """

    photograph: Photograph
    ab: Tensor
    latents: tuple[Tensor, ...]
    log_prob: float
    seed: int | None
    temperature: tuple[float, ...]
    steering: Steering = dataclasses.field(default_factory=Steering)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def bits_per_dim(self) -> float:
        """Minus the log-likelihood in bits per value of `ab`: lower is more probable."""
        return -self.log_prob / math.log(2) / self.latent_dims

    @property
    def latent_dims(self) -> int:
        """How many values the latent has."""
        return sum(z.numel() for z in self.latents)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about the photograph, and about wishes that it cannot meet."""
        unmet = self.hints.out_of_reach(self.photograph.lightness) if self.hints else []
        return (*self.photograph.warnings, *unmet)

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

    def save(
        self,
        path: str | Path,
        strength: float = 1.0,
        source: Path | None = None,
        mark: bool = True,
        quality: int | None = None,
    ) -> None:
        """Write the picture in the format of the path's suffix, whole or not at all, with the photograph's metadata.

        Args:
            path: where to; the photograph's own file is refused.
            strength: as in :meth:`render`.
            source: the photograph's file, where it is known.
            mark: let the metadata say how the colours came about (:meth:`mark`); `imaging.read_provenance` reads it.
            quality: of JPEG and WebP, 1 to 100; 95 by default.

        Raises:
            ImageError: if the file cannot be written, or is the input.
        """
        photograph = self.photograph
        made = self.mark(strength, source, quality) if mark else None
        save_picture(
            Path(path),
            self.render(strength),
            photograph.metadata,
            photograph.alpha,
            source=source,
            provenance=made,
            quality=quality,
        )

    def encode(
        self, format: str | None = None, strength: float = 1.0, mark: bool = True, quality: int | None = None
    ) -> bytes:
        """Give the file that :meth:`save` would write, by default in the photograph's own format or else as PNG."""
        photograph = self.photograph
        made = self.mark(strength, quality=quality) if mark else None
        chosen = format or format_like(photograph.metadata)
        return encode_picture(self.render(strength), chosen, photograph.metadata, photograph.alpha, made, quality)

    def mark(self, strength: float = 1.0, source: Path | None = None, quality: int | None = None) -> dict[str, Any]:
        """Say how the picture came about: program, model, seed and settings, and what its source is called."""
        made = {"strength": strength, "quality": quality, **name_source(source)}
        return {"program": f"cinn_app {__version__}", **self.settings, **made}


def name_source(source: Path | None) -> dict[str, Any]:
    """Name a photograph's file so that it is known again: by its name, not its folder, and its size in bytes."""
    if source is None or not source.is_file():
        return {}
    return {"source": source.name, "source_bytes": source.stat().st_size}
