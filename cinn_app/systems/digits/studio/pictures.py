"""What one visitor of the digits tab has set, and the pictures of it. Knows the generator, but nothing of the page."""

import base64
import binascii
import dataclasses
import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from cinn_app.errors import ImageError
from cinn_app.studio.language import tr
from cinn_app.systems.digits.files import digit_film
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.images import digit_sheet, read_digit

__all__ = [
    "BETWEEN",
    "FRAMES",
    "REACH",
    "Setting",
    "along_axes",
    "between",
    "draw",
    "ends",
    "file_name",
    "film_file",
    "film_name",
    "read_pad",
    "sheet",
]

#: Rows and columns of one digit in many handwritings; of all ten digits in a few, the rows are the digits.
ONE, ALL = (7, 6), (10, 6)
#: Pictures from one digit to another, both included.
BETWEEN = 10
#: And of a film of the same way.
FRAMES = 25
#: How far the pictures of an axis go, and its slider, in standard deviations of the latent.
REACH = 3
#: Stands for all digits where an axis is shown.
EXAMPLE = 5
#: Pixels of a downloaded sheet per pixel of a digit.
SHEET_SCALE = 4
#: Characters of a downloaded sheet's name beyond which axes have numbers instead of names.
LONG_NAME = 100


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the sliders and buttons say.

    Attributes:
        label: the digit, or None for all of them.
        own: whether the steps are along the digit's own axes; all digits together have none.
        temperature: of the handwritings drawn.
        seed: of the handwritings drawn.
        steps: along each axis, in standard deviations.
    """

    label: int | None
    own: bool
    temperature: float
    seed: int
    steps: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the pictures."""
        return ALL if self.label is None else ONE

    @property
    def axes_of(self) -> int | None:
        """Whose axes are meant, as :meth:`DigitGenerator.axes` takes it."""
        return self.label if self.own else None

    @property
    def moves(self) -> dict[str | int, float]:
        """The steps, by the number of the axis, as :meth:`DigitGenerator.move` takes them."""
        return {number: step for number, step in enumerate(self.steps, start=1) if step}

    def latents(self, generator: DigitGenerator) -> Tensor:
        """Return the handwriting of each picture, row by row: ``(rows * columns, 784)``."""
        rows, columns = self.shape
        count = columns if self.label is None else rows * columns
        drawn = generator.draw(count, self.temperature, self.seed)
        moved = generator.move(drawn, self.moves, self.axes_of)
        return moved.repeat(rows, 1) if self.label is None else moved

    def within(self, chosen: tuple[int, int]) -> tuple[int, int]:
        """Return the two chosen pictures; a visitor quicker than the page may have chosen one that is gone."""
        rows, columns = self.shape
        last = rows * columns - 1
        return min(chosen[0], last), min(chosen[1], last)

    def labels(self) -> list[int]:
        """Return the digit of each picture, row by row."""
        rows, columns = self.shape
        return [row if self.label is None else self.label for row in range(rows) for _ in range(columns)]


@functools.lru_cache(maxsize=2)  # the page is laid out in two languages
def draw(generator: DigitGenerator, setting: Setting) -> Tensor:
    """Draw the pictures: uint8, ``(rows, columns, 28, 28)``.

    Raises:
        CinnError: if a number is out of range.
    """
    return generator.decode(setting.latents(generator), setting.labels()).unflatten(0, setting.shape)


def ends(setting: Setting) -> tuple[int, int]:
    """Say which two pictures are gone between until a visitor has chosen two: the first and the last."""
    rows, columns = setting.shape
    return 0, rows * columns - 1


def between(generator: DigitGenerator, setting: Setting, chosen: tuple[int, int], count: int = BETWEEN) -> Tensor:
    """Go from one of the pictures to another: uint8, ``(count, 28, 28)``."""
    latents, labels = setting.latents(generator), setting.labels()
    first, second = chosen
    return generator.interpolate(latents[first], latents[second], (labels[first], labels[second]), count)


