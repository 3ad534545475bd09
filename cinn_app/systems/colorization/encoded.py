"""A photograph as the network reads it: at several sizes, each as it is and mirrored."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.canvas import Canvas
from cinn_app.systems.colorization.model import ColorizationModel, Guidance, denormalise

__all__ = ["Reading", "read_often"]

#: At which multiples of the working size a photograph is read for its mean.
SCALES = (0.75, 1.0, 1.5, 2.0)
#: Standard deviation of L* below which there is less and less to read; a foggy photograph has more.
LEAST_CONTRAST = 3.0


class Reading(NamedTuple):
    """A photograph, and what the model finds in it.

    Attributes:
        photograph: at full resolution.
        canvas: how it lies before the network.
        lightness: L* that the network reads, ``(1, 1, height, width)``.
        guidance: what the flow is told, ``batch`` times; its mean is that of several readings.
        skew: the density's centre, latent 0, minus that mean, in Lab units, ``(1, 2, height / 4, width / 4)``.
    """

    photograph: Photograph
    canvas: Canvas
    lightness: Tensor
    guidance: Guidance
    skew: Tensor

    @classmethod
    def of(cls, model: ColorizationModel, photograph: Photograph, size: int) -> "Reading":
        """Read a photograph at a working size, on the model's device.

        The conditions are those of one reading; the mean, around which the flow draws, is the average over several
        sizes and mirror images. Of an even gray, from which nothing can be told, it is that of all photographs.
        """
        canvas = Canvas.of(photograph, size)
        device = next(model.parameters()).device
        lightness = canvas.lightness(photograph).to(device)
        mean = read_often(lambda lightness: model.guide(lightness).mean, photograph, size, device)
        mean = mean * (lightness.std() / LEAST_CONTRAST).clamp(max=1)
        guidance = model.guide(lightness)._replace(mean=mean)
        shapes = model.flow.latent_shape(tuple(mean.shape[1:]))
        centre, _ = model.decode([mean.new_zeros(len(mean), *shape) for shape in shapes], guidance)
        return cls(photograph, canvas, lightness, guidance, centre - denormalise(mean))

    def repeat(self, times: int) -> "Reading":
        """Prepare for so many colourings at once."""
        return self._replace(guidance=self.guidance.repeat(times))


def read_often(foretell: Callable[[Tensor], Tensor], photograph: Photograph, size: int, device: torch.device) -> Tensor:
    """Average what is foretold of a photograph at several sizes and both ways round.

    Args:
        foretell: gives chroma ``(batch, 2, height / 4, width / 4)`` for L* ``(batch, 1, height, width)``.
        photograph: to be read.
        size: at multiples of which it is read.
        device: where to foretell.

    Returns:
        Chroma on the canvas of that size, ``(1, 2, height / 4, width / 4)``.
    """
    canvas = Canvas.of(photograph, size)
    foretold = [_both_ways(foretell, photograph, round(scale * size), device) for scale in SCALES]
    resized = [functional.interpolate(chroma, canvas.field, mode="bilinear", antialias=True) for chroma in foretold]
    return canvas.extend(torch.stack(resized).mean(0))


def _both_ways(foretell: Callable[[Tensor], Tensor], photograph: Photograph, size: int, device: torch.device) -> Tensor:
    canvas = Canvas.of(photograph, size)
    lightness = canvas.lightness(photograph).to(device)
    straight, mirrored = foretell(torch.cat([lightness, lightness.flip(-1)]))
    return canvas.crop((straight + mirrored.flip(-1)) / 2)[None]
