r"""A reference: the colours of one picture, for other photographs to take on.

A palette is a cloud of colours without places, each with its rank among the picture's lightnesses, so that what is dark
takes the colours of what is dark. How far a colouring is from it is the sliced Wasserstein distance (Rabin et al.
2011): over many directions :math:`\theta` the mean squared difference between both clouds' sorted shadows,

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

__all__ = ["Palette"]

#: Colours are gathered over cells of so fine a grid.
GRID = 64
#: The range of lightness ranks, in Lab units: how much their order counts against colour.
RANKS = 40.0
#: How many times three directions the clouds are compared along.
FRAMES = 8


@runtime_checkable
class Coloured(Protocol):
    """What a :class:`cinn_app.systems.colorization.colouring.Colouring` has that counts here."""

    @property
    def photograph(self) -> Photograph: ...

    @property
    def ab(self) -> Tensor: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Palette:
    """The colours of a picture. One palette serves any number of photographs, such as those of an album.

    Attributes:
        cloud: ranks of lightness, a and b, ``(3, colours)``.
    """

    cloud: Tensor

    @classmethod
    def of(cls, picture: ImageSource | Photograph | Coloured) -> "Palette":
        """Gather the colours of a picture in colour, or of a colouring.

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
        """Tell palettes apart in few letters: a picture's mark has no room for all of its colours."""
        return hashlib.sha256(self.cloud.numpy().round(1).tobytes()).hexdigest()[:12]

    def swatches(self, count: int = 8) -> list[str]:
        """Show the palette in few colours from dark to light, as ``#rrggbb``.

        Each stands for an equal share of the picture: of its colours the one more vivid than three quarters of them.
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
        """Return how far colourings of a photograph are from the palette: mean squared, in Lab units, ``(batch,)``.

        Args:
            ab: ``(batch, 2, height, width)``.
            lightness: of the photograph at that size, ``(1, height, width)``.
        """
        # Whole frames of three, so that no direction of colour counts more than another.
        frames = torch.randn(FRAMES, 3, 3, generator=torch.Generator().manual_seed(0))
        directions = torch.linalg.qr(frames).Q.flatten(0, 1).to(ab)
        shadows = (directions @ _cloud(ab, lightness)).sort(-1).values
        own = (directions @ self.cloud.to(ab)).sort(-1).values
        own = functional.interpolate(own[None], shadows.shape[-1], mode="linear", align_corners=True)
        return 3 * (shadows - own).square().mean((1, 2))


def _cloud(ab: Tensor, lightness: Tensor) -> Tensor:
    """Return ranks of lightness, a and b, ``(batch, 3, height * width)``."""
    ranks = lightness.flatten().argsort().argsort().to(ab) * (RANKS / lightness.numel())
    return torch.cat([ranks.expand(len(ab), 1, -1), ab.flatten(2)], 1)
