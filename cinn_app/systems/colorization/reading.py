"""A photograph as the network reads it: at several sizes, each as it is and mirrored."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.canvas import Canvas
from cinn_app.systems.colorization.model import ColorizationModel, Guidance

__all__ = ["Reading"]

#: At which multiples of the working size a photograph is read for its mean.
SCALES = (0.75, 1.0, 1.5, 2.0)


class Reading(NamedTuple):
    """A photograph, and what the model finds in it.

    Attributes:
        photograph: at full resolution.
        canvas: how it lies before the network.
        lightness: L* that the network reads, ``(1, 1, height, width)``.
        guidance: what the flow is told, ``batch`` times; its mean is that of several readings.
    """

    photograph: Photograph
    canvas: Canvas
    lightness: Tensor
    guidance: Guidance

    @classmethod
    def of(cls, model: ColorizationModel, photograph: Photograph, size: int) -> "Reading":
        """Read a photograph at a working size, on the model's device.

        The conditions are those of one reading; the mean, around which the flow draws, is the average over several
        sizes and mirror images.
        """
        canvas = Canvas.of(photograph, size)
        lightness = canvas.lightness(photograph).to(next(model.parameters()).device)
        means = [_mean(model, photograph, round(scale * size)) for scale in SCALES]
        resized = [functional.interpolate(mean, canvas.field, mode="bilinear", antialias=True) for mean in means]
        mean = canvas.extend(torch.stack(resized).mean(0))
        return cls(photograph, canvas, lightness, model.guide(lightness)._replace(mean=mean))

    def repeat(self, times: int) -> "Reading":
        """Prepare for so many colourings at once."""
        return self._replace(guidance=self.guidance.repeat(times))


def _mean(model: ColorizationModel, photograph: Photograph, size: int) -> Tensor:
    """Foretell the normalised chroma ``(1, 2, height, width)`` of a photograph read at one size, both ways round."""
    canvas = Canvas.of(photograph, size)
    lightness = canvas.lightness(photograph).to(next(model.parameters()).device)
    straight, mirrored = model.guide(torch.cat([lightness, lightness.flip(-1)])).mean
    return canvas.crop((straight + mirrored.flip(-1)) / 2)[None]
