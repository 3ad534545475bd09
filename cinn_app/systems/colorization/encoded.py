"""A photograph as the network reads it: at several sizes, each as it is and mirrored."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.model import SIZE_MULTIPLE, TARGET_STRIDE, ColorizationModel, Conditions, denormalise

__all__ = ["Canvas", "EncodedPhotograph", "average_predictions"]

#: At which multiples of the working size a photograph is read for its mean.
SCALES = (0.75, 1.0, 1.5, 2.0)
#: Standard deviation of L* below which there is less and less to read; a foggy photograph has more.
LEAST_CONTRAST = 3.0


@dataclasses.dataclass(frozen=True)
class Canvas:
    """How a photograph lies in the network's canvas: shrunk without squashing, then mirrored at right and bottom.

    Attributes:
        height, width: of the shrunk photograph, multiples of the chroma's stride.
        canvas: height and width of the canvas, multiples of 64.
    """

    height: int
    width: int
    canvas: tuple[int, int]

    @classmethod
    def of(cls, photograph: Photograph, size: int) -> "Canvas":
        height, width = photograph.lightness.shape[-2:]
        scale = min(size / min(height, width), MAX_ASPECT * size / max(height, width))
        sides = [max(TARGET_STRIDE, TARGET_STRIDE * round(scale * side / TARGET_STRIDE)) for side in (height, width)]
        canvas = tuple(-(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in sides)
        return cls(sides[0], sides[1], (canvas[0], canvas[1]))

    @property
    def content_size(self) -> tuple[int, int]:
        """Height and width of the shrunk photograph's chroma."""
        return self.height // TARGET_STRIDE, self.width // TARGET_STRIDE

    def lightness(self, photograph: Photograph) -> Tensor:
        """Give the canvas that the network reads, ``(1, 1, height, width)``."""
        shrunk = functional.interpolate(
            photograph.lightness[None], (self.height, self.width), mode="bicubic", antialias=True
        )
        return _mirror(shrunk.clamp(0, 100), self.canvas)

    def chroma(self, ab: Tensor) -> Tensor:
        """Bring full-resolution chroma ``(2, height, width)`` to the canvas, at the flow's stride."""
        shrunk = functional.interpolate(ab[None], (self.height, self.width), mode="bicubic", antialias=True)
        return self.extend(functional.avg_pool2d(shrunk, TARGET_STRIDE))

    def extend(self, ab: Tensor) -> Tensor:
        """Undo :meth:`crop`: mirror the field's chroma ``(batch, 2, height / 4, width / 4)`` out to the canvas."""
        return _mirror(ab, (self.canvas[0] // TARGET_STRIDE, self.canvas[1] // TARGET_STRIDE))

    def crop(self, ab: Tensor) -> Tensor:
        """Cut the photograph's own field out of the canvas's chroma ``(..., height / 4, width / 4)``."""
        return ab[..., : self.content_size[0], : self.content_size[1]]


class EncodedPhotograph(NamedTuple):
    """A photograph, and what the model finds in it.

    Attributes:
        photograph: at full resolution.
        canvas: how it lies before the network.
        lightness: L* that the network reads, ``(1, 1, height, width)``.
        conditions: what the flow is told, ``batch`` times; its mean is that of several readings.
        skew: the density's centre, latent 0, minus that mean, in Lab units, ``(1, 2, height / 4, width / 4)``.
    """

    photograph: Photograph
    canvas: Canvas
    lightness: Tensor
    conditions: Conditions
    skew: Tensor

    @classmethod
    def of(cls, model: ColorizationModel, photograph: Photograph, size: int) -> "EncodedPhotograph":
        """Read a photograph at a working size, on the model's device.

        The conditions are those of one reading; the mean, around which the flow draws, is the average over several
        sizes and mirror images. Of an even gray, from which nothing can be told, it is that of all photographs.
        """
        canvas = Canvas.of(photograph, size)
        device = next(model.parameters()).device
        lightness = canvas.lightness(photograph).to(device)
        mean = average_predictions(lambda lightness: model.condition(lightness).mean, photograph, size, device)
        mean = mean * (lightness.std() / LEAST_CONTRAST).clamp(max=1)
        conditions = model.condition(lightness)._replace(mean=mean)
        shapes = model.flow.latent_shape(tuple(mean.shape[1:]))
        centre, _ = model.decode([mean.new_zeros(len(mean), *shape) for shape in shapes], conditions)
        return cls(photograph, canvas, lightness, conditions, centre - denormalise(mean))

    def repeat(self, times: int) -> "EncodedPhotograph":
        """Prepare for so many colourings at once."""
        return self._replace(conditions=self.conditions.repeat(times))


def average_predictions(
    predict: Callable[[Tensor], Tensor], photograph: Photograph, size: int, device: torch.device
) -> Tensor:
    """Average what is predicted of a photograph at several sizes and both ways round.

    Args:
        predict: gives chroma ``(batch, 2, height / 4, width / 4)`` for L* ``(batch, 1, height, width)``.
        photograph: to be read.
        size: at multiples of which it is read.
        device: where to predict.

    Returns:
        Chroma on the canvas of that size, ``(1, 2, height / 4, width / 4)``.
    """
    canvas = Canvas.of(photograph, size)
    predicted = [_both_ways(predict, photograph, round(scale * size), device) for scale in SCALES]
    resized = [
        functional.interpolate(chroma, canvas.content_size, mode="bilinear", antialias=True) for chroma in predicted
    ]
    return canvas.extend(torch.stack(resized).mean(0))


def _both_ways(predict: Callable[[Tensor], Tensor], photograph: Photograph, size: int, device: torch.device) -> Tensor:
    canvas = Canvas.of(photograph, size)
    lightness = canvas.lightness(photograph).to(device)
    straight, mirrored = predict(torch.cat([lightness, lightness.flip(-1)]))
    return canvas.crop((straight + mirrored.flip(-1)) / 2)[None]


#: A picture's longer side is read at no more than this times the working size.
MAX_ASPECT = 4


def _mirror(picture: Tensor, canvas: tuple[int, int]) -> Tensor:
    """Extend a picture ``(..., height, width)`` to the canvas by mirroring, as often as it takes."""
    for dim, size in zip((-2, -1), canvas, strict=True):
        index = torch.arange(size, device=picture.device) % (2 * picture.shape[dim])
        picture = picture.index_select(dim, torch.minimum(index, 2 * picture.shape[dim] - 1 - index))
    return picture
