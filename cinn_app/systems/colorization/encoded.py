"""A photograph as the network sees it: its lightness at several sizes, and the conditions of the flow.

The mean chroma of a photograph is the average over several sizes of the photograph and over both orientations,
mirrored and not. The conditions are those of the working size.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.model import SIZE_MULTIPLE, TARGET_STRIDE, ColorizationModel, Conditions, denormalise

__all__ = ["Canvas", "EncodedPhotograph", "NetworkInput", "average_predictions", "network_inputs"]

#: The sizes whose predictions are averaged, as multiples of the working size, and the place of the working size itself.
SCALES = (0.75, 1.0, 1.5, 2.0)
WORKING = SCALES.index(1.0)
#: The longer side of a photograph is shrunk to at most this multiple of the working size.
MAX_ASPECT = 4
#: Standard deviation of L* below which the predicted mean fades into that of all photographs. Fog has more contrast.
MIN_CONTRAST = 3.0


@dataclasses.dataclass(frozen=True)
class Canvas:
    """Where a photograph lies on the network's input: shrunk without distortion, mirrored beyond its right and bottom.

    The network does not see the age of a print: fading is removed, and the picture is mirrored over its border.

    Attributes:
        height, width: of the shrunk photograph, multiples of the chroma's stride.
        size: height and width of the canvas, multiples of 64.
    """

    height: int
    width: int
    size: tuple[int, int]

    @classmethod
    def of(cls, photograph: Photograph, size: int) -> "Canvas":
        """Choose the canvas for a photograph whose shorter side is shrunk to `size` pixels.

        It depends on the full-size photograph alone, so that all copies of a photograph have the same canvas.
        """
        scale = min(size / min(photograph.full_size), MAX_ASPECT * size / max(photograph.full_size))
        height, width = (
            max(TARGET_STRIDE, TARGET_STRIDE * round(scale * side / TARGET_STRIDE)) for side in photograph.full_size
        )
        return cls(height, width, (_round_up(height), _round_up(width)))

    @property
    def content_size(self) -> tuple[int, int]:
        """Height and width of the shrunk photograph's chroma."""
        return self.height // TARGET_STRIDE, self.width // TARGET_STRIDE

    def lightness(self, photograph: Photograph) -> Tensor:
        """Shrink and extend the lightness of a photograph: L* in 0..100, ``(1, 1, height, width)``."""
        lightness = _shrink(photograph.unfaded, (self.height, self.width)).clamp(0, 100)
        rows, columns = photograph.border.inside((self.height, self.width), margin=1)
        return _extend(lightness[..., rows, columns], self.size, (rows.start, columns.start))

    def chroma(self, ab: Tensor) -> Tensor:
        """Shrink and extend chroma ``(2, height, width)``: ``(1, 2, height / 4, width / 4)`` of the canvas."""
        return self.extend(functional.avg_pool2d(_shrink(ab, (self.height, self.width)), TARGET_STRIDE))

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


def network_inputs(photograph: Photograph, size: int) -> tuple[NetworkInput, ...]:
    """Shrink a photograph to all sizes whose predictions are averaged.

    Args:
        photograph: at full size. A smaller copy has the same canvases, but other details.
        size: the working size in pixels, :attr:`ColorizationData.size` of the recipe.
    """
    canvases = [Canvas.of(photograph, round(scale * size)) for scale in SCALES]
    return tuple(NetworkInput(canvas, canvas.lightness(photograph)) for canvas in canvases)


def average_predictions(predict: Callable[[Tensor], Tensor], inputs: Sequence[NetworkInput]) -> Tensor:
    """Average predictions over all sizes and both orientations.

    Args:
        predict: maps L* ``(2, 1, height, width)`` to chroma ``(2, 2, height / 4, width / 4)``.
        inputs: from :func:`network_inputs`, on any device.

    Returns:
        Chroma on the canvas of the working size, ``(1, 2, height / 4, width / 4)``.
    """
    predictions = []
    for one in inputs:
        straight, mirrored = predict(torch.cat([one.lightness, one.lightness.flip(-1)]))
        predictions.append(one.canvas.crop((straight + mirrored.flip(-1)) / 2)[None])
    canvas = inputs[WORKING].canvas
    resized = [functional.interpolate(ab, canvas.content_size, mode="bilinear", antialias=True) for ab in predictions]
    return canvas.extend(torch.stack(resized).mean(0))


@dataclasses.dataclass(frozen=True, eq=False)
class EncodedPhotograph:
    """A photograph with what the network computes from it, to be coloured many times.

    The network runs when :attr:`conditions` are read first.

    Attributes:
        photograph: to be coloured: the full-size photograph, or a smaller copy.
        inputs: what the network sees, on the device of the model.
        model: encodes them.
    """

    photograph: Photograph
    inputs: tuple[NetworkInput, ...] = dataclasses.field(repr=False)
    model: ColorizationModel = dataclasses.field(repr=False)

    @classmethod
    def of(
        cls, model: ColorizationModel, photograph: Photograph, inputs: Sequence[NetworkInput]
    ) -> "EncodedPhotograph":
        """Bring the inputs of a photograph, from :func:`network_inputs`, to the device of a model."""
        device = next(model.parameters()).device
        return cls(photograph, tuple(NetworkInput(one.canvas, one.lightness.to(device)) for one in inputs), model)

    @property
    def canvas(self) -> Canvas:
        """The canvas of the working size."""
        return self.inputs[WORKING].canvas

    @property
    def lightness(self) -> Tensor:
        """The lightness on that canvas, L* in 0..100, ``(1, 1, height, width)``."""
        return self.inputs[WORKING].lightness

    @functools.cached_property
    @torch.inference_mode()
    def conditions(self) -> Conditions:
        """The conditions of the flow, of a batch of one; their mean is the average of all predictions.

        An even gray tells nothing: the less contrast there is, the more its mean is that of all photographs.
        """
        conditions: list[Conditions] = []

        def predict(lightness: Tensor) -> Tensor:
            conditions.append(self.model.condition(lightness))
            return conditions[-1].mean

        mean = average_predictions(predict, self.inputs)
        return conditions[WORKING].first(1)._replace(mean=mean * (self.lightness.std() / MIN_CONTRAST).clamp(max=1))

    @functools.cached_property
    @torch.inference_mode()
    def skew(self) -> Tensor:
        """The density's centre, latent 0, minus its mean: Lab units, ``(1, 2, height / 4, width / 4)``."""
        mean = self.conditions.mean
        shapes = self.model.distribution(self.conditions).latent_shapes
        centre, _ = self.model.decode([mean.new_zeros(1, *shape) for shape in shapes], self.conditions)
        return centre - denormalise(mean)


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


def _round_up(side: int) -> int:
    return -(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE
