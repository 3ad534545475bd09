"""Measuring a colorizer on photographs it has not learnt from, through the pictures that a user would get."""

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cinn_app.data.sources import iterate_images
from cinn_app.errors import DataError, ImageError
from cinn_app.imaging import Photograph, lightness_and_ab_to_rgb8, read_photograph, rgb_to_lab
from cinn_app.metrics.colour import best_of, colourfulness, deviation, picture_rmse
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.colorizer import Colorizer

__all__ = ["Evaluation", "evaluate_colorizer", "evenly_spread"]

#: A picture whose own chroma is below this many Lab units on average has no colours to be compared with.
GRAY_CHROMA = 1.0


@dataclasses.dataclass
class Evaluation:
    """What was measured.

    Attributes:
        figures: by name; errors and deviations in Lab units of the finished 8-bit pictures at full resolution.
        pictures: how many were measured.
        problems: a sentence per picture that was not.
    """

    figures: dict[str, float]
    pictures: int
    problems: list[str]


def evaluate_colorizer(
    colorizer: Colorizer,
    sources: Sequence[Path],
    samples: int = 8,
    limit: int | None = None,
    temperature: float | Sequence[float] | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Colour photographs whose colours are known, and compare.

    Figures, each averaged over pictures unless it says otherwise:

    * ``bits_per_dim``: of the true ab at the network's size, the training's noise added, in Lab units;
    * ``rmse_gray``, ``rmse_best_guess``, ``rmse_centre``, ``rmse_one_sample``, ``rmse_best_of_K``: error of the gray
      answer, of the conditional mean, of temperature 0, of the first sample, and of the best whole sample of K;
    * ``of_gray_...``: that averaged error divided by the averaged error of the gray answer;
    * ``ratio_...``: each picture's error divided by its own gray error, averaged: nearly gray pictures weigh most;
    * ``deviation``: standard deviation over the samples, averaged over pixels and channels;
    * ``colourfulness`` and ``colourfulness_truth``: Hasler and Suesstrunk's, of the first sample and of the truth;
    * ``lightness_error_p99``: 99th percentile over all pixels of how far the output's lightness is off.

    Args:
        colorizer: what to measure.
        sources: folders, tar archives and pictures, held out from training.
        samples: how many to draw per picture.
        limit: measure only so many pictures, spread evenly.
        temperature: as for :meth:`Colorizer.temperatures`.
        progress: shows how it gets on.

    Raises:
        DataError: if a source is missing, or holds no colour photograph.
    """
    names = [image.name for image in iterate_images(sources)]
    kept = set(evenly_spread(len(names), limit))
    rows: list[dict[str, float]] = []
    lightness_off = np.zeros(1001, dtype=np.int64)
    problems: list[str] = []
    with progress("Colouring and comparing", len(kept)) as advance:
        for number, image in enumerate(iterate_images(sources)):
            if number not in kept:
                continue
            try:
                photograph = read_photograph(io.BytesIO(image.content), keep_colour=True)
                if photograph.ab is None or photograph.ab.norm(dim=0).mean() < GRAY_CHROMA:
                    problems.append(f"{image.name}: has no colours to be compared with")
                else:
                    figures, histogram = _measure(colorizer, photograph, samples, temperature)
                    rows.append(figures)
                    lightness_off += histogram
            except ImageError as error:
                problems.append(f"{image.name}: {error}")
            advance(1)
    if not rows:
        raise DataError("There was no colour photograph to measure: give data that hold some with --data.")
    averages = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    averages |= {
        key.replace("rmse", "of_gray"): value / averages["rmse_gray"]
        for key, value in averages.items()
        if key.startswith("rmse") and key != "rmse_gray"
    }
    averages["lightness_error_p99"] = float(np.searchsorted(np.cumsum(lightness_off) / lightness_off.sum(), 0.99)) / 100
    return Evaluation(averages, len(rows), problems)


def evenly_spread(count: int, limit: int | None) -> list[int]:
    """Choose at most so many of the numbers below a count, spread evenly.

    >>> evenly_spread(9, 3), evenly_spread(3, 9), evenly_spread(2, None)
    ([0, 4, 8], [0, 1, 2], [0, 1])
    """
    if limit is None or limit >= count:
        return list(range(count))
    chosen: list[int] = np.linspace(0, count - 1, limit).round().astype(int).tolist()
    return chosen


class _Finished(NamedTuple):
    """A colouring as the user's 8-bit file has it: `rgb` `(h, w, 3)`, `lightness` `(1, h, w)`, `ab` `(2, h, w)`."""

    rgb: Tensor
    lightness: Tensor
    ab: Tensor

    @classmethod
    def of(cls, rgb: Tensor) -> "_Finished":
        lab = rgb_to_lab(rgb.movedim(-1, 0) / 255)
        return cls(rgb, lab[:1], lab[1:])


def _measure(
    colorizer: Colorizer,
    photograph: Photograph,
    samples: int,
    temperature: float | Sequence[float] | None,
) -> tuple[dict[str, float], np.ndarray]:
    """Measure one photograph: its figures, and a histogram of how far the lightness is off, in steps of 0.01."""
    truth = photograph.ab
    assert truth is not None
    guess, centre, *drawn = (
        _Finished.of(torch.from_numpy(colouring.render()))
        for colouring in (
            colorizer.best_guess(photograph),
            *colorizer.colorize(photograph, 1, 0.0),
            *colorizer.colorize(photograph, samples, temperature),
        )
    )
    sampled = torch.stack([colouring.ab for colouring in drawn])
    gray = picture_rmse(torch.zeros_like(truth), truth)
    errors = {
        "best_guess": picture_rmse(guess.ab, truth),
        "centre": picture_rmse(centre.ab, truth),
        "one_sample": picture_rmse(sampled[0], truth),
        f"best_of_{samples}": best_of(sampled, truth),
    }
    off = (drawn[0].lightness - photograph.lightness).abs().flatten()
    figures = {
        "bits_per_dim": colorizer.encode(photograph, noisy=True).bits_per_dim,
        "rmse_gray": float(gray),
        **{f"rmse_{name}": float(error) for name, error in errors.items()},
        **{f"ratio_{name}": float(error / gray) for name, error in errors.items()},
        "deviation": float(deviation(sampled)) if samples > 1 else 0.0,
        "colourfulness": float(colourfulness(drawn[0].rgb)),
        "colourfulness_truth": float(colourfulness(lightness_and_ab_to_rgb8(photograph.lightness, truth))),
    }
    return figures, np.bincount((off * 100).round().clamp(max=1000).long().numpy(), minlength=1001)
