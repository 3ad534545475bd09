"""A photograph as the network sees it: its lightness at several sizes, the conditions of the flow, and many draws.

The conditions are those of the working size. The mean chroma is predicted at several sizes, which errs less, in both
orientations, mirrored and not.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph
from cinn_app.messages import Message
from cinn_app.systems.colorization.ensemble import DRAWS, Ensemble
from cinn_app.systems.colorization.model import SIZE_MULTIPLE, TARGET_STRIDE, ColorizationModel, Conditions, normalise

__all__ = ["LOOKS_NEGATIVE", "Canvas", "EncodedPhotograph", "NetworkInput", "average_predictions", "network_inputs"]

#: Standard deviation of L* below which colours fade: an even gray says nothing about them. Fog has more contrast.
MIN_CONTRAST = 3.0
#: Shares of that deviation that are left in averages of 8x8 pixels, from no colours to all: white noise has 0.12, or up
#: to 0.35 where it is enlarged; of 1,000 photographs of four sets one has 0.40, the others 0.51 or more.
COHERENCE = (0.33, 0.38)
LOOKS_NEGATIVE = Message("It looks like a negative: if light and dark are exchanged, invert it first.")


@dataclasses.dataclass(frozen=True)
class Canvas:
    """Where a photograph lies on the network's input: shrunk without distortion, mirrored beyond its right and bottom.

    The network does not see the age of a print: fading and the dots of a halftone are removed, and the picture is
    mirrored over its border.

    Attributes:
        height, width: of the shrunk photograph, multiples of the chroma's stride.
        size: height and width of the canvas, multiples of 32.
    """

    height: int
    width: int
    size: tuple[int, int]

    @classmethod
    def of(cls, photograph: Photograph, size: int) -> "Canvas":
        """Choose the canvas for a photograph: as many cells of 32x32 pixels as a square of `size` pixels has, roughly.

        It depends on the full-size photograph alone, so that all copies of a photograph have the same canvas.
        """
        area, (height, width) = (size / SIZE_MULTIPLE) ** 2, photograph.full_size
        ratio = math.sqrt(height / width)
        rows = round(min(max(math.sqrt(area) * ratio, 1), area))
        columns = round(min(max(math.sqrt(area) / ratio, 1), area))
        scale = min(SIZE_MULTIPLE * rows / height, SIZE_MULTIPLE * columns / width)
        height, width = (TARGET_STRIDE * max(1, round(scale * side / TARGET_STRIDE)) for side in (height, width))
        return cls(height, width, (SIZE_MULTIPLE * rows, SIZE_MULTIPLE * columns))

    @property
    def content_size(self) -> tuple[int, int]:
        """Height and width of the shrunk photograph's chroma."""
        return self.height // TARGET_STRIDE, self.width // TARGET_STRIDE

    def lightness(self, photograph: Photograph) -> Tensor:
        """Shrink and extend the lightness of a photograph: L* in 0..100, ``(1, 1, height, width)``."""
        lightness = _shrink(photograph.continuous, (self.height, self.width)).clamp(0, 100)
        rows, columns = photograph.border.inside((self.height, self.width), margin=1)
        return _extend(lightness[..., rows, columns], self.size, (rows.start, columns.start))

    def chroma(self, ab: Tensor) -> Tensor:
        """Shrink and extend chroma ``(2, height, width)``: ``(1, 2, height / 4, width / 4)`` of the canvas."""
        return self.extend(functional.avg_pool2d(_shrink(ab, (self.height, self.width)), TARGET_STRIDE))

    def own_chroma(self, photograph: Photograph) -> Tensor:
        """Shrink and extend the chroma that a colour photograph has, as it was before it faded: as :meth:`chroma`."""
        assert photograph.ab is not None
        return self.chroma(photograph.levels.restore_chroma(photograph.ab))

    def extend(self, ab: Tensor) -> Tensor:
        """Extend chroma of :attr:`content_size`, ``(..., height / 4, width / 4)``, to the canvas by mirroring."""
        return _extend(ab, (self.size[0] // TARGET_STRIDE, self.size[1] // TARGET_STRIDE))

    def crop(self, ab: Tensor) -> Tensor:
        """Cut chroma of the canvas to :attr:`content_size`: the inverse of :meth:`extend`."""
        return ab[..., : self.content_size[0], : self.content_size[1]]


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkInput:
    """A photograph at one size.

    Attributes:
        canvas: where it lies.
        lightness: L* in 0..100, ``(1, 1, height, width)`` of the canvas.
    """

    canvas: Canvas
    lightness: Tensor


def network_inputs(photograph: Photograph, sizes: Sequence[int]) -> tuple[NetworkInput, ...]:
    """Shrink a photograph to the working size and to those of the mean.

    Args:
        photograph: at full size. A smaller copy has the same canvases, but other details.
        sizes: in pixels, :attr:`ColorizationRecipe.sizes`.
    """
    canvases = [Canvas.of(photograph, size) for size in sizes]
    return tuple(NetworkInput(canvas, canvas.lightness(photograph)) for canvas in canvases)


def average_predictions(predict: Callable[[Tensor], Tensor], inputs: Sequence[NetworkInput]) -> Tensor:
    """Average predictions over the sizes of the mean and both orientations.

    Args:
        predict: maps L* ``(2, 1, height, width)`` to chroma ``(2, 2, height / 4, width / 4)``.
        inputs: from :func:`network_inputs`, on any device.

    Returns:
        Chroma on the canvas of the working size, ``(1, 2, height / 4, width / 4)``.
    """
    working, *seen = inputs
    predictions = []
    for one in seen:
        straight, mirrored = predict(torch.cat([one.lightness, one.lightness.flip(-1)]))
        ab = one.canvas.crop((straight + mirrored.flip(-1)) / 2)[None]
        shrunk = functional.interpolate(ab, working.canvas.content_size, mode="bilinear", antialias=True)
        predictions.append(shrunk)
    return working.canvas.extend(torch.stack(predictions).mean(0))


@dataclasses.dataclass(frozen=True, eq=False)
class EncodedPhotograph:
    """A photograph with what the network computes from it, to be coloured many times.

    The network runs when :attr:`conditions` are read first.

    Attributes:
        photograph: to be coloured: the full-size photograph, or a smaller copy.
        inputs: what the network sees, on the device of the model.
        model: encodes them.
        sizes: of the inputs in pixels, :attr:`ColorizationRecipe.sizes`.
        drawn: the latest draws, before constraints, by what made them: with other constraints they are not drawn again.
    """

    photograph: Photograph
    inputs: tuple[NetworkInput, ...] = dataclasses.field(repr=False)
    model: ColorizationModel = dataclasses.field(repr=False)
    sizes: tuple[int, ...]
    drawn: dict[Any, Tensor] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        model: ColorizationModel,
        photograph: Photograph,
        sizes: tuple[int, ...],
        inputs: Sequence[NetworkInput] | None = None,
    ) -> "EncodedPhotograph":
        """Bring the inputs of a photograph to the device of a model; without any, :func:`network_inputs` makes them."""
        device = next(model.parameters()).device
        inputs = inputs or network_inputs(photograph, sizes)
        placed = tuple(NetworkInput(one.canvas, one.lightness.to(device)) for one in inputs)
        return cls(photograph, placed, model, sizes)

    @property
    def canvas(self) -> Canvas:
        """The canvas of the working size."""
        return self.inputs[0].canvas

    @property
    def lightness(self) -> Tensor:
        """The lightness on that canvas, L* in 0..100, ``(1, 1, height, width)``."""
        return self.inputs[0].lightness

    @functools.cached_property
    def certainty(self) -> float:
        """How far colours depart from gray, 0 to 1: 0 for an even gray and for noise, which say nothing about them."""
        deviation = self.lightness.std()
        coherence = functional.avg_pool2d(self.lightness, 8).std() / deviation.clamp(min=1e-3)
        least, enough = COHERENCE
        coherent = (coherence - least) / (enough - least)
        return float((deviation / MIN_CONTRAST).clamp(max=1) * coherent.clamp(0, 1))

    @functools.cached_property
    @torch.inference_mode()
    def _features(self) -> tuple[Tensor, ...]:
        """The encoder's features of the photograph and of its negative."""
        return self.model.encoder(torch.cat([self.lightness, 100 - self.lightness]))

    @functools.cached_property
    @torch.inference_mode()
    def observations(self) -> tuple[Message, ...]:
        """Sentences for the user about what the network noticed."""
        photograph, negative = zip(*(part.split(1) for part in self._features), strict=True)
        return (LOOKS_NEGATIVE,) if self.model.polarity(photograph, negative) > 0 else ()

    @functools.cached_property
    @torch.inference_mode()
    def conditions(self) -> Conditions:
        """The conditions of the flow, of a batch of one; their mean is the average of all predictions."""
        mean = average_predictions(self.model.predict_mean, self.inputs)
        gray = normalise(torch.zeros_like(mean))
        conditions = self.model.condition(self.lightness, [part[:1] for part in self._features])
        return conditions._replace(mean=torch.lerp(gray, mean, self.certainty))

    @functools.cached_property
    @torch.inference_mode()
    def ensemble(self) -> Ensemble:
        """Draws of the colours of its segments, at temperature 1 and without details, always the same."""
        count = self.conditions.segments.masks.shape[1]
        latents = torch.randn(DRAWS, 2, count, generator=torch.Generator().manual_seed(0)).to(self.lightness.device)
        return Ensemble(self.model.decode_segments(latents, self.conditions, self.certainty))


def _shrink(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ``(channels, height, width)`` to ``(1, channels, *size)``."""
    return functional.interpolate(picture[None], size, mode="bicubic", antialias=True)


def _extend(picture: Tensor, size: tuple[int, int], at: tuple[int, int] = (0, 0)) -> Tensor:
    """Extend ``(..., height, width)`` to ``(..., *size)`` by mirroring, as often as needed.

    Args:
        picture: to extend.
        size: height and width of the result.
        at: row and column of the result where the picture begins.
    """
    for dim, side, start in zip((-2, -1), size, at, strict=True):
        index = (torch.arange(side, device=picture.device) - start) % (2 * picture.shape[dim])
        picture = picture.index_select(dim, torch.minimum(index, 2 * picture.shape[dim] - 1 - index))
    return picture
