"""Colour one photograph whose colours are known in several ways, and compare the results with the truth."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph, lightness_and_ab_to_rgb8, rgb_to_lab
from cinn_app.metrics.calibration import rank_histogram
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.encoded import LOOKS_NEGATIVE
from cinn_app.systems.colorization.metrics import (
    best_rmse,
    beyond_tint,
    colourfulness,
    energy_score,
    mean_deviation,
    mean_variance,
    oracle_mse,
    pairwise_rmse,
    rmse,
)
from cinn_app.systems.colorization.old_prints import OldPrint
from cinn_app.systems.colorization.selection import best_first

__all__ = ["Comparison", "Painter", "Quotients", "compare", "compare_print"]

#: Numerator and denominator of figures. Each is averaged over photographs before they are divided.
Quotients = dict[str, tuple[float, float]]

#: Among 39 samples the truth has 40 possible ranks, and the central 50% and 90% begin and end between two of them.
RANKED_SAMPLES = 39
#: Colourings that the page shows side by side.
SHOWN = 4
#: Pixels of the shorter side at which the energy score and its companions are computed.
SCORED_SIDE = 64


class Painter(Protocol):
    """Draws colourings of a photograph: a :class:`Colorizer`, or a model of the benchmarks."""

    @property
    def device(self) -> torch.device:
        """The device that it computes on."""
        ...

    def encode_photograph(self, image: Photograph, /) -> Any:
        """Encode a photograph once; the result is passed to the methods below."""
        ...

    def best_guess(self, image: Any, /) -> Colouring:
        """Return the colouring with the smallest expected error."""
        ...

    def colorize(
        self, image: Any, samples: int = ..., temperature: float | Sequence[float] | None = ..., seed: int = ..., /
    ) -> list[Colouring]:
        """Draw colourings."""
        ...


class Comparison(NamedTuple):
    """Results for one photograph.

    Attributes:
        figures: to be averaged over photographs.
        quotients: figures that are averaged in two parts.
        ranks: rank histograms of the truth among the samples, ``(2, samples + 1)`` for a and b, of "pixels" and
            "pictures"; of a :class:`Colorizer` also among samples of its density, "density_pixels" and
            "density_pictures".
        lightness_errors: histogram of the error of the output's lightness, in steps of 0.01.
        seconds: the time of one colouring, from the photograph in memory to the finished picture.
        pictures: uint8 ``(height, width, 3)``: the truth, gray, the best guess and one sample.
    """

    figures: dict[str, float]
    quotients: Quotients
    ranks: dict[str, np.ndarray]
    lightness_errors: np.ndarray
    seconds: float
    pictures: dict[str, Tensor]


def compare(
    painter: Painter, photograph: Photograph, samples: int, temperature: float | Sequence[float] | None, seed: int = 0
) -> Comparison:
    """Colour one photograph in several ways and compare; :func:`evaluate_colorizer` explains the figures."""
    truth = photograph.ab
    assert truth is not None
    true_rgb, gray_rgb = lightness_and_ab_to_rgb8(photograph.lightness, torch.stack([truth, torch.zeros_like(truth)]))
    begun = time.perf_counter()
    encoded = painter.encode_photograph(photograph)
    guess = _Finished.of(painter.best_guess(encoded))
    seconds = time.perf_counter() - begun
    colourings = painter.colorize(encoded, max(samples, RANKED_SAMPLES), temperature, seed)
    drawn = [_Finished.of(colouring) for colouring in colourings[:samples]]
    ab = torch.stack([one.ab for one in drawn])
    errors = {
        "best_guess": rmse(guess.ab, truth),
        "one_sample": rmse(ab[0], truth),
        f"best_of_{samples}": best_rmse(ab, truth),
    }
    gray = rmse(torch.zeros_like(truth), truth)
    fresh = photograph.levels.restore_chroma(truth)  # the scale of samples before they are finished
    ranks = _ranks(torch.stack([colouring.ab for colouring in colourings]), fresh)
    figures = {
        "rmse_gray": gray,
        **{f"rmse_{name}": error for name, error in errors.items()},
        **{f"ratio_{name}": error / gray for name, error in errors.items()},
        **_in_rgb(torch.stack([one.rgb for one in drawn]), true_rgb),
        **_diversity(ab),
        "colourfulness": colourfulness(drawn[0].rgb),
        "colourfulness_truth": colourfulness(true_rgb),
    }
    if samples >= SHOWN:
        figures["best_first_hit"] = _first_is_nearest(colourings[:samples], rmse(ab[:SHOWN], truth))
    if isinstance(painter, Colorizer):
        figures = {"bits_per_dim": torch.tensor(painter.encode(encoded, noisy=True).bits_per_dim)} | figures
        exchanged = painter.encode_photograph(dataclasses.replace(photograph, lightness=100 - photograph.lightness))
        for name, one in (("negatives_found", exchanged), ("negatives_alarms", encoded)):
            figures[name] = torch.tensor(float(LOOKS_NEGATIVE in one.observations))
        plain = torch.stack([colouring.ab for colouring in painter.sample_density(encoded, RANKED_SAMPLES, seed)])
        ranks |= {f"density_{level}": histogram for level, histogram in _ranks(plain, fresh).items()}
    errors_of_lightness = (drawn[0].lightness - photograph.lightness).abs().flatten()
    return Comparison(
        {name: float(value) for name, value in figures.items()},
        _scores(ab, truth, guess.ab),
        ranks,
        np.bincount((errors_of_lightness * 100).round().clamp(max=1000).long().numpy(), minlength=1001),
        seconds,
        {"truth": true_rgb, "gray": gray_rgb, "best_guess": guess.rgb, "one_sample": drawn[0].rgb},
    )


def compare_print(
    painter: Painter, old: OldPrint, samples: int, temperature: float | Sequence[float] | None, seed: int = 0
) -> Quotients:
    """Colour an old print in several ways and return its scores, and the chroma of its mount if it has one."""
    truth = old.photograph.ab
    assert truth is not None
    encoded = painter.encode_photograph(old.photograph)
    drawn = painter.colorize(encoded, samples, temperature, seed)
    ab = torch.stack([_Finished.of(colouring).ab for colouring in drawn])
    scores = _scores(ab, truth, _Finished.of(painter.best_guess(encoded)).ab)
    if old.mount is not None:
        scores["mount_chroma"] = (float(ab.norm(dim=1)[:, old.mount].mean()), 1.0)
    return scores


def _scores(samples: Tensor, truth: Tensor, guess: Tensor) -> Quotients:
    """Return the energy score, and how samples depart from their mean and the truth from the best guess."""
    samples, truth, guess = map(_scored, (samples, truth, guess))
    gray = rmse(torch.zeros_like(truth), truth)
    scores = {
        "energy_score_best_guess": (rmse(guess, truth), gray),
        "beyond_tint_truth": (beyond_tint(truth, guess), (truth - guess).square().mean()),
        "chroma": (samples.norm(dim=1).mean(), truth.norm(dim=0).mean()),
    }
    if len(samples) > 1:
        scores = {
            "energy_score": (energy_score(samples, truth), gray),
            "beyond_tint": (beyond_tint(samples, samples.mean(0)).mean(), mean_variance(samples)),
        } | scores
    return {name: (float(above), float(below)) for name, (above, below) in scores.items()}


def _scored(ab: Tensor) -> Tensor:
    """Shrink chroma ``(..., height, width)`` to :data:`SCORED_SIDE` pixels of the shorter side."""
    scale = SCORED_SIDE / min(ab.shape[-2:])
    if scale >= 1:
        return ab
    size = [round(scale * side) for side in ab.shape[-2:]]
    return functional.interpolate(ab.reshape(-1, 2, *ab.shape[-2:]), size, mode="area").reshape(*ab.shape[:-2], *size)


class _Finished(NamedTuple):
    """A colouring in 8 bits, as users get it: `rgb` `(h, w, 3)`, `lightness` `(1, h, w)`, `ab` `(2, h, w)`."""

    rgb: Tensor
    lightness: Tensor
    ab: Tensor

    @classmethod
    def of(cls, colouring: Colouring) -> "_Finished":
        rgb = torch.from_numpy(colouring.render())
        lab = rgb_to_lab(rgb.movedim(-1, 0) / 255)
        return cls(rgb, lab[:1], lab[1:])


def _in_rgb(samples: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Return the cINN paper's figures, of RGB in 0..1; :func:`evaluate_colorizer` takes the root after averaging."""
    rgb, true_rgb = samples.movedim(-1, 1) / 255, truth.movedim(-1, 0) / 255
    figures = {f"oracle_mse_of_{count}": oracle_mse(rgb[:count], true_rgb) for count in sorted({1, len(rgb)})}
    return figures | ({"variance_rgb": mean_variance(rgb)} if len(rgb) > 1 else {})


def _diversity(ab: Tensor) -> dict[str, Tensor]:
    if len(ab) == 1:
        return {}
    return {
        "deviation": mean_deviation(ab),
        "variance": mean_variance(ab),
        "pairwise_distance": pairwise_rmse(ab),
    }


def _first_is_nearest(colourings: Sequence[Colouring], errors: Tensor) -> Tensor:
    """Return 1 if the one that is shown first of the first colourings has the smallest of their errors, else 0."""
    shown = colourings[: len(errors)]
    return torch.tensor(float(best_first(shown, colourings)[0] is shown[int(errors.argmin())]))


def _ranks(samples: Tensor, truth: Tensor) -> dict[str, np.ndarray]:
    """Rank the truth among samples at the network's size, before they are enlarged and rounded to 8 bits."""
    small = functional.interpolate(truth[None], samples.shape[-2:], mode="area")[0]
    return {
        "pixels": rank_histogram(samples, small),
        "pictures": rank_histogram(samples.mean((-2, -1)), small.mean((-2, -1))),
    }