@functools.lru_cache(maxsize=2)
def along_axes(generator: DigitGenerator, setting: Setting) -> Tensor:
    """Move the middle of all handwritings along each axis in whole steps: uint8, ``(axes, 7, 28, 28)``."""
    middle = generator.draw(1, temperature=0)
    numbers, steps = range(1, len(generator.axes()) + 1), range(-REACH, REACH + 1)
    moved = [generator.move(middle, {number: step}, setting.axes_of) for number in numbers for step in steps]
    label = EXAMPLE if setting.label is None else setting.label
    return generator.decode(torch.cat(moved), [label] * len(moved)).unflatten(0, (len(numbers), len(steps)))


def read_pad(address: str | None) -> Tensor:
    """Read what was drawn on the pad.

    Args:
        address: the canvas as a browser gives it, ``data:image/png;base64,...``; None if nothing was drawn.

    Returns:
        uint8, ``(28, 28)``.

    Raises:
        ImageError: if it is empty, or no digit; one sentence that fits below the pad.
    """
    if not address:
        raise ImageError(tr("The pad is empty: draw one digit, large and in the middle."))
    try:
        drawing = base64.b64decode(address.partition(",")[2], validate=True)
    except binascii.Error:
        drawing = b""
    if not drawing.startswith(b"\x89PNG"):
        raise ImageError(tr("The drawing did not arrive whole: draw it once more."))
    try:
        return read_digit(drawing)
    except ImageError as error:
        raise ImageError(str(error).replace("The picture", tr("The pad"))) from error


def sheet(generator: DigitGenerator, setting: Setting) -> Tensor:
    """Lay the pictures out on one sheet to keep, dark ink on white paper: uint8, ``(height, width)``."""
    return 255 - torch.from_numpy(digit_sheet(draw(generator, setting), SHEET_SCALE))


def file_name(generator: DigitGenerator, setting: Setting) -> str:
    """Name a sheet after what made it: ``digits-7-seed3-t0.8-slant+1.5.png``; a digit's own axes are said to be so.

    Axes have their numbers where names would make it too long: ``digits-all-seed3-t0.8-axis2+1.5-axis4-0.3.png``.
    """
    return _named(generator, setting, f"digits-{'all' if setting.label is None else setting.label}", "png")


def film_file(generator: DigitGenerator, setting: Setting, chosen: tuple[int, int], format: str) -> bytes:
    """Make the film from one of the pictures to another, as the bytes of a file that says what made it."""
    made = generator.settings(setting.temperature, setting.seed, setting.moves, setting.axes_of)
    labels, columns = setting.labels(), setting.shape[1]
    ends = {
        name: {"label": labels[number], "sample": number % columns if setting.label is None else number}
        for name, number in zip(("from", "to"), chosen, strict=True)
    }
    return digit_film(between(generator, setting, chosen, FRAMES), format, {**made, **ends, "frames": FRAMES})


def film_name(generator: DigitGenerator, setting: Setting, chosen: tuple[int, int], format: str) -> str:
    """Name a film after what made it: ``film-0-to-9-seed3-t0.8-slant+1.5.gif``; otherwise as :func:`file_name`."""
    first, second = (setting.labels()[number] for number in chosen)
    return _named(generator, setting, f"film-{first}-to-{second}", format)


def _named(generator: DigitGenerator, setting: Setting, what: str, suffix: str) -> str:
    start = f"{what}-seed{setting.seed}-t{setting.temperature:.3g}"
    names = [axis.name.replace(" ", "-") for axis in generator.axes(setting.axes_of)]
    numbers = [f"axis{number}" for number in range(1, len(names) + 1)]
    named, numbered = ("-".join([start, *_told_steps(setting, axes)]) + f".{suffix}" for axes in (names, numbers))
    return named if len(named) <= LONG_NAME else numbered


def _told_steps(setting: Setting, axes: Sequence[str]) -> list[str]:
    told = [f"{axis}{step:+.3g}" for axis, step in zip(axes, setting.steps, strict=False) if step]
    return ["own", *told] if told and setting.own else told
