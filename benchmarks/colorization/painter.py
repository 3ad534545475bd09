"""A baseline in place of the colorizer: the same code measures both, and both see photographs at the same sizes."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.colorizer import Colouring
from cinn_app.systems.colorization.encoded import average_predictions, network_inputs


class Answers(Protocol):
    """Predicts and draws chroma; :class:`colorization.baseline.Baseline` has shapes and units."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def centre(self, lightness: Tensor) -> Tensor:
        """Return the centre of the samples."""
        ...

    def sample(self, lightness: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw colourings of one photograph."""
        ...


class BaselinePainter:
    """Photographs in, colourings at full resolution out, as with our colorizer.

    The centre is predicted at the sizes of the mean and in both orientations, as our mean is. Samples depart from it as
    they do from the centre at the working size.

    Args:
        answers: a trained family.
        sizes: in pixels, :attr:`ColorizationRecipe.sizes`.
    """

    def __init__(self, answers: Answers, sizes: tuple[int, ...]) -> None:
        self.answers, self.sizes, self.device = answers, sizes, answers.device

    def encode_photograph(self, image: Photograph, /) -> Photograph:
        """Return the photograph: each call encodes it again."""
        return image

    def best_guess(self, image: Photograph, /) -> Colouring:
        """Return the centre of the samples."""
        return self._painted(image, 0, None)[0]

    def colorize(
        self,
        image: Photograph,
        samples: int = 1,
        temperature: float | Sequence[float] | None = None,
        seed: int = 0,
        /,
    ) -> list[Colouring]:
        """Draw colourings; their likelihood is unknown, and they have no temperature."""
        assert temperature is None
        return self._painted(image, samples, seed)

    @torch.inference_mode()
    def _painted(self, image: Photograph, samples: int, seed: int | None) -> list[Colouring]:
        """Return samples of a seed, or the centre without one."""
        inputs = network_inputs(image, self.sizes)
        canvas = inputs[0].canvas
        ab = average_predictions(lambda lightness: self.answers.centre(lightness.to(self.device)), inputs)
        if seed is not None:
            lightness = inputs[0].lightness.to(self.device)
            drawn = self.answers.sample(lightness, samples, torch.Generator().manual_seed(seed))
            ab = ab + drawn - self.answers.centre(lightness)
        return [Colouring(image, canvas.crop(one), lambda: ((), math.nan), seed) for one in ab.cpu()]
