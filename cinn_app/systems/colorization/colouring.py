"""One colouring of one photograph: its chroma and latent code, and the finished picture on demand."""

import dataclasses
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cinn_app import __version__
from cinn_app.arguments import as_path, number_between
from cinn_app.imaging import (
    Photograph,
    encode_picture,
    format_like,
    lightness_and_ab_to_rgb8,
    put_colours,
    save_picture,
    upsample_chroma,
)
from cinn_app.limits import MAX_STRENGTH
from cinn_app.messages import Message
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.steering import Steering

__all__ = ["Code", "Codes", "Colouring", "source_record"]

#: The latents of a colouring, fine to coarse, and its log-likelihood in nats.
Code: TypeAlias = tuple[tuple[Tensor, ...], float]


class Codes:
    """The codes of a batch of colourings, computed together when one of them is read first.

    Args:
        compute: returns the latents, fine to coarse, one tensor ``(batch, channels, height, width)`` per scale, and the
            log-likelihoods, ``(batch,)``.
    """

    def __init__(self, compute: Callable[[], tuple[Sequence[Tensor], Tensor]]) -> None:
        self._compute: Callable[[], tuple[Sequence[Tensor], Tensor]] | None = compute
        self._codes: list[Code] = []
        self._lock = threading.Lock()

    @torch.inference_mode()
    def __getitem__(self, number: int) -> Code:
        with self._lock:
            if self._compute is not None:
                latents, log_probs = self._compute()
                rows = zip(*(scale.cpu() for scale in latents), strict=True)
                self._codes = list(zip(rows, log_probs.tolist(), strict=True))
                self._compute = None  # it holds the photograph's conditions
        return self._codes[number]

    def __getstate__(self) -> list[Code]:
        """Give the codes to a copy in another process, which cannot compute them."""
        self[0]
        return self._codes

    def __setstate__(self, codes: list[Code]) -> None:
        self._compute, self._codes, self._lock = None, codes, threading.Lock()


