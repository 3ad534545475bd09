"""Settings of the digits tab, and the digits that they give. Knows the generator, but nothing of the page."""

import base64
import binascii
import dataclasses
import functools

import torch
from torch import Tensor

from cinn_app.errors import ImageError
from cinn_app.limits import MAX_STEP
from cinn_app.messages import Message
from cinn_app.systems.digits.files import digit_film
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.images import digit_sheet, read_digit

__all__ = [
    "FRAMES",
    "STEPS",
    "STRIP",
    "Controls",
    "axis_previews",
    "draw",
    "film_file",
    "film_name",
    "read_pad",
    "sheet",
    "sheet_name",
    "transition",
]

#: Rows and columns of one digit in many handwritings; and of all ten digits, one per row, in a few.
ONE, ALL = (7, 6), (10, 6)
#: Number of digits from A to B, both included, in the strip and in the film.
STRIP, FRAMES = 10, 25
#: Steps at which an axis is shown above its slider.
STEPS = range(-int(MAX_STEP), int(MAX_STEP) + 1)
#: The digit that shows an axis of all digits.
EXAMPLE = 5
#: Pixels of a downloaded sheet per pixel of a digit.
SHEET_SCALE = 4
#: Characters of a file's name beyond which axes have numbers instead of names.
LONG_NAME = 100


@dataclasses.dataclass(frozen=True)
class Controls:
    """The settings of the controls.

    Attributes:
        label: the digit, or None for all of them.
        own: whether the steps are along the digit's own axes; all digits together have none.
        temperature, seed: of the handwritings.
        steps: along each axis, in standard deviations.
    """

    label: int | None
    own: bool
    temperature: float
    seed: int
    steps: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid of digits."""
        return ALL if self.label is None else ONE

    @property
    def axes_of(self) -> int | None:
        """Class of the axes, for :meth:`DigitGenerator.axes`."""
        return self.label if self.own else None

    @property
    def moves(self) -> dict[str | int, float]:
        """Steps by the number of the axis, for :meth:`DigitGenerator.move`."""
        return {number: step for number, step in enumerate(self.steps, start=1) if step}

    @property
    def labels(self) -> list[int]:
        """The digit of each cell of the grid, row by row."""
        rows, columns = self.shape
        return [row if self.label is None else self.label for row in range(rows) for _ in range(columns)]

    @property
    def corners(self) -> tuple[int, int]:
        """The first and the last cell: A and B until a visitor chooses others."""
        rows, columns = self.shape
        return 0, rows * columns - 1

    def existing(self, chosen: tuple[int, int]) -> tuple[int, int]:
        """Return two chosen cells; one that is gone since a visitor clicked it becomes the last."""
        last = self.corners[1]
        return min(chosen[0], last), min(chosen[1], last)

    def latents(self, generator: DigitGenerator) -> Tensor:
        """Return the latent of each cell, row by row: ``(rows * columns, 784)``."""
        rows, columns = self.shape
        count = columns if self.label is None else rows * columns
        drawn = generator.draw(count, self.temperature, self.seed)
        moved = generator.move(drawn, self.moves, self.axes_of)
        return moved.repeat(rows, 1) if self.label is None else moved


@functools.lru_cache(maxsize=2)  # the page is laid out in two languages
def draw(generator: DigitGenerator, controls: Controls) -> Tensor:
    """Write the digits of the grid: uint8, ``(rows, columns, 28, 28)``.

    Raises:
        CinnError: if a number is out of range.
    """
    return generator.decode(controls.latents(generator), controls.labels).unflatten(0, controls.shape)


def transition(generator: DigitGenerator, controls: Controls, chosen: tuple[int, int], count: int = STRIP) -> Tensor:
    """Write the digits from one cell to another: uint8, ``(count, 28, 28)``."""
    latents, labels = controls.latents(generator), controls.labels
    first, last = chosen
    return generator.interpolate(latents[first], latents[last], (labels[first], labels[last]), count)


@functools.lru_cache(maxsize=2)
def axis_previews(generator: DigitGenerator, controls: Controls) -> Tensor:
    """Move the average handwriting along each axis in whole steps: uint8, ``(axes, 7, 28, 28)``."""
    middle = generator.draw(1, temperature=0)[0]
    axes = range(1, len(generator.axes()) + 1)
    moved = torch.cat([generator.lattice(middle, [axis], STEPS, controls.axes_of) for axis in axes])
    label = EXAMPLE if controls.label is None else controls.label
    return generator.decode(moved, label).unflatten(0, (len(axes), len(STEPS)))


def read_pad(address: str | None) -> Tensor:
    """Read the digit that is drawn on the pad.

    Args:
        address: the canvas as a browser encodes it, ``data:image/png;base64,...``; None for an empty one.

    Returns:
        uint8, ``(28, 28)``.

    Raises:
        ImageError: if the pad is empty, or shows no digit.
    """
    if not address:
        raise ImageError("The pad is empty: draw one digit, large and in the middle.")
    try:
        drawing = base64.b64decode(address.partition(",")[2], validate=True)
    except binascii.Error:
        drawing = b""
    if not drawing.startswith(b"\x89PNG"):
        raise ImageError("The drawing did not arrive completely: draw it again.")
    try:
        return read_digit(drawing)
    except ImageError as error:
        raise ImageError(error.template, **{**error.values, "name": Message("The pad")}) from error


def sheet(generator: DigitGenerator, controls: Controls) -> Tensor:
    """Arrange the grid's digits on a sheet for download, dark ink on white paper: uint8, ``(height, width)``."""
    return 255 - torch.from_numpy(digit_sheet(draw(generator, controls), SHEET_SCALE))


