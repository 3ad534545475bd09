r"""The colours of a reference picture, which other photographs take on: sky to sky, skin to skin.

Both pictures are compared by what the network sees in their lightness. Each segment of the photograph attends to the
cells of the reference with similar features, and wants the mean of their colours:

.. math:: \widehat{ab}_k = \sum_c w_{kc} \, ab_c, \quad w_{kc} \propto \exp(\langle f_k, g_c \rangle / \tau)

for unit features f and g. The best similarity says how far a segment trusts that.
"""

import dataclasses
import hashlib
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.errors import ImageError
from cinn_app.imaging import ImageSource, Photograph, lightness_and_ab_to_rgb8, read_photograph, shrink_photograph
from cinn_app.limits import DIGEST_DIGITS
from cinn_app.systems.colorization.model import Conditions

__all__ = ["ColourReference", "colours_by_likeness"]

#: Longer side of the copy that is kept, in pixels: as much as the network sees.
SIDE = 512
#: The temperature of the attention, and the similarities that are trusted not at all and fully.
SHARPNESS, UNLIKE, ALIKE = 0.04, 0.2, 0.7


@runtime_checkable
class Coloured(Protocol):
    """A photograph with chroma, such as a :class:`cinn_app.systems.colorization.colouring.Colouring`."""

    @property
    def photograph(self) -> Photograph: ...

    @property
    def ab(self) -> Tensor: ...


@dataclasses.dataclass(frozen=True, eq=False)
class ColourReference:
    """A picture in colour for any number of photographs, such as those of an album.

    Attributes:
        photograph: its lightness, small.
        ab: its chroma in Lab units, ``(2, height, width)`` of any size.
    """

    photograph: Photograph
    ab: Tensor

    @classmethod
    def of(cls, picture: ImageSource | Photograph | Coloured) -> "ColourReference":
        """Take the colours of a colour picture or of a colouring.

        Raises:
            ImageError: if the picture cannot be read or has no colours.
        """
        if isinstance(picture, Coloured):
            return cls(shrink_photograph(picture.photograph, SIDE), picture.ab)
        photograph = picture if isinstance(picture, Photograph) else read_photograph(picture, keep_colour=True)
        colours = photograph.colours
        if colours is None:
            raise ImageError("The reference has no colours to take: give a picture in colour.")
        small = shrink_photograph(photograph, SIDE)
        ab = functional.interpolate(colours[None], small.size, mode="area")[0]
        return cls(small, photograph.levels.restore_chroma(ab))

    @property
    def digest(self) -> str:
        """A short digest of the colours, for provenance records, which have no room for all of them."""
        small = functional.adaptive_avg_pool2d(self.ab, 16).numpy().round(1)
        return hashlib.sha256(small.tobytes()).hexdigest()[:DIGEST_DIGITS]

    def swatches(self, count: int = 8) -> list[str]:
        """Return a few colours from dark to light, as ``#rrggbb``.

        Each represents an equal share of the picture: it is the upper quartile of that share by vividness.
        """
        size = min(64, self.ab.shape[1]), min(64, self.ab.shape[2])
        lightness = functional.adaptive_avg_pool2d(self.photograph.lightness, size).flatten(1)
        ab = functional.adaptive_avg_pool2d(self.ab, size).flatten(1)
        chosen = []
        for part in lightness[0].argsort().tensor_split(min(count, lightness.shape[1])):
            by_vividness = part[ab[:, part].norm(dim=0).argsort()]
            chosen.append(by_vividness[int(0.75 * (len(part) - 1))])
        places = torch.stack(chosen)
        rgb = lightness_and_ab_to_rgb8(lightness[:, places][:, None].clamp(20, 85), ab[:, places][:, None])
        return [f"#{bytes(colour).hex()}" for colour in rgb[0].tolist()]


def colours_by_likeness(photograph: Conditions, reference: Conditions, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Find colours for the segments of a photograph among those of a reference.

    Args:
        photograph: conditions of a batch of one.
        reference: likewise.
        ab: chroma of the reference in Lab units, ``(1, 2, height / 4, width / 4)`` of its canvas.

    Returns:
        The wanted colour of each segment in Lab units, ``(K, 2)``, and how far it is to be trusted, 0 to 1, ``(K,)``.
    """
    masks = photograph.segments.masks
    own, other = _features(photograph), _features(reference)
    middle = other.mean((0, 2, 3), keepdim=True)
    weights = functional.avg_pool2d(masks, 2).flatten(2)
    weights = weights / weights.sum(2, keepdim=True).clamp(min=1e-4)
    of_segments = functional.normalize((weights @ (own - middle).flatten(2).mT)[0], dim=1)
    of_cells = functional.normalize((other - middle).flatten(2)[0], dim=0)
    likeness = of_segments @ of_cells
    attention = (likeness / SHARPNESS).softmax(1)
    cells = functional.avg_pool2d(ab, 2).flatten(2)[0]
    return attention @ cells.T, ((likeness.amax(1) - UNLIKE) / (ALIKE - UNLIKE)).clamp(0, 1)


def _features(conditions: Conditions) -> Tensor:
    """Return features at stride 8, of all levels and with equal weight for each: ``(1, channels, rows, columns)``."""
    level8, *coarser = conditions.levels
    size = level8.shape[2:]
    levels = [level8, *(functional.interpolate(level, size, mode="bilinear") for level in coarser)]
    return torch.cat([level / level.norm(dim=1, keepdim=True).mean().clamp(min=1e-6) for level in levels], 1)
