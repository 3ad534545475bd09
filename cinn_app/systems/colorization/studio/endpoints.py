"""The colorizer's endpoints for programs: stateless, but for the files of their results."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from cinn_app.imaging import format_like, read_photograph
from cinn_app.studio.endpoints import Axes, File, Line, Picture, Seed, Strength
from cinn_app.studio.files import new_results_folder
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.colorization.reference import ColourReference
from cinn_app.systems.colorization.selection import save_contact_sheet, save_uncertainty
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.temperatures import GivenTemperature, Temperature

__all__ = ["ColorizeApi"]

Samples = Annotated[int, Field(ge=1, le=16)]
SeveralSamples = Annotated[int, Field(ge=2, le=16)]


class ColorizeApi:
    """The endpoints of a colorizer, which clients and the page share.

    Clients read the docstrings; each parameter has one line.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer
        self.endpoints = (self.colorize, self.hint, self.reference, self.redraw, self.interpolate, self.uncertainty)

    def axes(self) -> list[str]:
        """Return the names of the axes of colour."""
        return [axis.name for axis in AXES]

    def colorize(
        self,
        picture: Picture,
        samples: Samples = 1,
        temperature: GivenTemperature = None,
        strength: Strength = 1.0,
        seed: Seed = 0,
        axes: Axes = None,
        diverse: bool = False,
        restore_levels: bool = False,
    ) -> tuple[list[File], File, list[Line]]:
        """Colour a photograph in one plausible way or in several.

        Args:
            picture: The photograph, of any size and format; only its light and shade are used.
            samples: Number of colourings, 1 to 16.
            temperature: How much colours vary, 0 to 2, or five numbers, fine to coarse; by default the model's own.
            strength: How strong colours are, 0 (gray) to 2; 1 is as the model draws them.
            seed: The same seed gives the same colours, another seed other colours.
            axes: Steps of -3 to 3 along the axes of colour, such as {"warmer": 1}; /models lists them.
            diverse: Draw four times as many, and keep those that represent them best.
            restore_levels: Remove the fading of a faded photograph; without it, colours are as faded as it is.

        Returns:
            pictures: The colourings at full resolution, in the photograph's format, with settings in the metadata.
            sheet: A small picture of the original and all colourings side by side.
            report: For each colouring its file, all settings, its log-likelihood, seconds and warnings.
        """
        start = time.perf_counter()
        steering = Steering(axes or {}, restore_levels=restore_levels)
        colourings = self.colorizer.colorize(picture, samples, temperature, seed, steering, diverse)
        files, report = _save(picture, colourings, strength, start)
        sheet = files[0].with_name(f"{picture.stem}-sheet.jpg")
        save_contact_sheet(sheet, colourings, strength, picture)
        return files, sheet, report

    def hint(
        self,
        picture: Picture,
        hints: str | dict[str, Any],
        temperature: GivenTemperature = None,
        strength: Strength = 1.0,
        seed: Seed = 0,
        axes: Axes = None,
        restore_levels: bool = False,
    ) -> tuple[File, Line]:
        """Colour a photograph with given colours at some places, from where they spread over things.

        Args:
            picture: The photograph, of any size and format.
            hints: Points as "X,Y=#RRGGBB", separated by spaces, or the JSON of a hint file, with strokes and masks.
            temperature: How much the other colours vary, 0 to 2; by default the model's own.
            strength: How strong colours are, 0 (gray) to 2; 1 meets the hints.
            seed: Another seed gives other colours where no hint is.
            axes: Steps of -3 to 3 along the axes of colour, such as {"warmer": 1}; /models lists them.
            restore_levels: Remove the fading of a faded photograph; without it, colours are as faded as it is.

        Returns:
            picture: The colouring at full resolution.
            report: Its file, all settings, its log-likelihood, seconds and warnings.
        """
        steering = Steering(axes or {}, Hints.read(hints), restore_levels=restore_levels)
        return self._steered(picture, steering, temperature, strength, seed)

    def reference(
        self,
        picture: Picture,
        reference: Picture,
        temperature: GivenTemperature = None,
        strength: Strength = 1.0,
        seed: Seed = 0,
        axes: Axes = None,
        restore_levels: bool = False,
    ) -> tuple[File, Line]:
        """Colour a photograph in the colours of like things in another picture, as far as they are plausible there.

        Args:
            picture: The photograph, of any size and format.
            reference: The picture in colour.
            temperature: How much colours vary, 0 to 2, or five numbers, fine to coarse; by default the model's own.
            strength: How strong colours are, 0 (gray) to 2.
            seed: Another seed distributes the colours differently.
            axes: Steps of -3 to 3 along the axes of colour, such as {"warmer": 1}; /models lists them.
            restore_levels: Remove the fading of a faded photograph; without it, colours are as faded as it is.

        Returns:
            picture: The colouring at full resolution.
            report: Its file, all settings, its log-likelihood, seconds and warnings.
        """
        steering = Steering(axes or {}, reference=ColourReference.of(reference), restore_levels=restore_levels)
        return self._steered(picture, steering, temperature, strength, seed)

    def redraw(
        self,
        picture: Picture,
        keep: Picture,
        seed: Seed = 0,
        other_seed: Seed = 1,
        temperature: GivenTemperature = None,
        strength: Strength = 1.0,
        axes: Axes = None,
        restore_levels: bool = False,
    ) -> tuple[File, Line]:
        """Keep the colours of a region of one colouring, and redraw the rest.

        Args:
            picture: The photograph, of any size and format.
            keep: A picture of the same size, white where colours stay and black where they are redrawn.
            seed: Seed of the colouring to keep, as for /colorize.
            other_seed: Seed of the colours around the region.
            temperature: How much colours vary, 0 to 2, or five numbers, fine to coarse; by default the model's own.
            strength: How strong colours are, 0 (gray) to 2.
            axes: Steps of -3 to 3 along the axes of colour, such as {"warmer": 1}; /models lists them.
            restore_levels: Remove the fading of a faded photograph; without it, colours are as faded as it is.

        Returns:
            picture: The colouring at full resolution.
            report: Its file, all settings, its log-likelihood, seconds and warnings.
        """
        start = time.perf_counter()
        mask = read_photograph(keep).lightness[0].numpy() > 50
        encoded = self.colorizer.encode_photograph(picture)
        steering = Steering(axes or {}, restore_levels=restore_levels)
        (first,) = self.colorizer.colorize(encoded, 1, temperature, seed, steering)
        redrawn = self.colorizer.redraw(first, mask, other_seed, encoded)
        files, report = _save(picture, [redrawn], strength, start, {"kept_seed": seed, "seed": other_seed})
        return files[0], report[0]

    def interpolate(
        self,
        picture: Picture,
        seed: Seed = 0,
        other_seed: Seed = 1,
        count: SeveralSamples = 8,
        temperature: GivenTemperature = None,
        strength: Strength = 1.0,
        axes: Axes = None,
        restore_levels: bool = False,
    ) -> tuple[list[File], list[Line]]:
        """Interpolate between two colourings of a photograph in even steps.

        Args:
            picture: The photograph, of any size and format.
            seed: Seed of the first colouring, as for /colorize.
            other_seed: Seed of the last colouring.
            count: Number of colourings, both ends included, 2 to 16.
            temperature: How much colours vary, 0 to 2, or five numbers, fine to coarse; by default the model's own.
            strength: How strong colours are, 0 (gray) to 2.
            axes: Steps of -3 to 3 along the axes of colour, such as {"warmer": 1}; /models lists them.
            restore_levels: Remove the fading of a faded photograph; without it, colours are as faded as it is.

        Returns:
            pictures: The colourings at full resolution, from the first to the last.
            report: For each colouring its file, the seeds of both ends, its log-likelihood, seconds and warnings.
        """
        start = time.perf_counter()
        encoded = self.colorizer.encode_photograph(picture)
        steering = Steering(axes or {}, restore_levels=restore_levels)
        first, last = (self.colorizer.colorize(encoded, 1, temperature, end, steering)[0] for end in (seed, other_seed))
        way = self.colorizer.interpolate(first, last, count, encoded)
        return _save(picture, way, strength, start, {"seeds": [seed, other_seed]})

    def uncertainty(
        self,
        picture: Picture,
        samples: SeveralSamples = 8,
        temperature: GivenTemperature = None,
        seed: Seed = 0,
        axes: Axes = None,
    ) -> File:
        """Show where colourings of a photograph disagree, apart from tints of the whole picture.

        Args:
            picture: The photograph, of any size and format.
            samples: Number of colourings to compare, 2 to 16.
            temperature: How much colours vary, 0 to 2, or five numbers, fine to coarse; by default the model's own.
            seed: Seed of the colourings.
            axes: Steps of -3 to 3 along the axes of colour, such as {"warmer": 1}; /models lists them.

        Returns:
            map: A gray picture of the photograph's size, black where colourings agree and white from 16 Lab units on.
        """
        colourings = self.colorizer.colorize(picture, samples, temperature, seed, Steering(axes or {}))
        path = new_results_folder() / f"{picture.stem}-uncertainty.png"
        save_uncertainty(path, colourings, picture)
        return path

    def _steered(
        self, picture: Path, steering: Steering, temperature: Temperature | None, strength: float, seed: int
    ) -> tuple[Path, Line]:
        start = time.perf_counter()
        colourings = self.colorizer.colorize(picture, 1, temperature, seed, steering)
        files, report = _save(picture, colourings, strength, start)
        return files[0], report[0]


def _save(
    picture: Path, colourings: Sequence[Colouring], strength: float, start: float, more: Mapping[str, Any] | None = None
) -> tuple[list[Path], list[Line]]:
    """Write colourings at full resolution, and report on each as `cinn colorize --report` does."""
    folder, photograph = new_results_folder(), colourings[0].photograph
    suffix = format_like(photograph.metadata)
    files = [folder / f"{picture.stem}-coloured-{number}.{suffix}" for number in range(1, len(colourings) + 1)]
    for file, colouring in zip(files, colourings, strict=True):
        colouring.save(file, strength, picture)
    seconds = round((time.perf_counter() - start) / len(files), 3)
    report = [
        {
            "input": picture.name,
            "output": file.name,
            "seconds": seconds,
            **colouring.report(strength),
            **(more or {}),
        }
        for file, colouring in zip(files, colourings, strict=True)
    ]
    return files, report
