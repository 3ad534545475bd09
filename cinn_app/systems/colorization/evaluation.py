"""Measuring a colorizer on photographs that it was not trained on, through finished 8-bit pictures."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from cinn_app.data.sources import image_names, iterate_images
from cinn_app.errors import DataError, ImageError, RecipeError
from cinn_app.evaluation import Evaluation, evenly_spread
from cinn_app.extras import MissingExtraError
from cinn_app.imaging import read_photograph
from cinn_app.limits import MAX_TEMPERATURE
from cinn_app.metrics.calibration import calibration_error, coverage
from cinn_app.nn.efficientnet import load_classifier
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.colorization.classification import ClassifierMetrics
from cinn_app.systems.colorization.comparison import Comparison, Painter, Quotients, compare, compare_print
from cinn_app.systems.colorization.old_prints import KINDS, make_old_print
from cinn_app.systems.colorization.temperatures import GivenTemperature

__all__ = ["evaluate_colorizer"]

#: The central regions whose coverage is measured.
LEVELS = (0.5, 0.9)
#: The most photographs whose old prints are judged, spread evenly.
AGED_PICTURES = 30


def evaluate_colorizer(
    colorizer: Painter,
    data: Sequence[Path],
    *,
    samples: Annotated[int, Field(ge=1, le=100, description="Colourings per picture.")] = 8,
    temperature: Annotated[
        GivenTemperature,
        Field(description=f"Of the samples, 0 to {MAX_TEMPERATURE:g}, or one per scale; without it, the model's own."),
    ] = None,
    aged: Annotated[
        bool, Field(description=f"Measure old prints of up to {AGED_PICTURES} of the pictures, too.")
    ] = False,
    cache: Path = Path("cache"),
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Colour photographs whose colours are known, and compare: 300 of 256 pixels in about nine minutes on a CPU core.

    The figures of K samples; unless stated otherwise they are averages over pictures:

    * ``energy_score``: the averaged :func:`energy_score` of the samples at 64 pixels of the shorter side, divided by
      the averaged error of gray there; ``energy_score_best_guess``: the error of the conditional mean alone, likewise;
      for at least two samples;
    * ``bits_per_dim``: of the true ab at the network's size, with the training's noise, in Lab units; only for a
      :class:`Colorizer`;
    * ``rmse_gray``, ``rmse_best_guess``, ``rmse_one_sample``, ``rmse_best_of_K``: the error of gray, of the conditional
      mean, of the first sample, and of the best of K samples as a whole;
    * ``of_gray_...``: that averaged error divided by the averaged error of gray;
    * ``ratio_...``: the error of each picture divided by its own error of gray: nearly gray pictures have most weight;
    * ``oracle_rmse_of_K``, ``oracle_rmse_of_1``: the measure of the cINN paper, in RGB of 0..1, see
      :func:`oracle_mse`; for one sample it is an ordinary error;
    * ``beyond_tint``: share of the samples' variance about their mean, at 64 pixels, that is neither a tint nor a
      change of vividness, see :func:`beyond_tint`; ``beyond_tint_truth``: that of the truth about the conditional mean;
    * ``chroma``: the samples' mean chroma divided by the truth's, at 64 pixels;
    * ``best_first_hit``: share of the pictures where the first of four samples, ordered by :func:`best_first` among all
      K, is the nearest of the four to the truth; for at least four samples;
    * ``deviation``, ``variance``, ``pairwise_distance``: the diversity of samples in ab, and ``variance_rgb`` in RGB of
      0..1, as in the paper; for at least two samples;
    * ``colourfulness``, ``colourfulness_truth``: that of Hasler and Suesstrunk, of the first sample and of the truth;
    * ``frechet_...``, ``top5_...``: see :meth:`ClassifierMetrics.compute`; if the classifier's weights are installed;
    * ``coverage_50_...``, ``coverage_90_...``, ``calibration_error_...``: the rank of the true a and b among at least
      39 samples at the network's size, for ``pixels`` and for ``pictures``, their averages over all pixels, averaged
      over both channels, see :mod:`cinn_app.metrics.calibration`; for ``density_pixels`` and ``density_pictures`` among
      samples of the trained density, see :meth:`Colorizer.sample_density`;
    * ``aged_energy_KIND``: the energy score of old prints of each of :data:`KINDS`; ``aged_ratio_KIND``: that divided
      by the energy score of the same photographs; ``aged_mount_chroma``: mean chroma in borders and film rims;
    * ``negatives_found``: share of the pictures whose negatives are recognised as such, ``negatives_alarms``: share of
      the pictures that are taken for negatives; only for a :class:`Colorizer`;
    * ``lightness_error_p99``: 99th percentile over all pixels of the error of the output's lightness;
    * ``pictures_per_second``: one colouring each, from the photograph in memory to the finished picture.

    Args:
        colorizer: what to measure.
        data: folders, tar archives and pictures, held out from training.
        samples: to draw per picture.
        temperature: as for :meth:`Colorizer.temperatures`.
        aged: measure old prints, too.
        cache: unused.
        limit: the most pictures to measure, spread evenly.
        progress: shows the advance.

    Raises:
        DataError: if a source is missing, or holds no colour photograph, or old prints are to be judged by one sample.
    """
    if aged and samples < 2:
        raise DataError("Old prints are judged by their energy score: ask for at least 2 samples with --samples.")
    numbers = evenly_spread(len(image_names(data)), limit)
    with_prints = {numbers[place] for place in evenly_spread(len(numbers), AGED_PICTURES)} if aged else set()
    compared: list[Comparison] = []
    plain: list[Quotients] = []
    prints: dict[str, list[Quotients]] = {kind: [] for kind in KINDS}
    problems: list[str] = []
    classifier, notes = _classifier(colorizer)
    with progress("Colouring and comparing", len(numbers)) as advance:
        for number, image in zip(numbers, iterate_images(data, set(numbers)), strict=True):
            try:
                photograph = read_photograph(io.BytesIO(image.content), keep_colour=True, strict=True)
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
                    if number in with_prints:
                        plain.append(comparison.quotients)
                        for kind in KINDS:
                            old = make_old_print(photograph, kind, number)
                            prints[kind].append(compare_print(colorizer, old, samples, temperature, seed=number))
            advance(1)
    if not compared:
        raise DataError("There was no colour photograph to measure: give data that hold some with --data.")
    ranks = {level: np.mean([one.ranks[level] for one in compared], axis=0) for level in compared[0].ranks}
    figures = (
        _quotients([one.quotients for one in compared])
        | _averages(compared)
        | (classifier.compute() if classifier else {})
        | _calibration(ranks)
        | (_aged(plain, prints) if plain else {})
        | _craft(compared)
    )
    by_channel = {
        f"{level}_{ab}": rank.tolist() for level in ranks for ab, rank in zip("ab", ranks[level], strict=True)
    }
    return Evaluation(figures, len(compared), problems, notes, [source.name for source in data], by_channel)


