"""The colorizer as people use it: photographs in, several colourings at full resolution out.

>>> from cinn_app import Colorizer
>>> colorizer = Colorizer.load("colorize")
>>> first, second = colorizer.colorize(np.full((90, 120), 128, np.uint8), samples=2, seed=7)
>>> first.render().shape
(90, 120, 3)
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app import __version__
from cinn_app.checkpoints import Checkpoint
from cinn_app.data.pack import TARGET_STRIDE
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import (
    ImageSource,
    Photograph,
    encode_picture,
    format_like,
    lightness_and_ab_to_rgb8,
    read_photograph,
    save_picture,
    upsample_chroma,
)
from cinn_app.recipes import ColorizationRecipe
from cinn_app.systems.canvas import Canvas
from cinn_app.systems.colorization import ColorizationModel, Guidance, denormalise, normalise
from cinn_app.systems.loading import load_system, require_recipe

__all__ = ["Colorizer", "Colouring", "as_photograph", "name_source"]

#: At which multiples of the working size the best guess reads a photograph.
SCALES = (0.75, 1.0, 1.5, 2.0)
#: The highest temperature that may be asked for.
MAX_TEMPERATURE = 2.0
#: So many digits of the weights' digest tell models apart.
DIGEST_DIGITS = 12


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
        settings: what makes the same colouring of the same photograph again (:meth:`Colorizer.settings`).
    """

    photograph: Photograph
    ab: Tensor
    latents: tuple[Tensor, ...]
    log_prob: float
    seed: int | None
    temperature: tuple[float, ...]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def bits_per_dim(self) -> float:
        """Minus the log-likelihood in bits per value of `ab`: lower is more probable."""
        return -self.log_prob / math.log(2) / self.latent_dims

    @property
    def latent_dims(self) -> int:
        """How many values the latent has."""
        return sum(z.numel() for z in self.latents)

    def on(self, photograph: Photograph) -> "Colouring":
        """Lay the same colours on another copy of the photograph, such as a smaller one for a quick look."""
        return dataclasses.replace(self, photograph=photograph)

    def render(self, strength: float = 1.0) -> np.ndarray:
        """Make the picture at full resolution, with the photograph's own lightness.

        Args:
            strength: factor of the chroma: 0 is gray, 1 as the model has it.

        Returns:
            uint8 RGB, ``(height, width, 3)``.
        """
        ab = upsample_chroma(self.ab * strength, self.photograph.lightness)
        return lightness_and_ab_to_rgb8(self.photograph.lightness, ab).numpy()

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
            mark: let the metadata say how the colours came about (:meth:`mark`); `imaging.read_mark` reads it back.
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
            mark=made,
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


