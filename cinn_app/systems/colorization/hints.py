"""Hints: the colour of a thing, given by a point, a stroke or a mask.

>>> hints = Hints.parse(["40,30=#c02020", "80,60=#2040a0"]).on((90, 120))
>>> [hint.points for hint in hints.hints]
[((40.0, 30.0),), ((80.0, 60.0),)]
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from cinn_app.arguments import as_path, short
from cinn_app.errors import CinnError, SettingError
from cinn_app.files import NO_TEXT, read_text, writing
from cinn_app.imaging import Frame, GeodesicGrid, rgb_to_lab, shrink_into_gamut
from cinn_app.messages import Message
from cinn_app.systems.colorization.region import are_coordinates, stroke_pixels

__all__ = ["Hint", "Hints"]

#: Each hint costs a search over the whole picture.
MAX_HINTS = 100
#: A place must be able to show this share of the wanted chroma, or there is a warning.
MIN_SHOWN_SHARE = 0.5
#: A wanted chroma below this, in Lab units, counts as gray, which any place can show.
GRAY_CHROMA = 10.0
NUMBER = r"\s*(\d+(?:\.\d+)?)\s*"
POINT = re.compile(rf"{NUMBER},{NUMBER}=\s*(\S+)\s*")
EXAMPLE = "40,30=#c02020"
# Between two hints of one text: a separator, or blanks after a colour and before a number.
SEPARATOR = re.compile(r"[;\n]|(?<==.{7})\s+(?=\d)")


@dataclasses.dataclass(frozen=True)
class Hint:
    """A wanted colour and its place. Only hue and chroma count: the lightness stays that of the photograph.

    Attributes:
        colour: sRGB as ``"#RRGGBB"``.
        points: ``x, y`` in pixels of the upright picture, from 0 at the top left: one point, or those of a stroke.
        radius: of the stroke in pixels; 0 is a line of one pixel.
        runs: a mask instead of points, as the first pixel and the length of each run, counted row by row.

    Raises:
        CinnError: if the colour or the place is invalid.
    """

    colour: str
    points: tuple[tuple[float, float], ...] = ()
    radius: float = 0.0
    runs: tuple[tuple[int, int], ...] = ()

    __pydantic_config__ = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if not isinstance(self.colour, str) or not re.fullmatch("#[0-9a-fA-F]{6}", self.colour):
            raise SettingError(
                "The hint's colour {colour} is invalid: write it as #RRGGBB, such as #c02020.",
                colour=short(self.colour),
            )
        if bool(self.points) == bool(self.runs) or not are_coordinates(self.points, self.radius):
            raise CinnError(
                "The hint {colour} has no place: give points from 0,0 with a radius from 0, or else a mask.",
                colour=self.colour,
            )

    @classmethod
    def of_mask(cls, mask: np.ndarray, colour: str) -> "Hint":
        """Want a colour wherever a mask ``(height, width)`` is true."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], mask.ravel().astype(bool), [False]])))
        starts, ends = edges[::2].tolist(), edges[1::2].tolist()
        return cls(colour, runs=tuple((start, end - start) for start, end in zip(starts, ends, strict=True)))

    @property
    def ab(self) -> Tensor:
        """The a and b of the colour in Lab units, ``(2,)``."""
        rgb = torch.tensor([int(self.colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        return rgb_to_lab(rgb[:, None, None])[1:, 0, 0]

    def pixels(self, height: int, width: int) -> Tensor:
        """Return rows and columns of the pixels that it covers in a picture of this size, ``(2, count)``."""
        if self.runs:
            flat = torch.cat([torch.arange(start, start + length) for start, length in self.runs])
            return torch.stack([flat // width, flat % width])
        return stroke_pixels(self.points, self.radius, height, width)


@dataclasses.dataclass(frozen=True)
class Hints:
    """The hints for one picture.

    Attributes:
        hints: one or more; where two overlap, the later one holds.
        width, height: of the upright picture, in pixels; ``None`` before they are laid on a picture.

    Raises:
        CinnError: if there are none, more than 100, or anything else among them.
    """

    hints: tuple[Hint, ...]
    width: int | None = None
    height: int | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if not isinstance(self.hints, tuple) or not all(isinstance(hint, Hint) for hint in self.hints):
            raise CinnError("These hints are {hints}: give a tuple of Hint.", hints=short(self.hints))
        if not self.hints:
            raise CinnError("There are no hints: give at least one, as X,Y=#RRGGBB.")
        if len(self.hints) > MAX_HINTS:
            raise CinnError(
                "There are {count} hints, more than the limit of {most}: leave some out.",
                count=len(self.hints),
                most=MAX_HINTS,
            )

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Hints":
        """Parse typed hints: ``"X,Y=#RRGGBB"``, in pixels of the upright picture.

        Raises:
            SettingError: naming what is no hint.
        """
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise SettingError(
                "The hints {texts} are no list: give texts such as [{example!r}].", texts=short(texts), example=EXAMPLE
            )
        hints = []
        for text in texts:
            match = POINT.fullmatch(text) if isinstance(text, str) else None
            if not match:
                raise SettingError(
                    "The hint {text} cannot be read: write it as X,Y=#RRGGBB, such as 40,30=#c02020.", text=short(text)
                )
            x, y, colour = match.groups()
            hints.append(Hint(colour, ((float(x), float(y)),)))
        return cls(tuple(hints))

    @classmethod
    def load(cls, path: str | Path) -> "Hints":
        """Read a file that :meth:`save` wrote.

        Raises:
            CinnError: if the file cannot be read or holds something else.
        """
        try:
            return TypeAdapter(cls).validate_json(read_text(as_path(path)))
        except OSError as error:
            raise CinnError(
                "The hints {path} cannot be read ({reason}): check the path.", path=path, reason=error.strerror
            ) from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise CinnError(
                "{path} holds no hints ({problem}): give a file that cinn_app saved.",
                path=path,
                problem=_problem(error) if isinstance(error, ValidationError) else NO_TEXT,
            ) from error

    @classmethod
    def read(cls, given: str | Mapping[str, Any]) -> "Hints":
        """Read the hints of a request: typed, several separated by blanks, or the content of a hint file.

        >>> Hints.read("40,30=#c02020 80,60=#2040a0") == Hints.parse(["40,30=#c02020", "80,60=#2040a0"])
        True
        >>> Hints.read({"hints": [{"colour": "#c02020", "points": [[40, 30]], "radius": 5}]}).hints[0].radius
        5.0

        Args:
            given: ``X,Y=#RRGGBB``, or an object with hints, or that object as JSON text.

        Raises:
            CinnError: naming what is invalid.
        """
        if isinstance(given, str) and not given.lstrip().startswith("{"):
            return cls.parse([text for text in SEPARATOR.split(given) if text.strip()])
        adapter = TypeAdapter(cls)
        try:
            return adapter.validate_json(given) if isinstance(given, str) else adapter.validate_python(given)
        except ValidationError as error:
            raise CinnError(
                "These are no hints ({problem}): give X,Y=#RRGGBB, or the content of a hint file.",
                problem=_problem(error),
            ) from error

    def save(self, path: str | Path) -> None:
        """Write a small JSON file with the size of the picture, whole or not at all.

        Raises:
            CinnError: if the hints are not laid on a picture, or the file cannot be written.
        """
        if self.width is None or self.height is None:
            raise CinnError("These hints belong to no picture yet: lay them on one before saving, with Hints.on.")
        with writing(as_path(path)) as file:
            file.write(TypeAdapter(Hints).dump_json(self, indent=1, exclude_defaults=True))

    def on(self, size: tuple[int, int]) -> "Hints":
        """Lay the hints on a picture of height and width `size`.

        Raises:
            CinnError: if they belong to another picture, or one lies outside.
        """
        height, width = size
        if (self.width, self.height) not in ((None, None), (width, height)):
            raise CinnError(
                "The hints belong to a picture of {own_width} x {own_height} pixels, and this one has {width} x "
                "{height}: give the hints of this picture.",
                own_width=self.width,
                own_height=self.height,
                width=width,
                height=height,
            )
        for hint in self.hints:
            for x, y in hint.points:
                if x >= width or y >= height:
                    raise CinnError(
                        "The hint {x:g},{y:g}={colour} is outside the picture of {width} x {height} pixels: count "
                        "from 0,0 at the top left to {right},{bottom}.",
                        x=x,
                        y=y,
                        colour=hint.colour,
                        width=width,
                        height=height,
                        right=width - 1,
                        bottom=height - 1,
                    )
            if any(start < 0 or length < 1 or start + length > width * height for start, length in hint.runs):
                raise CinnError(
                    "A mask of {colour} is larger than the picture: give one of its size.", colour=hint.colour
                )
        return dataclasses.replace(self, width=width, height=height)

    def on_part(self, frame: Frame, whole: tuple[int, int]) -> "Hints":
        """Move hints of a picture to a part of it; those of a picture as large as the part are taken for its own.

        Args:
            frame: the part.
            whole: height and width of the picture.

        Raises:
            CinnError: if they belong to another picture, or one lies outside the part.
        """
        size = frame.size(whole)
        if (self.height, self.width) == size:
            return self
        moved = tuple(_on_part(hint, frame, whole) for hint in self.on(whole).hints)
        return Hints(moved, size[1], size[0])

    def places(self, size: tuple[int, int]) -> list[Tensor]:
        """Return rows and columns of each hint's pixels, ``(2, count)``, in a copy of the picture of this size."""
        height, width = self.height or size[0], self.width or size[1]
        places = []
        for hint in self.hints:
            rows, columns = hint.pixels(height, width)
            scaled = (rows + 0.5) * (size[0] / height), (columns + 0.5) * (size[1] / width)
            flat = (scaled[0].long() * size[1] + scaled[1].long()).unique()
            places.append(torch.stack([flat // size[1], flat % size[1]]))
        return places

    def distances(self, grid: GeodesicGrid) -> Tensor:
        """Return the geodesic distance of each cell from each hint, ``(hints, rows, columns)``."""
        return _distances(self, grid)

    def warnings(self, lightness: Tensor) -> list[Message]:
        """Return a sentence for each place that is too dark or too bright for its colour.

        Args:
            lightness: L* in 0..100 of the picture or of a copy, ``(1, height, width)``.
        """
        warnings = []
        for hint, place in zip(self.hints, self.places((lightness.shape[-2], lightness.shape[-1])), strict=True):
            there, wanted = lightness[:, *place].mean()[None, None, None], hint.ab[:, None, None]
            shown = shrink_into_gamut(there, wanted).norm() / wanted.norm().clamp(min=1e-6)
            if wanted.norm() > GRAY_CHROMA and shown < MIN_SHOWN_SHARE:
                warnings.append(_too_dark_or_bright(bool(there < 50), hint.colour, float(shown)))
        return warnings

    @property
    def ab(self) -> Tensor:
        """The a and b of each hint in Lab units, ``(hints, 2)``."""
        return torch.stack([hint.ab for hint in self.hints])


def _on_part(hint: Hint, frame: Frame, whole: tuple[int, int]) -> Hint:
    if hint.runs:
        mask = np.zeros(whole, bool)
        mask[*hint.pixels(*whole).numpy()] = True
        mask = frame.of_array(mask)
        if mask.any():
            return Hint.of_mask(mask, hint.colour)
    else:
        height, width = frame.size(whole)
        points = [frame.place(x, y, whole) for x, y in hint.points]
        inside = tuple((x, y) for x, y in points if 0 <= x < width and 0 <= y < height)
        if inside:
            return dataclasses.replace(hint, points=inside)
    raise CinnError(
        "The hint {colour} is not on the photograph without its dark rim: point there, or keep the whole picture.",
        colour=hint.colour,
    )


@functools.lru_cache(maxsize=8)  # every sample and every copy of a photograph need the same distances
def _distances(hints: Hints, grid: GeodesicGrid) -> Tensor:
    return grid.distances(hints.places(grid.size))


def _too_dark_or_bright(dark: bool, colour: str, shown: float) -> Message:
    if dark:
        return Message(
            "The photograph is so dark where {colour} was wanted that {shown:.0%} of the colour shows: point at a "
            "middle tone of the thing.",
            colour=colour,
            shown=shown,
        )
    return Message(
        "The photograph is so bright where {colour} was wanted that {shown:.0%} of the colour shows: point at a "
        "middle tone of the thing.",
        colour=colour,
        shown=shown,
    )


def _problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"])) or "all of it"
    return f"{place}: {problem['msg']}"
