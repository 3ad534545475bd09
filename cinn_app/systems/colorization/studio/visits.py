"""What one visitor of the colorize tab is working on. Knows the colorizer and files, but nothing of the page."""

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cinn_app.imaging import (
    OUTPUT_FORMATS,
    Photograph,
    read_photograph,
    shrink_photograph,
)
from cinn_app.studio.files import naming
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.reference import Palette
from cinn_app.systems.colorization.steering import Region, Steering

__all__ = [
    "SAMPLES",
    "Reference",
    "Visit",
    "close_visit",
    "draw",
    "open_visit",
    "read_upload",
    "rest_visit",
    "same_draw",
    "unheard",
    "wake_visit",
]

#: How many colourings are shown side by side.
SAMPLES = 4
#: Longer sides in pixels: of the pictures side by side, and of the large one. Only a download has full resolution.
SMALL, LARGE = 512, 1024
#: And of what stays in memory of photographs that rest.
SPECK = 16
# A suffix that a download keeps; any other becomes png, which loses nothing.
KEPT_SUFFIXES = {f".{name}" for name in (*OUTPUT_FORMATS, "jpeg", "tif")}
UNSTEERED = Steering()


@dataclasses.dataclass(frozen=True)
class Reference:
    """The colours of a picture, for photographs to take on.

    Attributes:
        palette: the colours.
        name: of the picture, as the visitor knows it.
        home: the folder of the visit whose own colouring it is; the other colourings there do not take it on.
    """

    palette: Palette
    name: str
    home: Path | None = None


@dataclasses.dataclass(frozen=True)
class Visit:
    """A photograph and its colourings; light, since the full photograph stays in its file.

    Attributes:
        upload: the photograph's file.
        folder: where this visit's pictures are written.
        size: height and width of the photograph.
        small: the photograph, reduced for the pictures side by side.
        large: the photograph, reduced for the large picture.
        encoded: what the network found in it, once that is known.
        colourings: of the reduced photograph.
        chosen: index of the colouring shown large.
        first: number of the first colouring in its draw, from 0.
        reference: whose colours this photograph or the next ones take on.
        region: of a colouring that stays while the rest is drawn anew.
    """

    upload: Path
    folder: Path
    size: tuple[int, int]
    small: Photograph
    large: Photograph
    encoded: EncodedPhotograph | None = None
    colourings: tuple[Colouring, ...] = ()
    chosen: int = 0
    first: int = 0
    reference: Reference | None = None
    region: Region | None = None

    def number(self, index: int) -> int:
        """The number that a colouring is called by, from 1."""
        return self.first + index + 1

    def download(self, colouring: Colouring) -> str:
        """The name of a file in which the chosen colouring is kept."""
        suffix = self.upload.suffix if self.upload.suffix.lower() in KEPT_SUFFIXES else ".png"
        return f"{self.upload.stem}-colourised-{colouring.seed}-{self.number(self.chosen)}{suffix}"

    @property
    def palette(self) -> Palette | None:
        """The colours that this photograph takes on."""
        here = self.reference is not None and self.reference.home != self.folder
        return self.reference.palette if self.reference and here else None


def open_visit(upload: Path, cache: Path, reference: Reference | None = None) -> Visit:
    """Read a photograph.

    Args:
        upload: its file.
        cache: the folder in which the visit makes its own.
        reference: whose colours it takes on.

    Raises:
        ImageError: if it cannot be read; the message names the file as the visitor knows it.
    """
    size, small, large = _read_reduced(upload)
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="visit-", dir=cache))
    return Visit(upload, folder, size, small, large, reference=reference)


def rest_visit(visit: Visit) -> Visit:
    """Let go of what takes memory, the photograph and what was found in it; :func:`wake_visit` brings it back."""
    speck = shrink_photograph(visit.small, SPECK)
    return _lay_on(visit, speck, speck, None)


def wake_visit(visit: Visit, present: Visit | None = None) -> Visit:
    """Bring a visit back that rests: from what is there already, if it is of the same photograph, or from its file.

    Raises:
        ImageError: if the file cannot be read any more.
    """
    if present is not None and present.folder == visit.folder:
        return _lay_on(visit, present.small, present.large, present.encoded)
    _, small, large = _read_reduced(visit.upload)
    visit.folder.mkdir(parents=True, exist_ok=True)
    return _lay_on(visit, small, large, None)


def close_visit(visit: Visit | None) -> None:
    """Delete what a visit has written."""
    if visit is not None:
        shutil.rmtree(visit.folder, ignore_errors=True)


def same_draw(visit: Visit, colorizer: Colorizer, temperature: float, seed: int) -> bool:
    """Tell whether the colourings there are those of this draw, however they are steered."""
    made_by = (seed, colorizer.temperatures(temperature))
    return bool(visit.colourings) and all((one.seed, one.temperature) == made_by for one in visit.colourings)


def draw(
    visit: Visit,
    colorizer: Colorizer,
    temperature: float,
    seed: int,
    steering: Steering = UNSTEERED,
    indices: Sequence[int] = range(SAMPLES),
) -> Visit:
    """Draw those colourings that the visit has not yet got as they are wished for.

    Args:
        visit: has all of them in some way already, or else all are drawn.
        colorizer: draws.
        temperature: see :meth:`Colorizer.temperatures`.
        seed: of the draw.
        steering: what is wished beside chance.
        indices: of the ones wanted; the others stay as they are.

    Raises:
        CinnError: if the temperature is out of range, or a wish does not fit the photograph.
    """
    if not visit.colourings:
        indices = range(SAMPLES)
    elif not same_draw(visit, colorizer, temperature, seed):
        visit = dataclasses.replace(visit, first=0, chosen=0)
    wanted = {index: colorizer.settings(seed, visit.first + index, temperature, steering) for index in indices}
    there = {index: colouring.settings for index, colouring in enumerate(visit.colourings)}
    missing = [index for index in indices if there.get(index) != wanted[index]]
    if not missing:
        return visit
    encoded = visit.encoded or colorizer.encode_photograph(visit.large)
    numbers = [visit.first + index for index in missing]
    drawn = dict(enumerate(visit.colourings))
    drawn |= zip(missing, colorizer.colorize(encoded, numbers, temperature, seed, steering), strict=True)
    colourings = tuple(drawn[index] for index in range(SAMPLES))
    return dataclasses.replace(visit, encoded=encoded, colourings=colourings)


def unheard(before: Visit, drawn: Visit) -> list[str]:
    """Give the sentences about new colourings that were not true of those before."""
    heard = before.colourings[0].warnings if before.colourings else before.large.warnings
    return [sentence for sentence in drawn.colourings[0].warnings if sentence not in heard]


def _lay_on(visit: Visit, small: Photograph, large: Photograph, encoded: EncodedPhotograph | None) -> Visit:
    colourings = tuple(colouring.on(large) for colouring in visit.colourings)
    return dataclasses.replace(visit, small=small, large=large, encoded=encoded, colourings=colourings)


def _read_reduced(upload: Path) -> tuple[tuple[int, int], Photograph, Photograph]:
    """Give the height and width of a photograph, and two copies for the screen."""
    photograph = read_upload(upload)
    large = shrink_photograph(photograph, LARGE)
    return photograph.size, shrink_photograph(large, SMALL), large


def read_upload(upload: Path) -> Photograph:
    """Read a photograph at full resolution.

    Raises:
        ImageError: if it cannot be read; the message names the file as the visitor knows it.
    """
    with naming(upload):
        return read_photograph(upload)
