"""One photograph whose colours are known, coloured in all ways and compared with what it was."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import Photograph, lightness_and_ab_to_rgb8, rgb_to_lab
from cinn_app.metrics.calibration import rank_shares
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.metrics import (
    best_of,
    colourfulness,
    deviation,
    oracle_error,
    pairwise_distance,
    picture_rmse,
    variance,
)

__all__ = ["Comparison", "Painter", "compare"]

#: So many samples have 40 places for the truth among them, and the middle 50% and 90% begin and end between two.
RANKED_SAMPLES = 39


class Painter(Protocol):
    """Whatever draws colourings of a photograph: a :class:`Colorizer`, or a rival of the benchmarks."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def encode_photograph(self, image: Photograph, /) -> Any:
        """Look at a photograph once, for all the ways of colouring it; what comes back takes its place."""
        ...

    def best_guess(self, image: Any, /) -> Colouring:
        """Give the one colouring with the smallest expected error."""
        ...

    def colorize(
        self, image: Any, samples: int = ..., temperature: float | Sequence[float] | None = ..., seed: int = ..., /
    ) -> list[Colouring]:
        """Draw colourings; at temperature 0 the centre of all."""
        ...


class Comparison(NamedTuple):
    """What one photograph gives.

    Attributes:
        figures: to be averaged over photographs.
        ranks: where the truth falls among the samples, for "pixels" and "pictures", and of a :class:`Colorizer` among
            those of its density, for "density_pixels" and "density_pictures": shares ``(2, samples + 1)``, a and b.
        lightness_off: a histogram of how far the output's lightness is off, in steps of 0.01.
        seconds: that one colouring took, from the photograph in memory to the finished picture.
        pictures: uint8 ``(height, width, 3)``: the truth, gray, the best guess and one sample.
    """

    figures: dict[str, float]
    ranks: dict[str, np.ndarray]
    lightness_off: np.ndarray
    seconds: float
    pictures: dict[str, Tensor]


def compare(
    painter: Painter, photograph: Photograph, samples: int, temperature: float | Sequence[float] | None, seed: int = 0
) -> Comparison:
    """Colour one photograph in all ways, each once, and compare; :func:`evaluate_colorizer` has the figures' names."""
    truth = photograph.ab
    assert truth is not None
    true_rgb, gray_rgb = lightness_and_ab_to_rgb8(photograph.lightness, torch.stack([truth, torch.zeros_like(truth)]))
    begun = time.perf_counter()
    encoded = painter.encode_photograph(photograph)
    centre = _Finished.of(painter.colorize(encoded, 1, 0.0)[0])
    seconds = time.perf_counter() - begun
    guess = _Finished.of(painter.best_guess(encoded))
    colourings = painter.colorize(encoded, max(samples, RANKED_SAMPLES), temperature, seed)
    drawn = [_Finished.of(colouring) for colouring in colourings[:samples]]
    ab = torch.stack([one.ab for one in drawn])
    errors = {
        "best_guess": picture_rmse(guess.ab, truth),
        "centre": picture_rmse(centre.ab, truth),
        "one_sample": picture_rmse(ab[0], truth),
        f"best_of_{samples}": best_of(ab, truth),
    }
    gray = picture_rmse(torch.zeros_like(truth), truth)
    ranks = _ranks(torch.stack([colouring.ab for colouring in colourings]), truth)
    figures = {
        "rmse_gray": gray,
        **{f"rmse_{name}": error for name, error in errors.items()},
        **{f"ratio_{name}": error / gray for name, error in errors.items()},
        **_in_rgb(torch.stack([one.rgb for one in drawn]), true_rgb),
        **_spread(ab),
        "colourfulness": colourfulness(drawn[0].rgb),
        "colourfulness_truth": colourfulness(true_rgb),
    }
    if isinstance(painter, Colorizer):
        figures = {"bits_per_dim": torch.tensor(painter.encode(encoded, noisy=True).bits_per_dim)} | figures
        plain = torch.stack([colouring.ab for colouring in painter.sample_density(encoded, RANKED_SAMPLES, seed)])
        ranks |= {f"density_{level}": shares for level, shares in _ranks(plain, truth).items()}
    off = (drawn[0].lightness - photograph.lightness).abs().flatten()
    return Comparison(
        {name: float(value) for name, value in figures.items()},
        ranks,
        np.bincount((off * 100).round().clamp(max=1000).long().numpy(), minlength=1001),
        seconds,
        {"truth": true_rgb, "gray": gray_rgb, "best_guess": guess.rgb, "one_sample": drawn[0].rgb},
    )


class _Finished(NamedTuple):
    """A colouring as the user's 8-bit file has it: `rgb` `(h, w, 3)`, `lightness` `(1, h, w)`, `ab` `(2, h, w)`."""

    rgb: Tensor
    lightness: Tensor
    ab: Tensor

    @classmethod
    def of(cls, colouring: Colouring) -> "_Finished":
        rgb = torch.from_numpy(colouring.render())
        lab = rgb_to_lab(rgb.movedim(-1, 0) / 255)
        return cls(rgb, lab[:1], lab[1:])


def _in_rgb(samples: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Measure as the cINN paper does, in RGB of 0..1; the errors are squared until all pictures are averaged."""
    rgb, true_rgb = samples.movedim(-1, 1) / 255, truth.movedim(-1, 0) / 255
    figures = {f"oracle_error_of_{count}": oracle_error(rgb[:count], true_rgb) for count in sorted({1, len(rgb)})}
    return figures | ({"variance_rgb": variance(rgb)} if len(rgb) > 1 else {})


def _spread(ab: Tensor) -> dict[str, Tensor]:
    if len(ab) == 1:
        return {}
    return {"deviation": deviation(ab), "variance": variance(ab), "pairwise_distance": pairwise_distance(ab)}


def _ranks(samples: Tensor, truth: Tensor) -> dict[str, np.ndarray]:
    """Rank the truth among samples at the network's size, where chroma is what was drawn, not yet bent by 8 bits."""
    small = functional.interpolate(truth[None], samples.shape[-2:], mode="area")[0]
    return {
        "pixels": rank_shares(samples, small),
        "pictures": rank_shares(samples.mean((-2, -1)), small.mean((-2, -1))),
    }