def sheet_name(generator: DigitGenerator, controls: Controls) -> str:
    """Name a sheet after its settings: ``digits-7-seed3-t0.8-slant+1.5.png``, with ``own`` before a digit's own axes.

    Axes have their numbers where names would make it too long: ``digits-all-seed3-t0.8-axis2+1.5-axis4-0.3.png``.
    """
    return _file_name(generator, controls, f"digits-{'all' if controls.label is None else controls.label}", "png")


def film_file(generator: DigitGenerator, controls: Controls, chosen: tuple[int, int], format: str) -> bytes:
    """Make the film from one cell to another, as the bytes of a file with a provenance record."""
    settings = generator.settings(controls.temperature, controls.seed, controls.moves, controls.axes_of)
    labels, columns = controls.labels, controls.shape[1]
    ends = {
        name: {"label": labels[cell], "sample": cell % columns if controls.label is None else cell}
        for name, cell in zip(("from", "to"), chosen, strict=True)
    }
    images = transition(generator, controls, chosen, FRAMES)
    return digit_film(images, format, {**settings, **ends, "frames": FRAMES})


def film_name(generator: DigitGenerator, controls: Controls, chosen: tuple[int, int], format: str) -> str:
    """Name a film after its settings: ``film-0-to-9-seed3-t0.8-slant+1.5.gif``; otherwise as :func:`sheet_name`."""
    first, last = (controls.labels[cell] for cell in chosen)
    return _file_name(generator, controls, f"film-{first}-to-{last}", format)


def _file_name(generator: DigitGenerator, controls: Controls, stem: str, suffix: str) -> str:
    names = [axis.name.replace(" ", "-") for axis in generator.axes(controls.axes_of)]
    numbers = [f"axis{number}" for number in range(1, len(names) + 1)]
    start = f"{stem}-seed{controls.seed}-t{controls.temperature:.3g}"
    if controls.own and any(controls.steps):
        start += "-own"
    for axes in (names, numbers):
        steps = [f"-{axis}{step:+.3g}" for axis, step in zip(axes, controls.steps, strict=False) if step]
        name = "".join([start, *steps, ".", suffix])
        if len(name) <= LONG_NAME:
            break
    return name
