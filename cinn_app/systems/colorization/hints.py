"""Hints: what colour a thing has, said by pointing at it, with a stroke, or with a mask.

>>> hints = Hints.parse(["40,30=#c02020", "80,60=#2040a0"]).on((90, 120))
>>> [hint.points for hint in hints.hints]
[((40.0, 30.0),), ((80.0, 60.0),)]
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.files import atomic_write
from cinn_app.imaging import rgb_to_lab, shrink_into_gamut

__all__ = ["Hint", "Hints", "Stroke", "painted_region", "stroke_pixels"]

#: Each takes a look at the whole picture.
MAX_HINTS = 100
#: Of a wanted chroma, what a place must be able to show.
LEAST_SHOWN = 0.5
#: A wanted chroma below this, in Lab units, is as good as gray, which any place can show.
GRAY = 10.0
NUMBER = r"\s*(\d+(?:\.\d+)?)\s*"
POINT = re.compile(rf"{NUMBER},{NUMBER}=\s*(\S+)\s*")
# Between two hints of one text: a mark, or blanks behind a colour and before a number.
BETWEEN = re.compile(r"[;\n]|(?<==.{7})\s+(?=\d)")


@dataclasses.dataclass(frozen=True)
class Hint:
    """A wanted colour, and where. Only its hue and chroma count: the lightness stays the photograph's.

    Attributes:
        colour: sRGB as ``"#RRGGBB"``.
        points: ``x, y`` in pixels of the upright picture, from 0 at the top left: one point, or those of a stroke.
        radius: of the stroke, in pixels; 0 is as thin as a pixel.
        runs: instead of points a mask, as first pixel and length of each run, counted row by row.

    Raises:
        CinnError: if the colour is none, or the place is none.
    """

    colour: str
    points: tuple[tuple[float, float], ...] = ()
    radius: float = 0.0
    runs: tuple[tuple[int, int], ...] = ()

    __pydantic_config__ = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if not re.fullmatch("#[0-9a-fA-F]{6}", self.colour):
            raise CinnError(f"The hint's colour {self.colour!r} is none: write it as #RRGGBB, such as #c02020.")
        numbers = [self.radius, *(number for point in self.points for number in point)]
        if bool(self.points) == bool(self.runs) or not all(0 <= number < math.inf for number in numbers):
            raise CinnError(
                f"The hint {self.colour} has no place: give points from 0,0 with a radius from 0, or else a mask."
            )

    @classmethod
    def of_mask(cls, mask: np.ndarray, colour: str) -> "Hint":
        """Want a colour wherever a mask ``(height, width)`` is true."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], mask.ravel().astype(bool), [False]])))
        starts, ends = edges[::2].tolist(), edges[1::2].tolist()
        return cls(colour, runs=tuple((start, end - start) for start, end in zip(starts, ends, strict=True)))

    @property
    def ab(self) -> Tensor:
        """The colour's a and b in Lab units, ``(2,)``."""
        rgb = torch.tensor([int(self.colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        return rgb_to_lab(rgb[:, None, None])[1:, 0, 0]

    def pixels(self, height: int, width: int) -> Tensor:
        """Return rows and columns of the pixels it covers, ``(2, count)``."""
        if self.runs:
            flat = torch.cat([torch.arange(start, start + length) for start, length in self.runs])
            return torch.stack([flat // width, flat % width])
        return stroke_pixels(self.points, self.radius, height, width)


@dataclasses.dataclass(frozen=True)
class Hints:
    """Hints for one picture.

    Attributes:
        hints: at least one; where two overlap the later one holds.
        width, height: of the upright picture they belong to, in pixels; ``None`` while that is not known.
    """

    hints: tuple[Hint, ...]
    width: int | None = None
    height: int | None = None

    __pydantic_config__ = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if not self.hints:
            raise CinnError("There are no hints: give at least one, as X,Y=#RRGGBB.")
        if len(self.hints) > MAX_HINTS:
            raise CinnError(f"There are {len(self.hints)} hints, more than the limit of {MAX_HINTS}: leave some out.")

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Hints":
        """Read hints as people type them: ``"X,Y=#RRGGBB"``, in pixels of the upright picture.

        Raises:
            CinnError: naming the one that cannot be read.
        """
        hints = []
        for text in texts:
            found = POINT.fullmatch(text)
            if not found:
                raise CinnError(f"The hint {text!r} cannot be read: write it as X,Y=#RRGGBB, such as 40,30=#c02020.")
            x, y, colour = found.groups()
            hints.append(Hint(colour, ((float(x), float(y)),)))
        return cls(tuple(hints))

    @classmethod
    def load(cls, path: Path) -> "Hints":
        """Read hints that :meth:`save` wrote.

        Raises:
            CinnError: if the file cannot be read, or holds something else.
        """
        try:
            return TypeAdapter(cls).validate_json(path.read_bytes())
        except OSError as error:
            raise CinnError(f"The hints {path} cannot be read ({error.strerror}): check the path.") from error
        except ValidationError as error:
            raise CinnError(f"{path} holds no hints ({_problem(error)}): give a file that cinn_app saved.") from error

    @classmethod
    def read(cls, given: str | Mapping[str, Any]) -> "Hints":
        """Read hints as programs send them: typed, several with blanks between them, or what a hint file holds.

        >>> Hints.read("40,30=#c02020 80,60=#2040a0") == Hints.parse(["40,30=#c02020", "80,60=#2040a0"])
        True
        >>> Hints.read({"hints": [{"colour": "#c02020", "points": [[40, 30]], "radius": 5}]}).hints[0].radius
        5.0

        Args:
            given: ``X,Y=#RRGGBB``, or an object with hints, also one written as JSON.

        Raises:
            CinnError: saying what cannot be read.
        """
        if isinstance(given, str) and not given.lstrip().startswith("{"):
            return cls.parse([text for text in BETWEEN.split(given) if text.strip()])
        reader = TypeAdapter(cls)
        try:
            return reader.validate_json(given) if isinstance(given, str) else reader.validate_python(given)
        except ValidationError as error:
            raise CinnError(
                f"These are no hints ({_problem(error)}): give X,Y=#RRGGBB, or what a hint file holds."
            ) from error

    def save(self, path: Path) -> None:
        """Write a small JSON file with the picture's size, whole or not at all.

        Raises:
            CinnError: if the hints belong to no picture yet, or the file cannot be written.
        """
        if self.width is None or self.height is None:
            raise CinnError("These hints belong to no picture yet: lay them on one before saving, with Hints.on.")
        try:
            with atomic_write(path) as file:
                file.write(TypeAdapter(Hints).dump_json(self, indent=1, exclude_defaults=True))
        except OSError as error:
            raise CinnError(f"The hints {path} cannot be written ({error.strerror}): choose another place.") from error

    def on(self, size: tuple[int, int]) -> "Hints":
        """Lay the hints on a picture of height and width `size`.

        Raises:
            CinnError: if they belong to another picture, or one lies outside.
        """
        height, width = size
        if (self.width, self.height) not in ((None, None), (width, height)):
            raise CinnError(
                f"The hints belong to a picture of {self.width} x {self.height} pixels, and this one has "
                f"{width} x {height}: give the hints of this picture."
            )
        for hint in self.hints:
            for x, y in hint.points:
                if x >= width or y >= height:
                    raise CinnError(
                        f"The hint {x:g},{y:g}={hint.colour} is outside the picture of {width} x {height} pixels: "
                        f"count from 0,0 at the top left to {width - 1},{height - 1}."
                    )
            for start, length in hint.runs:
                if start < 0 or length < 1 or start + length > width * height:
                    raise CinnError(f"A mask of {hint.colour} is larger than the picture: give one of its size.")
        return dataclasses.replace(self, width=width, height=height)

    def places(self, size: tuple[int, int]) -> list[Tensor]:
        """Return rows and columns of each hint's pixels ``(2, count)`` in a copy of the picture of height and width."""
        height, width = self.height or size[0], self.width or size[1]
        found = []
        for hint in self.hints:
            rows, columns = hint.pixels(height, width)
            scaled = (rows + 0.5) * (size[0] / height), (columns + 0.5) * (size[1] / width)
            flat = (scaled[0].long() * size[1] + scaled[1].long()).unique()
            found.append(torch.stack([flat // size[1], flat % size[1]]))
        return found

    def out_of_reach(self, lightness: Tensor) -> list[str]:
        """Say which places are too dark or too bright for their colour: a sentence each.

        Args:
            lightness: L* in 0..100 of the picture they lie on, or of a copy of it, ``(1, height, width)``.
        """
        sentences = []
        for hint, place in zip(self.hints, self.places((lightness.shape[-2], lightness.shape[-1])), strict=True):
            there, wanted = lightness[:, *place].mean()[None, None, None], hint.ab[:, None, None]
            shown = shrink_into_gamut(there, wanted).norm() / wanted.norm().clamp(min=1e-6)
            if wanted.norm() > GRAY and shown < LEAST_SHOWN:
                how = "dark" if there < 50 else "bright"
                sentences.append(
                    f"The photograph is so {how} where {hint.colour} was wanted that {shown:.0%} of the colour shows: "
                    "point at a middle tone of the thing."
                )
        return sentences

    @property
    def ab(self) -> Tensor:
        """The wanted a and b of each hint in Lab units, ``(hints, 2)``."""
        return torch.stack([hint.ab for hint in self.hints])


def _problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"])) or "all of it"
    return f"{place}: {problem['msg']}"


@dataclasses.dataclass(frozen=True)
class Stroke:
    """A stroke over a picture.

    Attributes:
        points: ``x, y`` in pixels of the upright picture, from 0 at the top left; one alone is a dab.
        radius: of the brush, in pixels; 0 is as thin as a pixel.

    Raises:
        CinnError: if it is nowhere.
    """

    points: tuple[tuple[float, float], ...]
    radius: float = 0.0

    def __post_init__(self) -> None:
        numbers = [self.radius, *(number for point in self.points for number in point)]
        if not self.points or not all(0 <= number < math.inf for number in numbers):
            raise CinnError("A stroke has no place: give points from 0,0 with a radius from 0.")


def stroke_pixels(points: Sequence[Sequence[float]], radius: float, height: int, width: int) -> Tensor:
    """Find the pixels within a radius of the line through some points.

    Args:
        points: ``x, y`` of each, at least one.
        radius: in pixels; below 0.5 the line is a pixel thin.
        height, width: of the picture; what lies outside is left out.

    Returns:
        Rows and columns, row by row, ``(2, count)``.
    """
    corners, reach = torch.tensor(points, dtype=torch.float32).floor(), max(radius, 0.5)
    ends = itertools.pairwise(corners) if len(corners) > 1 else [(corners[0], corners[0])]
    covered = []
    for start, end in ends:  # each looks only at the pixels around it: long strokes cross large pictures
        low = (torch.minimum(start, end) - reach).floor().clamp(min=0).long().tolist()
        high = (torch.maximum(start, end) + reach).ceil().long().tolist()
        rows = torch.arange(low[1], min(high[1], height - 1) + 1)
        columns = torch.arange(low[0], min(high[0], width - 1) + 1)
        grid = torch.cartesian_prod(rows, columns)
        places = grid.flip(1).float()
        near = (places - _nearest_on_segment(places, start, end)).norm(dim=-1) <= reach
        covered.append(grid[near] @ torch.tensor([width, 1]))
    flat = torch.cat(covered).unique()
    return torch.stack([flat // width, flat % width])


def painted_region(strokes: Sequence[Stroke], full_size: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Say what strokes over a photograph cover in a copy of it.

    Args:
        strokes: in pixels of the photograph.
        full_size: height and width of the photograph.
        size: those of the copy.

    Returns:
        True where covered, ``size``.
    """
    region = np.zeros(size, bool)
    down, across = size[0] / full_size[0], size[1] / full_size[1]
    for stroke in strokes:
        points = [((x + 0.5) * across, (y + 0.5) * down) for x, y in stroke.points]
        rows, columns = stroke_pixels(points, stroke.radius * max(down, across), *size).numpy()
        region[rows, columns] = True
    return region


def _nearest_on_segment(points: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return for points ``(count, 2)`` the nearest ones between two others."""
    along = end - start
    share = ((points - start) @ along / along.square().sum().clamp(min=1e-9)).clamp(0, 1)
    return start + share[:, None] * along
