"""How photographs of any size lie in what the network reads."""

import dataclasses

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.model import SIZE_MULTIPLE
from cinn_app.systems.colorization.pack import TARGET_STRIDE

__all__ = ["Canvas"]

#: A picture's longer side is read at no more than this times the working size.
MAX_ASPECT = 4


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
    def field(self) -> tuple[int, int]:
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
        return ab[..., : self.field[0], : self.field[1]]


def _mirror(picture: Tensor, canvas: tuple[int, int]) -> Tensor:
    """Extend a picture ``(..., height, width)`` to the canvas by mirroring, as often as it takes."""
    for dim, size in zip((-2, -1), canvas, strict=True):
        index = torch.arange(size, device=picture.device) % (2 * picture.shape[dim])
        picture = picture.index_select(dim, torch.minimum(index, 2 * picture.shape[dim] - 1 - index))
    return picture
