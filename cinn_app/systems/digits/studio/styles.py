"""Neighbours in style: all ten digits in a visitor's handwriting and in those beside it. Knows nothing of the page."""

from typing import NamedTuple

from torch import Tensor

from cinn_app.studio.language import later, tr
from cinn_app.systems.digits.generator import DigitGenerator, Restyled
from cinn_app.systems.digits.studio.markup import row

__all__ = ["KEPT", "STEPS", "Neighbours", "neighbours", "style_grid"]

#: Steps along an axis, in standard deviations.
STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)
#: Stands for the way from a handwriting that was kept, where axes have their numbers.
KEPT = 0
YOURS, THAT_WAS_KEPT, HALF = later("yours"), later("kept"), later("half")
AXIS_ROWS = ("\N{MINUS SIGN}2", "\N{MINUS SIGN}1", YOURS, "+1", "+2")
WAY_ROWS = (THAT_WAS_KEPT, "\N{VULGAR FRACTION ONE QUARTER}", HALF, "\N{VULGAR FRACTION THREE QUARTERS}", YOURS)


class Neighbours(NamedTuple):
    """All ten digits in several handwritings.

    Attributes:
        images: uint8, ``(handwritings, 10, 28, 28)``.
        names: of the handwritings.
    """

    images: Tensor
    names: tuple[str, ...]


def neighbours(generator: DigitGenerator, own: Restyled, along: int, kept: Restyled | None = None) -> Neighbours:
    """Write all ten digits in handwritings beside a visitor's own.

    Args:
        generator: of digits.
        own: what the visitor has drawn.
        along: number of an axis, or `KEPT`.
        kept: what else the visitor has drawn; without it, the way from it is the own handwriting alone.

    Raises:
        CinnError: if there is no such axis.
    """
    if along == KEPT:
        latents = generator.interpolate_latents((kept or own).latent, own.latent, len(WAY_ROWS))
        return Neighbours(generator.all_ten(latents), WAY_ROWS)
    return Neighbours(generator.all_ten(generator.lattice(own.latent, [along], STEPS)), AXIS_ROWS)


def style_grid(shown: Neighbours) -> str:
    """Lay neighbours out, a row for each handwriting."""
    rows = (
        f'<div class="hand{" own" if name == YOURS else ""}"><span>{tr(name)}</span>{row(images)}</div>'
        for name, images in zip(shown.names, shown.images, strict=True)
    )
    return f'<div class="hands">{"".join(rows)}</div>'
