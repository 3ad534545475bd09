"""The colorizer as people use it: photographs in, several colourings at full resolution out.

>>> from cinn_app import Colorizer
>>> colorizer = Colorizer.load("colorize")
>>> first, second = colorizer.colorize(np.full((90, 120), 128, np.uint8), samples=2, seed=7)
>>> first.render().shape
(90, 120, 3)
>>> from cinn_app import Hints, Steering
>>> wished = Steering(hints=Hints.parse(["60,45=#b03020"]))
>>> colorizer.colorize(np.full((90, 120), 128, np.uint8), steering=wished)[0].render()[45, 60].tolist()
[217, 85, 62]
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cinn_app.checkpoints import Checkpoint
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import ImageSource, Photograph, read_photograph
from cinn_app.progress import Progress, no_progress
from cinn_app.slerp import slerp
from cinn_app.systems.colorization.axes import (
    ColourAxis,
    axes_from_details,
    axes_to_details,
    fit_colour_axes,
    sum_of_steps,
)
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.model import ColorizationModel, denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from cinn_app.systems.colorization.sampling import draw_chroma, draw_from_density, generator_of
from cinn_app.systems.colorization.steering import Region, Steering
from cinn_app.trained_model import TrainedModel

__all__ = ["Colorizer", "Colouring", "as_photograph"]

#: The highest temperature that may be asked for.
MAX_TEMPERATURE = 2.0
#: So many digits of the weights' digest tell models apart.
DIGEST_DIGITS = 12
#: Nothing is asked of the colours.
UNSTEERED = Steering()


class Colorizer(TrainedModel[ColorizationRecipe]):
    """A trained colorization model, ready for photographs of any size and shape."""

    recipe_type = ColorizationRecipe
    model: ColorizationModel

    @staticmethod
    def build(recipe: ColorizationRecipe) -> ColorizationModel:
        """Build the network that a recipe describes."""
        return ColorizationModel(recipe.architecture)

    @property
    def axes(self) -> tuple[ColourAxis, ...]:
        """The model's axes of colour, the strongest first; none where its checkpoint knows of none."""
        return axes_from_details(self.checkpoint.details)

    @torch.inference_mode()
    def fit_axes(self, pictures: Sequence[ImageSource], progress: Progress = no_progress) -> Checkpoint:
        """Look for the axes of colour anew, as training does at its end.

        Args:
            pictures: photographs in colour that the model has not learnt from; gray ones are left out.
            progress: shows how it gets on.

        Returns:
            The checkpoint with them, for :func:`cinn_app.checkpoints.save_checkpoint`.

        Raises:
            ImageError: if a picture cannot be read.
        """
        examples = []
        for photograph in (read_photograph(picture, keep_colour=True) for picture in pictures):
            if photograph.ab is not None:
                encoded = self.encode_photograph(photograph)
                stem_features = self.model.encoder.stem_features(encoded.lightness)
                examples.append(ColourBatch(encoded.lightness, encoded.canvas.chroma(photograph.ab), stem_features))
        if not examples:
            raise CinnError("No axes can be found without colour photographs: give some that were not learnt from.")
        details = axes_to_details(fit_colour_axes(self.model, examples, progress))
        return dataclasses.replace(self.checkpoint, details={**self.checkpoint.details, **details})

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
        self,
        seed: int = 0,
        sample: int = 0,
        temperature: float | Sequence[float] | None = None,
        steering: Steering = UNSTEERED,
    ) -> dict[str, Any]:
        """Name all that makes sample number `sample` of a draw, from 0, as JSON has it; a file's mark holds it."""
        drawn = {"seed": seed, "sample": sample, "temperature": list(self.temperatures(temperature))}
        return {**self._model_settings(), **drawn, **steering.settings()}

    def check(self, steering: Steering) -> None:
        """Refuse wishes that do not fit the model, before any photograph is there.

        Raises:
            CinnError: if the model has no such axis, or a step is out of range.
        """
        sum_of_steps(self.axes, steering.axes, len(self.axes[0].direction) if self.axes else 0)

    def _model_settings(self) -> dict[str, Any]:
        return {"model": self.recipe.name, "weights": self.checkpoint.digest[:DIGEST_DIGITS]}

    @torch.inference_mode()
    def encode_photograph(self, image: ImageSource | Photograph | EncodedPhotograph) -> EncodedPhotograph:
        """Read a photograph once, to be coloured many times: what the network finds in it takes longest.

        Args:
            image: as for :meth:`colorize`; what has been read before comes back.

        Raises:
            ImageError: if the picture cannot be read.
        """
        if isinstance(image, EncodedPhotograph):
            return image
        return EncodedPhotograph.of(self.model, as_photograph(image), self.recipe.data.size)

    @torch.inference_mode()
    def colorize(
        self,
        image: ImageSource | Photograph | EncodedPhotograph,
        samples: int | Sequence[int] = 1,
        temperature: float | Sequence[float] | None = None,
        seed: int = 0,
        steering: Steering = UNSTEERED,
    ) -> list[Colouring]:
        """Draw colourings of one photograph.

        Args:
            image: a path, file object, PIL image, array, or a photograph that has been read already, best by
                :meth:`encode_photograph`.
            samples: how many to draw, or the numbers of those to draw, from 0.
            temperature: see :meth:`temperatures`; 0 draws nothing and gives the mean, as vivid as photographs are. The
                less it is below 1, the less is added to what the latents say, see :func:`draw_chroma`.
            seed: sample `i` of a seed is always the same, however many are drawn (but for sums' last bits, which now
                and then move a pixel by one of 255 steps). Of each pair, samples 0 and 1, 2 and 3, one lies opposite
                to the other, so that few samples already show how far colours may vary.
            steering: what is asked of the colours beside chance; its places are in pixels of the photograph, also
                where a smaller copy of it is coloured.

        Returns:
            As many colourings as `samples`.

        Raises:
            ImageError: if the picture cannot be read.
            CinnError: if the temperature is out of range, `samples` is below 1, or the steering does not fit the
                photograph or the model.
        """
        numbers = range(samples) if isinstance(samples, int) else samples
        if not numbers:
            raise CinnError(f"{samples} samples were asked for: ask for at least 1.")
        scales = self.temperatures(temperature)
        photograph = image.photograph if isinstance(image, EncodedPhotograph) else as_photograph(image)
        if steering.hints:
            steering = dataclasses.replace(steering, hints=steering.hints.on(photograph.full_size))
        encoded = self.encode_photograph(image if isinstance(image, EncodedPhotograph) else photograph).repeat(
            len(numbers)
        )
        ab = draw_chroma(self.model, self.recipe.sampling, self.axes, encoded, scales, seed, numbers, steering)
        colourings = self._colourings(ab, encoded, seed, scales, steering)
        return [
            dataclasses.replace(colouring, settings=self.settings(seed, number, scales, steering))
            for number, colouring in zip(numbers, colourings, strict=True)
        ]

    @torch.inference_mode()
    def sample_density(
        self, image: ImageSource | Photograph | EncodedPhotograph, samples: int = 1, seed: int = 0
    ) -> list[Colouring]:
        """Draw from the density that was learnt: temperature 1 at every scale, not settled along edges.

        Likelihoods and calibration are properties of these. :meth:`colorize` gives up some of both for pictures
        without speckle.

        Args:
            image: as for :meth:`colorize`.
            samples: how many to draw.
            seed: the same one draws the same again.

        Raises:
            ImageError: if the picture cannot be read.
        """
        encoded = self.encode_photograph(image).repeat(samples)
        ab, coded = draw_from_density(self.model, encoded, seed)
        return self._colourings(ab, encoded, seed, coded=coded)

    def redraw(self, colouring: Colouring, keep: np.ndarray, seed: int = 0) -> Colouring:
        """Keep a region of a colouring as it is, and draw the rest anew, steered as it was.

        Args:
            colouring: of this model.
            keep: true where it stays, ``(height, width)`` of the photograph.
            seed: another one draws the rest otherwise.

        Raises:
            CinnError: if the mask does not fit, leaves nothing to draw, or the colouring is of another model.
        """
        steering = dataclasses.replace(colouring.steering, region=Region(colouring.ab, keep))
        return self.colorize(self._read_again(colouring), 1, colouring.temperature or None, seed, steering)[0]

    @torch.inference_mode()
    def interpolate(self, first: Colouring, second: Colouring, count: int = 8) -> list[Colouring]:
        """Go from one colouring of a photograph to another, their latents along the arc between them.

        Args:
            first: the colouring to begin with.
            second: the one to end with.
            count: colourings, both ends included, at least 2.

        Raises:
            CinnError: if there are too few, or the colourings are of different photographs or of another model.
        """
        if count < 2:
            raise CinnError(f"{count} colourings have no way between them: ask for at least 2.")
        if first.ab.shape != second.ab.shape or first.photograph.size != second.photograph.size:
            raise CinnError("These colourings are of different photographs: give two of one.")
        encoded = self._read_again(first).repeat(count)
        start, end = (torch.cat([z.flatten() for z in colouring.latents]) for colouring in (first, second))
        way = slerp(start, end, torch.linspace(0, 1, count)[:, None]).to(self.device)
        sizes = [z.shape for z in first.latents]
        scales = way.split([size.numel() for size in sizes], 1)
        latents = [scale.unflatten(1, size) for scale, size in zip(scales, sizes, strict=True)]
        ab, log_probs = self.model.decode(latents, encoded.conditions)
        common = Steering(hints=first.hints if first.hints == second.hints else None)
        between = self._colourings(ab, encoded, steering=common, coded=(tuple(latents), log_probs))[1:-1]
        return [first, *between, second]

    def _read_again(self, colouring: Colouring) -> EncodedPhotograph:
        """Read the photograph of a colouring as when it was coloured."""
        encoded = self.encode_photograph(colouring.photograph)
        shapes = self.model.flow.latent_shape(tuple(encoded.conditions.mean.shape[1:]))
        fits = tuple(tuple(z.shape) for z in colouring.latents) == shapes
        if not fits or colouring.ab.shape[1:] != encoded.canvas.content_size:
            raise CinnError("This colouring is of another model or size: give one that this model made.")
        return encoded

    @torch.inference_mode()
    def best_guess(self, image: ImageSource | Photograph | EncodedPhotograph) -> Colouring:
        """Give the conditional mean: the single colouring with the smallest expected error, and the palest."""
        encoded = self.encode_photograph(image)
        return self._colourings(denormalise(encoded.conditions.mean), encoded)[0]

    @torch.inference_mode()
    def encode(self, image: ImageSource | Photograph | EncodedPhotograph, noisy: bool = False) -> Colouring:
        """Read a colour photograph's own colours as a latent code, with their log-likelihood.

        Args:
            image: a colour photograph; one that has been read already must have kept its colour.
            noisy: add the noise of the training, always the same, for a likelihood that compares with training's.

        Raises:
            ImageError: if the picture cannot be read or has no colour.
        """
        if not isinstance(image, Photograph | EncodedPhotograph):
            image = read_photograph(image, keep_colour=True)
        photograph = image.photograph if isinstance(image, EncodedPhotograph) else image
        if photograph.ab is None:
            raise ImageError("This picture has no colours to encode: give a colour photograph.")
        encoded = self.encode_photograph(image)
        ab = encoded.canvas.chroma(photograph.ab).to(self.device)
        if noisy:
            noise = torch.randn(ab.shape, generator=generator_of(0, 0)).to(self.device)
            ab = denormalise(normalise(ab) + self.recipe.objective.noise * noise)
        return self._colourings(ab, encoded)[0]

    def _colourings(
        self,
        ab: Tensor,
        encoded: EncodedPhotograph,
        seed: int | None = None,
        temperature: tuple[float, ...] = (),
        steering: Steering = UNSTEERED,
        coded: tuple[tuple[Tensor, ...], Tensor] | None = None,
    ) -> list[Colouring]:
        """Make colourings of chroma ``(batch, 2, height, width)`` on the canvas.

        Their latents and log-likelihoods are found here unless `coded` has them.
        """
        latents, log_probs = coded or self.model.encode(ab, encoded.conditions)
        return [
            Colouring(
                encoded.photograph,
                encoded.canvas.crop(ab[number]).cpu(),
                tuple(z[number].cpu() for z in latents),
                float(log_probs[number]),
                seed,
                temperature,
                steering,
                self._model_settings(),
            )
            for number in range(len(ab))
        ]


def as_photograph(image: ImageSource | Photograph) -> Photograph:
    """Read a picture unless it has been read already."""
    return image if isinstance(image, Photograph) else read_photograph(image)
