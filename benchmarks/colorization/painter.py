"""A baseline in the colorizer's place, so that the same code measures both."""

from collections.abc import Sequence

import torch

from cinn_app.imaging import Photograph
from cinn_app.systems.colorization.canvas import Canvas
from cinn_app.systems.colorization.colorizer import Colouring
from colorization.baseline import Baseline
from colorization.regression import Gray

SEED = 0


class BaselinePainter:
    """Photographs in, colourings at full resolution out, by the way ours go.

    Args:
        baseline: trained.
        size: of the shorter side at which it reads.
    """

    def __init__(self, baseline: Baseline | Gray, size: int) -> None:
        self.baseline, self.size, self.device = baseline, size, baseline.device

    def best_guess(self, image: Photograph, /) -> Colouring:
        """Give the centre of what it would draw."""
        return self.colorize(image, 1, 0.0)[0]

    @torch.inference_mode()
    def colorize(
        self, image: Photograph, samples: int = 1, temperature: float | Sequence[float] | None = None, /
    ) -> list[Colouring]:
        """Draw colourings, always the same ones; of their likelihood nothing is known."""
        assert temperature is None or isinstance(temperature, float)
        canvas = Canvas.of(image, self.size)
        lightness = canvas.lightness(image).to(self.device)
        factor = 1.0 if temperature is None else temperature
        drawn = self.baseline.sample(lightness, samples, factor, torch.Generator().manual_seed(SEED)).cpu()
        unknown = float("nan")
        return [
            Colouring(image, canvas.crop(ab), latents=(), log_prob=unknown, seed=SEED, temperature=()) for ab in drawn
        ]
