"""Recipe, model, training and evaluation of points."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cinn_app.evaluation import Evaluation
from cinn_app.progress import Progress, no_progress
from cinn_app.recipes import Recipe, Section
from cinn_app.trained_model import TrainedModel
from cinn_app.training.trainable import Setup, Trainable

CENTRE = 3.0


class PointsData(Section):
    spread: Annotated[float, Field(gt=0)]


class PointsRecipe(Recipe):
    system: Literal["points"]
    data: PointsData


class PointsModel(nn.Module):
    """z = (x - mean) / scale, with z ~ N(0, I) in two dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.log_scale = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))

    def nats(self, points: Tensor) -> Tensor:
        """Return the negative log-likelihood of points ``(batch, 2)``, averaged."""
        z = (points - self.mean) / self.log_scale.exp()
        return (z.square() / 2 + self.log_scale + math.log(2 * math.pi) / 2).sum(1).mean()

    def sample(self, count: int) -> Tensor:
        return self.mean + self.log_scale.exp() * torch.randn(count, 2)


class Points(TrainedModel[PointsRecipe]):
    recipe_type = PointsRecipe

    @staticmethod
    def build(recipe: PointsRecipe) -> PointsModel:
        return PointsModel()


class PointsTraining(Trainable):
    figures = MappingProxyType({"held-out nats": "held_out_nats"})
    watched, data, pictures = ("nats",), ("drawn points",), 1000

    def __init__(self, recipe: PointsRecipe, setup: Setup) -> None:
        self.recipe, self.model = recipe, PointsModel()
        setup.initialise(self.model)
        self.batches = _Batches(setup.step, recipe.training.batch_size)
        self.held_out = [_draw(64, seed=-1)]

    def loss(self, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.model.nats(batch + self.recipe.data.spread * torch.randn_like(batch))
        return loss, {"nats": loss.detach()}

    def measure(self, batch: Tensor) -> Mapping[str, Tensor]:
        return {"held-out nats": self.model.nats(batch)}


class _Batches(torch.utils.data.IterableDataset):
    def __init__(self, start: int, size: int) -> None:
        self.start, self.size = start, size

    def __iter__(self) -> Iterator[Tensor]:
        return (_draw(self.size, seed) for seed in itertools.count(self.start))


def _draw(count: int, seed: int) -> Tensor:
    return CENTRE + torch.randn(count, 2, generator=torch.Generator().manual_seed(seed + 1))


def prepare_training(recipe: PointsRecipe, setup: Setup) -> PointsTraining:
    return PointsTraining(recipe, setup)


@torch.inference_mode()
def evaluate_points(
    model: Points,
    data: Sequence[Path] = (),
    *,
    drawn: Annotated[int, Field(ge=1, le=1000, description="Points to draw.")] = 100,
    cache: Path = Path("cache"),
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Draw points, and measure how far their centre is off."""
    off = float((model.model.sample(drawn).mean(0) - CENTRE).norm())
    return Evaluation({"off": off, "drawn": drawn}, drawn, [])
