r"""The colours of a reference picture, which other photographs take on.

A palette is a cloud of colours without places, each with its rank among the lightnesses of the picture, so that dark
things take the colours of dark things. The distance of a colouring from it is the sliced Wasserstein distance (Rabin et
al. 2011): over many directions :math:`\theta` the mean squared difference of the sorted projections of both clouds,

.. math:: SW^2 = 3 \, \mathrm{E}_\theta
    \lVert \operatorname{sort}(\theta^T x) - \operatorname{sort}(\theta^T y) \rVert^2
"""

import dataclasses
import hashlib
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.errors import ImageError
from cinn_app.imaging import ImageSource, Photograph, lightness_and_ab_to_rgb8, read_photograph
from cinn_app.limits import DIGEST_DIGITS

__all__ = ["Palette"]

#: Colours are averaged over the cells of a grid of this many rows and columns.
GRID = 64
#: The range of lightness ranks, in Lab units: their weight relative to colour.
RANKS = 40.0
#: The clouds are compared along this many orthonormal frames of three directions.
FRAMES = 8


@runtime_checkable
class Coloured(Protocol):
    """A photograph with chroma, such as a :class:`cinn_app.systems.colorization.colouring.Colouring`."""

    @property
    def photograph(self) -> Photograph: ...

    @property
    def ab(self) -> Tensor: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Palette:
    """The colours of a picture, for any number of photographs, such as those of an album.

    Attributes:
        cloud: ranks of lightness, a and b, ``(3, colours)``.
    """

    cloud: Tensor

    @classmethod
    def of(cls, picture: ImageSource | Photograph | Coloured) -> "Palette":
        """Take the colours of a colour picture or of a colouring.

        Raises:
            ImageError: if the picture cannot be read or has no colours.
        """
        if isinstance(picture, Coloured):
            ab, lightness = picture.ab, picture.photograph.lightness
        else:
            photograph = picture if isinstance(picture, Photograph) else read_photograph(picture, keep_colour=True)
            colours = photograph.colours
            if colours is None:
                raise ImageError("The reference has no colours to take: give a picture in colour.")
            ab, lightness = colours, photograph.lightness
        grid = min(GRID, ab.shape[1]), min(GRID, ab.shape[2])
        small, light = (functional.adaptive_avg_pool2d(channels, grid) for channels in (ab, lightness))
        return cls(_cloud(small[None], light)[0])

    @property
    def digest(self) -> str:
        """A short digest of the colours, for provenance records, which have no room for all of them."""
        return hashlib.sha256(self.cloud.numpy().round(1).tobytes()).hexdigest()[:DIGEST_DIGITS]

    def swatches(self, count: int = 8) -> list[str]:
        """Return a few colours of the palette from dark to light, as ``#rrggbb``.

        Each represents an equal share of the picture: it is the upper quartile of that share by vividness.
        """
        by_rank = self.cloud[:, self.cloud[0].argsort()]
        chosen = []
        for part in by_rank.tensor_split(min(count, by_rank.shape[1]), 1):
            vividness = part[1:].norm(dim=0)
            chosen.append(part[:, vividness.argsort()[int(0.75 * (part.shape[1] - 1))]])
        colours = torch.stack(chosen, 1)[:, None]
        # Ranks in place of lightness, which a palette does not hold.
        rgb = lightness_and_ab_to_rgb8(20 + 65 / RANKS * colours[:1], colours[1:])
        return [f"#{bytes(colour).hex()}" for colour in rgb[0].tolist()]

    def distance(self, ab: Tensor, lightness: Tensor) -> Tensor:
        """Return the squared distance of colourings of a photograph from the palette, in Lab units, ``(batch,)``.

        Args:
            ab: ``(batch, 2, height, width)``.
            lightness: L* of the photograph at that size, ``(1, height, width)``.
        """
        # Complete frames, so that no direction of colour has more weight than another.
        frames = torch.randn(FRAMES, 3, 3, generator=torch.Generator().manual_seed(0))
        directions = torch.linalg.qr(frames).Q.flatten(0, 1).to(ab)
        projections = (directions @ _cloud(ab, lightness)).sort(-1).values
        own = (directions @ self.cloud.to(ab)).sort(-1).values
        own = functional.interpolate(own[None], projections.shape[-1], mode="linear", align_corners=True)
        return 3 * (projections - own).square().mean((1, 2))


def _cloud(ab: Tensor, lightness: Tensor) -> Tensor:
    """Return ranks of lightness, a and b, ``(batch, 3, height * width)``."""
    ranks = lightness.flatten().argsort().argsort().to(ab) * (RANKS / lightness.numel())
    return torch.cat([ranks.expand(len(ab), 1, -1), ab.flatten(2)], 1)
