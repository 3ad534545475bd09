"""What a system prepares for its training."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from PIL import Image

from cinn_app.training.likelihood import LikelihoodTraining

__all__ = ["Job"]


@dataclasses.dataclass(frozen=True)
class Job:
    """A training, ready to run.

    Attributes:
        module: the model and its objective.
        batches: to learn from, without end.
        checks: batches to watch, never learnt from.
        pictures: how many pictures the batches come from.
        data: the names of their sources, each with its folder's: many are called ``train.tar``.
        sheet: draws a picture of how the training is getting on, with the weights as they are.
        figures: names in the checkpoint of what the module logs on held-out batches, by the names it logs them under.
        finish: runs after the training, and returns what the checkpoint says of the weights beside figures.
    """

    module: LikelihoodTraining
    batches: Iterable[Any]
    checks: Sequence[Any]
    pictures: int
    data: list[str]
    sheet: Callable[[], Image.Image]
    figures: dict[str, str]
    finish: Callable[[], dict[str, Any]] = dict
