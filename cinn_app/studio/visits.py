"""What one visitor of the colorize tab is working on. Knows the colorizer and files, but nothing of the page."""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import torch

from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import (
    OUTPUT_FORMATS,
    Photograph,
    lightness_and_ab_to_rgb8,
    read_photograph,
    save_picture,
    shrink_photograph,
)
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring

__all__ = ["SAMPLES", "Visit", "close_visit", "describe", "draw", "export", "gray", "open_visit", "paint"]

#: How many colourings are shown side by side.
SAMPLES = 4
#: Longer sides in pixels: of the pictures side by side, and of the large one. Only a download has full resolution.
SMALL, LARGE = 512, 1024
RANKS = ("most likely of the four", "second most likely", "third most likely", "least likely of the four")
# A suffix that a download keeps; any other becomes png, which loses nothing.
KEPT_SUFFIXES = {f".{name}" for name in (*OUTPUT_FORMATS, "jpeg", "tif")}


@dataclasses.dataclass(frozen=True)
class Visit:
    """A photograph and its colourings; light, since the full photograph stays in its file.

    Attributes:
        upload: the photograph's file.
        folder: where this visit's pictures are written.
        size: height and width of the photograph.
        small: the photograph, reduced for the pictures side by side.
        large: the photograph, reduced for the large picture.
        colourings: of the reduced photograph.
        chosen: index of the colouring shown large.
    """

    upload: Path
    folder: Path
    size: tuple[int, int]
    small: Photograph
    large: Photograph
    colourings: tuple[Colouring, ...] = ()
    chosen: int = 0

    @property
    def suffix(self) -> str:
        """The suffix of a download."""
        return self.upload.suffix if self.upload.suffix.lower() in KEPT_SUFFIXES else ".png"


def open_visit(upload: Path, cache: Path) -> Visit:
    """Read a photograph.

    Args:
        upload: its file.
        cache: the folder in which the visit makes its own.

    Raises:
        ImageError: if it cannot be read; the message names the file as the visitor knows it.
    """
    photograph = _read(upload)
    large = shrink_photograph(photograph, LARGE)
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="visit-", dir=cache))
    return Visit(upload, folder, photograph.size, shrink_photograph(large, SMALL), large)


def close_visit(visit: Visit | None) -> None:
    """Delete what a visit has written."""
    if visit is not None:
        shutil.rmtree(visit.folder, ignore_errors=True)


def draw(visit: Visit, colorizer: Colorizer, temperature: float, seed: int) -> Visit:
    """Draw colourings, unless the visit has the very same already.

    Raises:
        CinnError: if the temperature is out of range.
    """
    made_by = (seed, colorizer.temperatures(temperature))
    if any((colouring.seed, colouring.temperature) == made_by for colouring in visit.colourings):
        return visit
    colourings = colorizer.colorize(visit.large, SAMPLES, temperature, seed)
    return dataclasses.replace(visit, colourings=tuple(colourings), chosen=0)


def gray(visit: Visit) -> Path:
    """Write the photograph as it was, large."""
    path, photograph = visit.folder / "gray.jpg", visit.large
    if not path.exists():
        rgb = lightness_and_ab_to_rgb8(photograph.lightness, torch.zeros(2, *photograph.size))
        save_picture(path, rgb.numpy(), alpha=photograph.alpha)
    return path


def paint(visit: Visit, index: int, strength: float, large: bool = False) -> Path:
    """Write the picture of one colouring, unless it has been written before.

    Raises:
        ImageError: if it cannot be written.
    """
    colouring = visit.colourings[index].on(visit.large if large else visit.small)
    size = "large" if large else "small"
    path = visit.folder / f"{colouring.seed}-{colouring.temperature[-1]:g}-{index + 1}-{strength:g}-{size}.jpg"
    if not path.exists():
        colouring.save(path, strength)
    return path


def export(visit: Visit, strength: float) -> Path:
    """Write the chosen colouring at the photograph's full resolution, with its metadata.

    Raises:
        CinnError: if the photograph has been deleted meanwhile, or the picture cannot be written.
    """
    if not visit.upload.exists():
        raise CinnError(f"{visit.upload.name} is no longer here after so long a time: give the photograph once more.")
    colouring = visit.colourings[visit.chosen].on(_read(visit.upload))
    folder = visit.folder / f"strength-{strength:g}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{visit.upload.stem}-colourised-{colouring.seed}-{visit.chosen + 1}{visit.suffix}"
    colouring.save(path, strength, source=visit.upload)
    return path


def describe(visit: Visit, index: int) -> str:
    """Say which a colouring is and how likely: ``No. 1, most likely of the four, 2.31 bits/dim``."""
    bits = [colouring.bits_per_dim for colouring in visit.colourings]
    rank = sorted(range(len(bits)), key=bits.__getitem__).index(index)
    return f"No. {index + 1}, {RANKS[rank]}, {bits[index]:.2f}\N{NO-BREAK SPACE}bits/dim"


def _read(upload: Path) -> Photograph:
    try:
        return read_photograph(upload)
    except ImageError as error:
        raise ImageError(str(error).replace(str(upload), upload.name)) from error
