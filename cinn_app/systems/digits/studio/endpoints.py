"""The digits tab for programs: each call is complete by itself and leaves nothing behind but files."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from cinn_app.studio.endpoints import Axes, File, Line, Picture, Seed, Temperature
from cinn_app.studio.files import new_results_folder
from cinn_app.systems.digits.files import save_digits
from cinn_app.systems.digits.generator import DigitGenerator

__all__ = ["DigitsApi"]

Digit = Annotated[int, Field(ge=0, le=9)]
Count = Annotated[int, Field(ge=1, le=100)]
WayCount = Annotated[int, Field(ge=2, le=100)]


class DigitsApi:
    """The endpoints of a digit generator, which all clients and the page share.

    Clients read the docstrings, with one line for each parameter.
    """

    def __init__(self, generator: DigitGenerator) -> None:
        self.generator = generator
        self.endpoints = (self.digits, self.between, self.restyle)

    def axes(self) -> list[str]:
        """Return the names of the axes over all digits, the strongest first."""
        return [axis.name for axis in self.generator.axes()]

    def digits(
        self,
        label: Digit | None = None,
        count: Count = 10,
        temperature: Temperature = None,
        seed: Seed = 0,
        axes: Axes = None,
        within: Digit | None = None,
    ) -> tuple[File, File, Line]:
        """Write a digit, or all ten, in many handwritings.

        Args:
            label: The digit, 0 to 9; by default all ten.
            count: How many handwritings, 1 to 100; the same ones for every digit.
            temperature: How much handwritings vary, 0 to 2; by default as the model was tuned.
            seed: The same seed gives the same handwritings.
            axes: Steps of -3 to 3 along axes of the handwriting, such as {"slant": 1.5}; /models names them.
            within: Digit of the axes, 0 to 9; by default they are those over all digits.

        Returns:
            sheet: A PNG with a row for each digit and a column for each handwriting, settings in its metadata.
            data: The same as a file of NumPy: uint8 (digits, count, 28, 28), 255 for full ink.
            report: The digits of the rows, and all settings.
        """
        labels = list(range(10)) if label is None else [label]
        images = self.generator.sample(labels, count, temperature, seed, axes, within)
        settings = self.generator.settings(temperature, seed, axes, within)
        return _save("digits", images, {**settings, "labels": labels, "samples": count})

    def between(
        self,
        first: Digit,
        last: Digit,
        count: WayCount = 10,
        temperature: Temperature = None,
        seed: Seed = 0,
        other_seed: Seed = 1,
    ) -> tuple[File, File, Line]:
        """Write the digits between two, each in a handwriting of its own.

        Args:
            first: The first digit, 0 to 9.
            last: The last digit, 0 to 9.
            count: How many pictures, 2 to 100, both ends included.
            temperature: How much handwritings vary, 0 to 2; by default as the model was tuned.
            seed: Seed of the first handwriting.
            other_seed: Seed of the last handwriting.

        Returns:
            sheet: A PNG with all of them in a row, settings in its metadata.
            data: The same as a file of NumPy: uint8 (1, count, 28, 28), 255 for full ink.
            report: All settings.
        """
        start, end = (self.generator.draw(1, temperature, number)[0] for number in (seed, other_seed))
        images = self.generator.interpolate(start, end, (first, last), count)[None]
        settings = {**self.generator.settings(temperature, seed), "other_seed": other_seed}
        return _save("between", images, {**settings, "labels": [first, last], "samples": count})

    def restyle(self, picture: Picture, label: Digit | None = None) -> tuple[File, File, Line]:
        """Recognise a handwritten digit, and write all ten in the same handwriting.

        Args:
            picture: A drawing or scan of one digit, dark on light or light on dark.
            label: The digit that it shows, 0 to 9; by default the one that the model recognises.

        Returns:
            sheet: A PNG with the ten digits in a row.
            data: The same as a file of NumPy: uint8 (1, 10, 28, 28), 255 for full ink.
            report: The digit, the probability of each digit, and whether the result is doubtful.
        """
        restyled = self.generator.restyle(picture, label)
        settings = {**self.generator.model_settings(), "label": restyled.label}
        sheet, data, report = _save(f"{picture.stem}-restyled", restyled.images[None], settings, picture)
        probabilities = [round(probability, 6) for probability in restyled.probabilities.tolist()]
        return sheet, data, {**report, "probabilities": probabilities, "doubtful": restyled.doubtful}


def _save(name: str, images: Tensor, settings: Line, source: Path | None = None) -> tuple[Path, Path, Line]:
    """Write digits ``(rows, columns, 28, 28)`` as a picture and as numbers."""
    folder = new_results_folder()
    sheet, data = folder / f"{name}.png", folder / f"{name}.npy"
    save_digits(sheet, images, settings, source)
    np.save(data, images.numpy())
    return sheet, data, {"output": sheet.name, **settings}
