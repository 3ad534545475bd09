"""The colorizer: photographs in, several colourings at full resolution out.

>>> from cinn_app import Colorizer
>>> colorizer = Colorizer.load("colorize")
>>> first, second = colorizer.colorize(np.full((90, 120), 128, np.uint8), samples=2, seed=7)
>>> first.render().shape
(90, 120, 3)
>>> from cinn_app import Hints, Steering
>>> red = Steering(hints=Hints.parse(["60,45=#b03020"]))
>>> colorizer.colorize(np.full((90, 120), 128, np.uint8), steering=red)[0].render()[45, 60].tolist()
[217, 85, 62]
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cinn_app.arguments import of_type, whole_number
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import ImageSource, Photograph, read_photograph
from cinn_app.latents import slerp
from cinn_app.limits import DIGEST_DIGITS, MAX_TEMPERATURE
from cinn_app.messages import Message
from cinn_app.systems.colorization.axes import AXES, ColourAxis, check_steps
from cinn_app.systems.colorization.colouring import Codes, Colouring
from cinn_app.systems.colorization.encoded import EncodedPhotograph, NetworkInput
from cinn_app.systems.colorization.model import ColorizationModel, denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from cinn_app.systems.colorization.region import Region
from cinn_app.systems.colorization.sampling import (
    MAX_SAMPLES,
    check_seed,
    draw_chroma,
    draw_from_density,
    generator_of,
    sample_numbers,
    steer,
)
from cinn_app.systems.colorization.selection import CANDIDATES, choose_diverse
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.temperatures import read_temperature
from cinn_app.trained_model import TrainedModel

__all__ = ["Colorizer", "Colouring"]

#: What can be coloured.
Picture: TypeAlias = ImageSource | Photograph | EncodedPhotograph
UNSTEERED = Steering()


class Colorizer(TrainedModel[ColorizationRecipe]):
    """A trained colorization model, for photographs of any size and shape."""

    recipe_type = ColorizationRecipe
    model: ColorizationModel

    @staticmethod
    def build(recipe: ColorizationRecipe) -> ColorizationModel:
        """Build the network that a recipe describes."""
        return ColorizationModel(recipe.architecture)

    @torch.inference_mode()
    def probe(self) -> Tensor:
        """Return the mean colours of a small picture, and those of a draw."""
        rows, columns = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 96), indexing="ij")
        lightness = 50 + 40 * (6 * rows).sin() * (9 * columns * (1 + rows)).cos()
        conditions = self.model.condition(lightness[None, None].to(self.device))
        shapes, generator = self.model.distribution(conditions).latent_shapes, generator_of(0)
        latents = [torch.randn(1, *shape, generator=generator).to(self.device) for shape in shapes]
        ab, _ = self.model.decode(latents, conditions)
        return torch.cat([denormalise(conditions.mean), ab]).cpu()

    @property
    def axes(self) -> tuple[ColourAxis, ...]:
        """The axes of colour, along which :class:`Steering` takes steps."""
        return AXES

    def temperatures(self, temperature: float | Sequence[float] | None = None) -> tuple[float, ...]:
        """Return the temperature of each scale, fine to coarse.

        Args:
            temperature: of the coarsest scale, which carries the hue, while the finer ones keep the recipe's proportion
                to it; or one for each of :data:`~cinn_app.systems.colorization.temperatures.SCALES`; or ``None`` for
                the recipe's.

        Raises:
            CinnError: if it is not in 0..2, or not one per scale.
        """
        default, given = self.recipe.sampling.temperature, read_temperature(temperature)
        if given is None:
            return tuple(default)
        if isinstance(given, tuple):
            return given
        return tuple(round(min(given * scale / default[-1], MAX_TEMPERATURE), 6) for scale in default)

    def settings(
        self,
        seed: int = 0,
        sample: int = 0,
        temperature: float | Sequence[float] | None = None,
        steering: Steering = UNSTEERED,
    ) -> dict[str, Any]:
        """Return all that determines sample number `sample` of a draw, from 0, as JSON has it, for provenance records.

        Raises:
            CinnError: if seed or temperature are out of range.
        """
        drawn = {"seed": check_seed(seed), "sample": int(sample), "temperature": list(self.temperatures(temperature))}
        return {**self._model_settings(), **drawn, **steering.settings()}

    def check(self, steering: Steering) -> None:
        """Check that steering fits the model, before there is a photograph.

        Raises:
            CinnError: if the model has no such axis, or a step is out of range.
        """
        check_steps(steering.axes)

    @torch.inference_mode()
    def encode_photograph(self, image: Picture, inputs: Sequence[NetworkInput] | None = None) -> EncodedPhotograph:
        """Encode a photograph once, to colour it many times. The network takes most of the time of one colouring.

        Args:
            image: as for :meth:`colorize`; an encoded photograph is returned as it is.
            inputs: if the image is a smaller copy, those of the full-size photograph, from :func:`network_inputs`. Then
                a seed gives the copy exactly the colours of the photograph; else nearly, since details differ.

        Raises:
            ImageError: if the picture cannot be read.
        """
        if isinstance(image, EncodedPhotograph):
            return image
        photograph = image if isinstance(image, Photograph) else read_photograph(image)
        return EncodedPhotograph.of(self.model, photograph, self.recipe.sizes, inputs)

    @torch.inference_mode()
    def colorize(
        self,
        image: Picture,
        samples: int | Sequence[int] = 1,
        temperature: float | Sequence[float] | None = None,
        seed: int = 0,
        steering: Steering = UNSTEERED,
        diverse: bool = False,
    ) -> list[Colouring]:
        """Draw colourings of one photograph.

        Args:
            image: a path, file object, PIL image, array, or a photograph, best one from :meth:`encode_photograph`.
            samples: how many to draw, or the numbers of those to draw, from 0.
            temperature: see :meth:`temperatures`. 0 gives the mean, 1 draws from the trained density.
            seed: sample `i` of a seed is always the same, however many are drawn, except for the last bits of sums,
                which rarely change a pixel by one of 255 steps.
            steering: constraints on the colours. Their places are in pixels of the full-size photograph, also where a
                smaller copy of it is coloured.
            diverse: draw four times as many, and keep those that represent all (:func:`choose_diverse`).

        Returns:
            As many colourings as `samples`.

        Raises:
            ImageError: if the picture cannot be read.
            CinnError: if the temperature or the seed is out of range, `samples` is below 1, or the steering does not
                fit the photograph or the model.
        """
        of_type(steering, Steering, Message("Steering"))
        numbers = sample_numbers(samples)
        if diverse:
            drawn = self.colorize(image, CANDIDATES * len(numbers), temperature, seed, steering)
            return choose_diverse(drawn, len(numbers))
        scales, seed = self.temperatures(temperature), check_seed(seed)
        encoded = self.encode_photograph(image)
        ab = draw_chroma(self.model, encoded, scales, seed, numbers)
        return self._steered(encoded, ab, scales, seed, numbers, steering)

    @torch.inference_mode()
    def steer(
        self, colouring: Colouring, steerings: Sequence[Steering], encoded: EncodedPhotograph | None = None
    ) -> list[Colouring]:
        """Draw a colouring again with other constraints, in place of its own. The draw is made once for all of them.

        Args:
            colouring: that this model drew.
            steerings: the constraints.
            encoded: the photograph, if it is encoded already.

        Returns:
            A colouring for each of the constraints.

        Raises:
            CinnError: if the colouring was not drawn, or the constraints do not fit the photograph or the model.
        """
        of_type(colouring, Colouring, Message("A colouring"))
        if colouring.seed is None or "sample" not in colouring.settings:
            raise CinnError("This colouring was not drawn from a seed: give one of Colorizer.colorize.")
        scales, seed, numbers = colouring.temperature, colouring.seed, [colouring.settings["sample"]]
        encoded = self.encode_photograph(colouring.photograph if encoded is None else encoded)
        ab = draw_chroma(self.model, encoded, scales, seed, numbers)
        return [self._steered(encoded, ab, scales, seed, numbers, steering)[0] for steering in steerings]

    @torch.inference_mode()
    def sample_density(self, image: Picture, samples: int = 1, seed: int = 0) -> list[Colouring]:
        """Draw from the trained density: temperature 1 at every scale.

        Likelihood and calibration are properties of these samples. :meth:`colorize` draws details cooler, for pictures
        without speckle.

        Args:
            image: as for :meth:`colorize`.
            samples: how many to draw.
            seed: makes draws repeatable.

        Raises:
            ImageError: if the picture cannot be read.
            CinnError: if the seed is out of range.
        """
        encoded = self.encode_photograph(image)
        ab, latents, log_probs = draw_from_density(self.model, encoded, samples, seed)
        colourings = self._colourings(encoded, ab, lambda: (latents, log_probs))
        return [dataclasses.replace(colouring, seed=check_seed(seed)) for colouring in colourings]

    def redraw(
        self, colouring: Colouring, keep: np.ndarray, seed: int = 0, encoded: EncodedPhotograph | None = None
    ) -> Colouring:
        """Keep a region of a colouring, and draw the rest again with the same steering.

        Args:
            colouring: of this model.
            keep: true in the region, ``(height, width)`` of the photograph.
            seed: of the rest.
            encoded: the photograph, if it is encoded already.

        Raises:
            CinnError: if the mask does not fit, leaves nothing to draw, or the colouring is of another model.
        """
        encoded = self._encoded(of_type(colouring, Colouring, Message("A colouring")), encoded)
        steering = dataclasses.replace(colouring.steering, region=Region(colouring.ab, keep))
        return self.colorize(encoded, 1, colouring.temperature or None, seed, steering)[0]

    @torch.inference_mode()
    def interpolate(
        self, first: Colouring, second: Colouring, count: int = 8, encoded: EncodedPhotograph | None = None
    ) -> list[Colouring]:
        """Go from one colouring of a photograph to another on the great circle between their latents.

        Args:
            first: the colouring to begin with.
            second: the colouring to end with.
            count: colourings, both ends included, at least 2.
            encoded: the photograph, if it is encoded already.

        Raises:
            CinnError: if there are too few, or the colourings are of different photographs or of another model.
        """
        count = whole_number(count, Message("number of colourings"), 2, MAX_SAMPLES)
        for colouring in (first, second):
            of_type(colouring, Colouring, Message("A colouring"))
        if first.ab.shape != second.ab.shape or first.photograph.size != second.photograph.size:
            raise CinnError("These colourings are of different photographs: give two of one.")
        encoded = self._encoded(first, encoded)
        start, end = (torch.cat([z.flatten() for z in colouring.latents]) for colouring in (first, second))
        path = slerp(start, end, torch.linspace(0, 1, count)[:, None]).to(self.device)
        scales = path.split([z.numel() for z in first.latents], 1)
        latents = [scale.unflatten(1, z.shape) for scale, z in zip(scales, first.latents, strict=True)]
        ab, log_probs = self.model.decode(latents, encoded.conditions)
        steering = Steering(
            hints=first.hints if first.hints == second.hints else None,
            restore_levels=first.steering.restore_levels and second.steering.restore_levels,
        )
        between = self._colourings(encoded, ab, lambda: (latents, log_probs))[1:-1]
        return [first, *(dataclasses.replace(colouring, steering=steering) for colouring in between), second]

    @torch.inference_mode()
    def best_guess(self, image: Picture) -> Colouring:
        """Return the conditional mean: the colouring with the smallest expected error, and the palest."""
        encoded = self.encode_photograph(image)
        return self._colourings(encoded, denormalise(encoded.conditions.mean))[0]

    @torch.inference_mode()
    def encode(self, image: Picture, noisy: bool = False) -> Colouring:
        """Encode the true colours of a photograph: their latents and log-likelihood.

        Args:
            image: a colour photograph; one that was read already must have kept its colour.
            noisy: add the training's noise, always the same, for a likelihood that compares with the training's.

        Raises:
            ImageError: if the picture cannot be read or has no colours.
        """
        if not isinstance(image, Photograph | EncodedPhotograph):
            image = read_photograph(image, keep_colour=True)
        encoded = self.encode_photograph(image)
        if encoded.photograph.ab is None:
            raise ImageError("This picture has no colours to encode: give a colour photograph.")
        ab = encoded.canvas.own_chroma(encoded.photograph).to(self.device)
        if noisy:
            noise = torch.randn(ab.shape, generator=generator_of(0, 0)).to(self.device)
            ab = denormalise(normalise(ab) + self.recipe.objective.noise * noise)
        return self._colourings(encoded, ab)[0]

    @torch.inference_mode()
    def encode_chroma(self, image: Picture, ab: Tensor) -> list[Colouring]:
        """Encode any colours of a photograph: their latents and log-likelihoods.

        Args:
            image: as for :meth:`colorize`.
            ab: Lab units at the size of :attr:`Colouring.ab`, ``(count, 2, height, width)``.

        Raises:
            ImageError: if the picture cannot be read.
            CinnError: if the chroma does not fit the photograph.
        """
        encoded = self.encode_photograph(image)
        height, width = encoded.canvas.content_size
        if ab.ndim != 4 or ab.shape[1:] != (2, height, width):
            raise CinnError(
                "Chroma of shape {given} does not fit this photograph: give (count, 2, {height}, {width}).",
                given=tuple(ab.shape),
                height=height,
                width=width,
            )
        return self._colourings(encoded, encoded.canvas.extend(ab).to(self.device))

    def _steered(
        self,
        encoded: EncodedPhotograph,
        ab: Tensor,
        temperature: tuple[float, ...],
        seed: int,
        numbers: Sequence[int],
        steering: Steering,
    ) -> list[Colouring]:
        """Steer drawn chroma of these numbers, and make colourings of it."""
        if steering.hints:
            steering = dataclasses.replace(steering, hints=steering.hints.on(encoded.photograph.full_size))
        return [
            dataclasses.replace(
                colouring,
                seed=seed,
                temperature=temperature,
                steering=steering,
                settings=self.settings(seed, number, temperature, steering),
            )
            for number, colouring in zip(numbers, self._colourings(encoded, steer(encoded, ab, steering)), strict=True)
        ]

    def _encoded(self, colouring: Colouring, encoded: EncodedPhotograph | None) -> EncodedPhotograph:
        """Encode the photograph of a colouring, and check that this model can have made the colouring."""
        encoded = self.encode_photograph(colouring.photograph if encoded is None else encoded)
        shapes = self.model.distribution(encoded.conditions).latent_shapes
        fits = tuple(tuple(z.shape) for z in colouring.latents) == shapes
        if not fits or colouring.ab.shape[1:] != encoded.canvas.content_size:
            raise CinnError("This colouring is of another model or size: give one that this model made.")
        return encoded

    def _colourings(
        self,
        encoded: EncodedPhotograph,
        ab: Tensor,
        code: Callable[[], tuple[Sequence[Tensor], Tensor]] | None = None,
    ) -> list[Colouring]:
        """Make colourings of chroma ``(batch, 2, height, width)`` of the canvas.

        Args:
            encoded: the photograph.
            ab: Lab units.
            code: returns the latents and log-likelihoods, if they are known; else they are those of what is seen,
                mirrored beyond its edges.
        """
        own, settings = encoded.canvas.crop(ab).cpu(), self._model_settings()
        codes = Codes(code or (lambda: self.model.encode(encoded.canvas.extend(own).to(ab), encoded.conditions)))
        return [
            Colouring(
                encoded.photograph,
                one.clone(),
                functools.partial(codes.__getitem__, number),
                settings=settings,
                observations=encoded.observations,
            )
            for number, one in enumerate(own)
        ]

    def _model_settings(self) -> dict[str, Any]:
        return {"model": self.recipe.name, "weights": self.checkpoint.digest[:DIGEST_DIGITS]}
