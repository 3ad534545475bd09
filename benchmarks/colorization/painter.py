"""A baseline in the colorizer's place, so that the same code measures both, and both read photographs alike."""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.colorizer import Colouring
from cinn_app.systems.colorization.encoded import WORKING, average_predictions, network_inputs


class Answers(Protocol):
    """What a family says of photographs; :class:`colorization.baseline.Baseline` tells shapes and units."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def centre(self, lightness: Tensor) -> Tensor:
        """Give the centre of what would be drawn."""
        ...

    def sample(self, lightness: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw colourings of one photograph."""
        ...


class BaselinePainter:
    """Photographs in, colourings at full resolution out, by the way ours go.

    The centre is the average of several readings, as our mean is; what is drawn departs from it as it does from the
    centre of the one reading for which it is drawn.

    Args:
        answers: of a family, trained.
        size: of the shorter side at which it reads.
    """

    def __init__(self, answers: Answers, size: int) -> None:
        self.answers, self.size, self.device = answers, size, answers.device

    def encode_photograph(self, image: Photograph, /) -> Photograph:
        """Give the photograph back: each way of colouring reads it anew."""
        return image

    def best_guess(self, image: Photograph, /) -> Colouring:
        """Give the centre of what it would draw."""
        return self.colorize(image, 1, 0.0)[0]

    @torch.inference_mode()
    def colorize(
        self,
        image: Photograph,
        samples: int = 1,
        temperature: float | Sequence[float] | None = None,
        seed: int = 0,
        /,
    ) -> list[Colouring]:
        """Draw colourings, or at temperature 0 give the centre; their likelihood is not known."""
        assert temperature is None or temperature == 0
        inputs = network_inputs(image, self.size)
        canvas = inputs[WORKING].canvas
        ab = average_predictions(lambda lightness: self.answers.centre(lightness.to(self.device)), inputs)
        ab = ab.expand(samples, -1, -1, -1)
        if temperature is None:
            lightness = inputs[WORKING].lightness.to(self.device)
            drawn = self.answers.sample(lightness, samples, torch.Generator().manual_seed(seed))
            ab = ab + drawn - self.answers.centre(lightness)
        return [Colouring(image, canvas.crop(one), lambda: ((), math.nan), seed) for one in ab.cpu()]