def _classifier(colorizer: Painter) -> tuple[ClassifierMetrics | None, list[str]]:
    """Load the classifier, or return a sentence that says how to install it."""
    try:
        return ClassifierMetrics(load_classifier(colorizer.device)), []
    except (MissingExtraError, RecipeError) as error:
        return None, [str(error)]


def _quotients(many: Sequence[Quotients]) -> dict[str, float]:
    """Average numerators and denominators over photographs, then divide; a figure without a denominator is left out."""
    parts: dict[str, list[tuple[float, float]]] = {}
    for one in many:
        for name, pair in one.items():
            parts.setdefault(name, []).append(pair)
    averages = {name: np.mean(pairs, axis=0) for name, pairs in parts.items()}
    return {name: float(above / below) for name, (above, below) in averages.items() if below > 0}


def _aged(plain: Sequence[Quotients], prints: Mapping[str, Sequence[Quotients]]) -> dict[str, float]:
    """Compare the scores of old prints with those of the same photographs."""
    scores = {kind: _quotients(many) for kind, many in prints.items()}
    reference = _quotients(plain)["energy_score"]
    figures = {f"aged_energy_{kind}": one["energy_score"] for kind, one in scores.items()}
    figures |= {f"aged_ratio_{kind}": one["energy_score"] / reference for kind, one in scores.items()}
    return figures | {"aged_mount_chroma": scores["mounted"]["mount_chroma"]}


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
