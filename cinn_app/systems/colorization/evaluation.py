"""Measuring a colorizer on photographs that it was not trained on, through finished 8-bit pictures."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from cinn_app.data.sources import image_names, iterate_images
from cinn_app.errors import DataError, ImageError, RecipeError
from cinn_app.evaluation import Evaluation, evenly_spread
from cinn_app.imaging import read_photograph
from cinn_app.limits import MAX_TEMPERATURE
from cinn_app.metrics.calibration import calibration_error, coverage
from cinn_app.nn.efficientnet import load_classifier
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.colorization.classification import ClassifierMetrics
from cinn_app.systems.colorization.comparison import Comparison, Painter, compare

__all__ = ["evaluate_colorizer"]

#: The central regions whose coverage is measured.
LEVELS = (0.5, 0.9)


def evaluate_colorizer(
    colorizer: Painter,
    data: Sequence[Path],
    *,
    samples: Annotated[int, Field(ge=1, le=100, description="Colourings per picture.")] = 8,
    temperature: Annotated[
        float | None, Field(ge=0, le=MAX_TEMPERATURE, description="Of the samples; without it, the model's own.")
    ] = None,
    cache: Path = Path("cache"),
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Colour photographs whose colours are known, and compare: 300 of 256 pixels in about nine minutes on a CPU core.

    The figures of K samples; unless stated otherwise they are averages over pictures:

    * ``bits_per_dim``: of the true ab at the network's size, with the training's noise, in Lab units; only for a
      :class:`Colorizer`;
    * ``rmse_gray``, ``rmse_best_guess``, ``rmse_centre``, ``rmse_one_sample``, ``rmse_best_of_K``: the error of gray,
      of the conditional mean, of temperature 0, of the first sample, and of the best of K samples as a whole;
    * ``of_gray_...``: that averaged error divided by the averaged error of gray;
    * ``ratio_...``: the error of each picture divided by its own error of gray: nearly gray pictures have most weight;
    * ``oracle_rmse_of_K``, ``oracle_rmse_of_1``: the measure of the cINN paper, in RGB of 0..1, see
      :func:`oracle_mse`; for one sample it is an ordinary error;
    * ``deviation``, ``variance``, ``pairwise_distance``: the diversity of samples in ab, and ``variance_rgb`` in RGB of
      0..1, as in the paper; for at least two samples;
    * ``colourfulness``, ``colourfulness_truth``: that of Hasler and Suesstrunk, of the first sample and of the truth;
    * ``frechet_...``, ``top5_...``: see :meth:`ClassifierMetrics.compute`; if the classifier's weights are installed;
    * ``coverage_50_...``, ``coverage_90_...``, ``calibration_error_...``: the rank of the true a and b among at least
      39 samples at the network's size, for ``pixels`` and for ``pictures``, their averages over all pixels, averaged
      over both channels, see :mod:`cinn_app.metrics.calibration`; for ``density_pixels`` and ``density_pictures`` among
      samples of the trained density, see :meth:`Colorizer.sample_density`;
    * ``lightness_error_p99``: 99th percentile over all pixels of the error of the output's lightness;
    * ``pictures_per_second``: one colouring each, from the photograph in memory to the finished picture.

    Args:
        colorizer: what to measure.
        data: folders, tar archives and pictures, held out from training.
        samples: to draw per picture.
        temperature: as for :meth:`Colorizer.temperatures`.
        cache: unused.
        limit: the most pictures to measure, spread evenly.
        progress: shows the advance.

    Raises:
        DataError: if a source is missing, or holds no colour photograph.
    """
    numbers = evenly_spread(len(image_names(data)), limit)
    compared: list[Comparison] = []
    problems: list[str] = []
    classifier, notes = _classifier(colorizer)
    with progress("Colouring and comparing", len(numbers)) as advance:
        for number, image in zip(numbers, iterate_images(data, set(numbers)), strict=True):
            try:
                photograph = read_photograph(io.BytesIO(image.content), keep_colour=True)
            except ImageError as error:
                problems.append(f"{image.name}: {error}")
            else:
                if photograph.colours is None:
                    problems.append(f"{image.name}: has no colours to be compared with")
                else:
                    # A seed for each: with one for all, their samples would err alike.
                    comparison = compare(colorizer, photograph, samples, temperature, seed=number)
                    if classifier:
                        classifier.update(image.name, comparison.pictures)
                    compared.append(comparison._replace(pictures={}))  # a thousand of them would fill the memory
            advance(1)
    if not compared:
        raise DataError("There was no colour photograph to measure: give data that hold some with --data.")
    ranks = {level: np.mean([one.ranks[level] for one in compared], axis=0) for level in compared[0].ranks}
    figures = (
        _averages(compared) | (classifier.compute() if classifier else {}) | _calibration(ranks) | _craft(compared)
    )
    by_channel = {
        f"{level}_{ab}": rank.tolist() for level in ranks for ab, rank in zip("ab", ranks[level], strict=True)
    }
    return Evaluation(figures, len(compared), problems, notes, [source.name for source in data], by_channel)


def _classifier(colorizer: Painter) -> tuple[ClassifierMetrics | None, list[str]]:
    """Load the classifier, or return a sentence that says how to install it."""
    try:
        return ClassifierMetrics(load_classifier(colorizer.device)), []
    except RecipeError as error:
        return None, [str(error)]


def _averages(compared: Sequence[Comparison]) -> dict[str, float]:
    """Average over photographs, then take the ratios and roots that belong after the averaging."""
    averages = {key: float(np.mean([one.figures[key] for one in compared])) for key in compared[0].figures}
    averages |= {
        key.replace("rmse", "of_gray"): value / averages["rmse_gray"]
        for key, value in averages.items()
        if key.startswith("rmse") and key != "rmse_gray"
    }
    for key in [key for key in averages if key.startswith("oracle_mse")]:
        averages[key.replace("mse", "rmse")] = math.sqrt(averages.pop(key))
    return averages


def _calibration(ranks: dict[str, np.ndarray]) -> dict[str, float]:
    figures = {}
    for level, channels in ranks.items():
        for share in LEVELS:
            covered = [coverage(shares, share) for shares in channels]
            figures[f"coverage_{100 * share:.0f}_{level}"] = float(np.mean(covered))
        figures[f"calibration_error_{level}"] = float(np.mean([calibration_error(shares) for shares in channels]))
    return figures


def _craft(compared: Sequence[Comparison]) -> dict[str, float]:
    off = np.cumsum(np.sum([one.lightness_errors for one in compared], axis=0))
    return {
        "lightness_error_p99": float(np.searchsorted(off / off[-1], 0.99)) / 100,
        "pictures_per_second": len(compared) / sum(one.seconds for one in compared),
    }