class Colorizer:
    """A trained colorization model, ready for photographs of any size and shape.

    Args:
        checkpoint: weights and recipe.
        device: where to compute.

    Raises:
        CheckpointError: if the checkpoint is of another system.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.recipe = require_recipe(checkpoint, ColorizationRecipe)
        self.checkpoint, self.device = checkpoint, device
        self.model = ColorizationModel(self.recipe.architecture)
        self.model.load_state_dict(checkpoint.weights)
        self.model.to(device).eval()

    @classmethod
    def load(cls, name: str | Path = "colorize", device: str = "auto") -> "Colorizer":
        """Load a shipped model by its name, or any checkpoint by its path, as :func:`load_system` does."""
        return load_system(cls, name, device)

    def temperatures(self, temperature: float | Sequence[float] | None = None) -> tuple[float, ...]:
        """Give the temperature of each scale, fine to coarse.

        Args:
            temperature: of the coarsest scale, where hue lives, the finer ones keeping the recipe's proportion to it;
                or one per scale; or ``None`` for the recipe's.

        Raises:
            CinnError: if it is below 0, above 2, or not one per scale.
        """
        default = self.recipe.sampling.temperature
        match temperature:
            case None:
                chosen = tuple(default)
            case int() | float():
                chosen = tuple(temperature * scale / default[-1] for scale in default)
            case _:
                chosen = tuple(temperature)
        if len(chosen) != len(default):
            raise CinnError(
                f"{len(chosen)} temperatures were given: give one number, or {len(default)}, fine to coarse."
            )
        if not all(0 <= scale <= MAX_TEMPERATURE for scale in chosen):  # refuses not-a-number, too
            raise CinnError(f"The temperature {temperature} is out of range: give one from 0 to {MAX_TEMPERATURE:g}.")
        return chosen

    def settings(
        self, seed: int = 0, sample: int = 0, temperature: float | Sequence[float] | None = None
    ) -> dict[str, Any]:
        """Name all that makes sample number `sample` of a draw: the model, its weights, and what was asked for."""
        return {
            "model": self.recipe.name,
            "weights": self.checkpoint.digest[:DIGEST_DIGITS],
            "seed": seed,
            "sample": sample,
            "temperature": list(self.temperatures(temperature)),
        }

    @torch.inference_mode()
    def colorize(
        self,
        image: ImageSource | Photograph,
        samples: int = 1,
        temperature: float | Sequence[float] | None = None,
        seed: int = 0,
    ) -> list[Colouring]:
        """Draw colourings of one photograph.

        Args:
            image: a path, file object, PIL image, array, or a photograph that has been read already.
            samples: how many to draw.
            temperature: see :meth:`temperatures`; 0 draws nothing and gives the latent's centre. The recipe's
                coherence applies at every temperature, see :meth:`ColorizationModel.draw`.
            seed: sample `i` of a seed is always the same, however many are drawn.

        Returns:
            As many colourings as `samples`.

        Raises:
            ImageError: if the picture cannot be read.
            CinnError: if the temperature is out of range or `samples` is below 1.
        """
        if samples < 1:
            raise CinnError(f"{samples} samples were asked for: ask for at least 1.")
        scales = self.temperatures(temperature)
        photograph = as_photograph(image)
        canvas = Canvas.of(photograph, self.recipe.data.size)
        lightness = canvas.lightness(photograph).to(self.device)
        guidance = self.model.guide(lightness).repeat(samples)
        drawn = [
            self.model.draw((1, *guidance.mean.shape[1:]), scales, self.recipe.sampling.coherence, _generator(seed, i))
            for i in range(samples)
        ]
        latents = tuple(torch.cat(scale).to(self.device) for scale in zip(*drawn, strict=True))
        ab = self.model.settle(self.model.decode(latents, guidance)[0], guidance, lightness)
        colourings = self._colourings(ab, photograph, canvas, guidance, seed, scales)
        return [
            dataclasses.replace(colouring, settings=self.settings(seed, number, scales))
            for number, colouring in enumerate(colourings)
        ]

    @torch.inference_mode()
    def best_guess(self, image: ImageSource | Photograph) -> Colouring:
        """Give the conditional mean: the single colouring with the smallest expected error, and the palest.

        The photograph is read at several sizes, each as it is and mirrored, and the means are averaged: on held-out
        photographs that takes 2% off the error of reading it once.
        """
        photograph = as_photograph(image)
        size = self.recipe.data.size
        canvas = Canvas.of(photograph, size)
        guidance = self.model.guide(canvas.lightness(photograph).to(self.device))
        readings = itertools.product(SCALES, (False, True))
        means = [self._mean(photograph, round(scale * size), mirrored) for scale, mirrored in readings]
        shape = (canvas.height // TARGET_STRIDE, canvas.width // TARGET_STRIDE)
        resized = [functional.interpolate(mean[None], shape, mode="bilinear", antialias=True) for mean in means]
        ab = canvas.extend(torch.stack(resized).mean(0))
        return self._colourings(ab, photograph, canvas, guidance)[0]

    def _mean(self, photograph: Photograph, size: int, mirrored: bool) -> Tensor:
        """Foretell the chroma ``(2, height, width)`` of a photograph read at one size."""
        canvas = Canvas.of(photograph, size)
        seen = dataclasses.replace(photograph, lightness=photograph.lightness.flip(-1)) if mirrored else photograph
        mean = canvas.crop(denormalise(self.model.guide(canvas.lightness(seen).to(self.device)).mean)[0])
        return mean.flip(-1) if mirrored else mean

    @torch.inference_mode()
    def encode(self, image: ImageSource | Photograph, noisy: bool = False) -> Colouring:
        """Read a colour photograph's own colours as a latent code, with their log-likelihood.

        Args:
            image: a colour photograph; one that has been read already must have kept its colour.
            noisy: add the noise of the training, always the same, for a likelihood that compares with training's.

        Raises:
            ImageError: if the picture cannot be read or has no colour.
        """
        photograph = image if isinstance(image, Photograph) else read_photograph(image, keep_colour=True)
        if photograph.ab is None:
            raise ImageError("This picture has no colours to encode: give a colour photograph.")
        canvas = Canvas.of(photograph, self.recipe.data.size)
        guidance = self.model.guide(canvas.lightness(photograph).to(self.device))
        ab = canvas.chroma(photograph.ab).to(self.device)
        if noisy:
            noise = torch.randn(ab.shape, generator=_generator(0, 0)).to(self.device)
            ab = denormalise(normalise(ab) + self.recipe.objective.noise * noise)
        return self._colourings(ab, photograph, canvas, guidance)[0]

    def _colourings(
        self,
        ab: Tensor,
        photograph: Photograph,
        canvas: Canvas,
        guidance: Guidance,
        seed: int | None = None,
        temperature: tuple[float, ...] = (),
    ) -> list[Colouring]:
        """Find latents and log-likelihoods of chroma ``(batch, 2, height, width)`` on the canvas."""
        latents, log_probs = self.model.encode(ab, guidance)
        return [
            Colouring(
                photograph,
                canvas.crop(ab[number]).cpu(),
                tuple(z[number].cpu() for z in latents),
                float(log_probs[number]),
                seed,
                temperature,
            )
            for number in range(len(ab))
        ]


def as_photograph(image: ImageSource | Photograph) -> Photograph:
    """Read a picture unless it has been read already."""
    return image if isinstance(image, Photograph) else read_photograph(image)


def name_source(source: Path | None) -> dict[str, Any]:
    """Name a photograph's file so that it is known again: by its name, not its folder, and its size in bytes."""
    if source is None or not source.is_file():
        return {}
    return {"source": source.name, "source_bytes": source.stat().st_size}


def _generator(seed: int, sample: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, sample]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & (2**63 - 1))