@dataclasses.dataclass(frozen=True, eq=False)
class Colouring:
    """One plausible colouring. The picture is made on demand, so that many colourings need little memory.

    Attributes:
        photograph: what was coloured.
        ab: chroma in Lab units at the network's size, ``(2, height, width)``. A faded photograph shows less of it, by
            :attr:`contrast`.
        code: returns the latents and the log-likelihood, which are computed when they are read first.
        seed: of the draw, or ``None`` if nothing was drawn.
        temperature: of the latent per scale, fine to coarse.
        steering: the constraints on it.
        settings: what makes the same colouring of the same photograph again (:meth:`Colorizer.settings`).
        candidates: all colourings that it was chosen from, if it was (``diverse``).
        observations: sentences for the user about what the network noticed in the photograph.
    """

    photograph: Photograph
    ab: Tensor
    code: Callable[[], Code] = dataclasses.field(repr=False)
    seed: int | None = None
    temperature: tuple[float, ...] = ()
    steering: Steering = dataclasses.field(default_factory=Steering)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    candidates: "tuple[Colouring, ...]" = dataclasses.field(default=(), repr=False)
    observations: tuple[Message, ...] = ()

    @property
    def latents(self) -> tuple[Tensor, ...]:
        """The latent code, fine to coarse, one tensor ``(channels, height, width)`` per scale."""
        return self.code()[0]

    @property
    def log_prob(self) -> float:
        """The log-likelihood given the lightness, in nats."""
        return self.code()[1]

    @property
    def bits_per_dim(self) -> float:
        """Minus the log-likelihood in bits per value of `ab`: lower is more probable."""
        return -self.log_prob / math.log(2) / self.latent_dims

    @property
    def latent_dims(self) -> int:
        """The number of values of the latent code."""
        return sum(z.numel() for z in self.latents)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about the photograph, and about hints that it cannot show."""
        hints = self.hints.warnings(self.lightness) if self.hints else ()
        return (*self.photograph.warnings, *self.observations, *hints)

    @property
    def hints(self) -> Hints | None:
        """The wanted colours that it meets."""
        return self.steering.hints

    @property
    def lightness(self) -> Tensor:
        """L* of the finished picture in 0..100, ``(1, height, width)``: as faded as the photograph, or not."""
        return self.photograph.unfaded if self.steering.restore_levels else self.photograph.lightness

    @property
    def contrast(self) -> float:
        """The factor of chroma in the finished picture: 1, or less where the photograph has faded and stays so."""
        levels = self.photograph.levels
        return min(1.0, levels.contrast * levels.gain) if self.steering.restore_levels else levels.contrast

    def on(self, photograph: Photograph) -> "Colouring":
        """Return the same colours on another copy of the photograph, such as a smaller one for a preview."""
        return dataclasses.replace(self, photograph=photograph)

    def report(self, strength: float = 1.0) -> dict[str, Any]:
        """Return settings, likelihood and warnings, as JSON has them."""
        return {
            **self.settings,
            **self.photograph.cut_out,
            "strength": strength,
            "log_likelihood": self.log_prob,
            "bits_per_dim": self.bits_per_dim,
            "warnings": list(self.warnings),
        }

    def record(self, strength: float = 1.0, source: Path | None = None, quality: int | None = None) -> dict[str, Any]:
        """Return the provenance record of the finished picture: program, model, seed, settings and source.

        Of a part of the picture in the file it says which (:meth:`cinn_app.imaging.frame.Frame.record`).
        """
        made = {**self.photograph.cut_out, "strength": strength, "quality": quality, **source_record(source)}
        return {"program": f"cinn_app {__version__}", **self.settings, **made}

    def chroma(self, strength: float = 1.0) -> Tensor:
        """Return the chroma at the photograph's resolution, before it is brought into the gamut.

        Colours are as faded as the lightness, and there are none on the border of a print.

        Args:
            strength: factor of the chroma: 0 is gray, 1 is as drawn and as hints want it.

        Returns:
            Lab units, ``(2, height, width)``.

        Raises:
            CinnError: if the strength is not a number from 0 to 2.
        """
        strength = number_between(strength, Message("strength"), 0, MAX_STRENGTH)
        photograph = self.photograph
        ab = photograph.border.clear(upsample_chroma(self.ab * (self.contrast * strength), photograph.unfaded))
        if self.hints is not None:
            places, distances = self.hints.places(photograph.size), self.hints.distances(photograph.geodesic_grid)
            ab = put_colours(ab, self.lightness, places, strength * self.hints.ab, distances)
        return ab

    def render(self, strength: float = 1.0, progress: Callable[[float], None] | None = None) -> np.ndarray:
        """Make the picture at the photograph's resolution, with the photograph's lightness, as faded or as restored.

        Args:
            strength: as in :meth:`chroma`.
            progress: is told the share of the pixels that is done, up to 1; before the first the colours are enlarged.

        Returns:
            uint8 RGB, ``(height, width, 3)``.

        Raises:
            CinnError: if the strength is not a number from 0 to 2.
        """
        return lightness_and_ab_to_rgb8(self.lightness, self.chroma(strength), progress).numpy()

    def save(
        self,
        path: str | Path,
        strength: float = 1.0,
        source: Path | None = None,
        record: bool = True,
        quality: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Write the picture in the format of the path's suffix, whole or not at all, with the photograph's metadata.

        Args:
            path: of the file; that of the source is refused.
            strength: as in :meth:`render`.
            source: the photograph's file, if it is known.
            record: whether the metadata get the provenance record, which `imaging.read_provenance` reads.
            quality: of JPEG and WebP, 1 to 100; 95 by default.
            progress: as in :meth:`render`.

        Raises:
            ImageError: if the file cannot be written, or is the source.
        """
        photograph = self.photograph
        save_picture(
            as_path(path),
            self.render(strength, progress),
            photograph.metadata,
            photograph.alpha,
            source=source,
            provenance=self.record(strength, source, quality) if record else None,
            quality=quality,
        )

    def encode(
        self, format: str | None = None, strength: float = 1.0, record: bool = True, quality: int | None = None
    ) -> bytes:
        """Return the content of the file that :meth:`save` would write, by default in the photograph's format or PNG.

        Raises:
            ImageError: if the format cannot hold the picture.
        """
        photograph = self.photograph
        provenance = self.record(strength, quality=quality) if record else None
        chosen = format or format_like(photograph.metadata)
        return encode_picture(self.render(strength), chosen, photograph.metadata, photograph.alpha, provenance, quality)


def source_record(source: Path | None) -> dict[str, Any]:
    """Return the name of a photograph's file, without its folder, and its size in bytes, which identify it."""
    if source is None or not source.is_file():
        return {}
    return {"source": source.name, "source_bytes": source.stat().st_size}
