"""The contract of a training: a system gets a :class:`Setup`, and returns a :class:`Trainable`.

The system's function ``prepare_training(recipe, setup)`` does so; :func:`cinn_app.training.run.train` does the rest.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from cinn_app.errors import CheckpointError
from cinn_app.progress import Progress, no_progress
from cinn_app.recipes import Training

__all__ = ["Setup", "Trainable"]


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where a training gets its data, and where it starts.

    Attributes:
        sources: folders, archives and files to learn from.
        cache: folder for packed data, features and downloads.
        device: where to compute.
        precision: of the networks under autocast; ``torch.float32`` for none.
        weights: to start with, see :meth:`initialise`, or ``None``.
        step: the first one; not 0 when a training resumes.
        progress: shows the advance of preparations.
    """

    sources: Sequence[Path]
    cache: Path
    device: torch.device
    precision: torch.dtype = torch.float32
    weights: Mapping[str, Tensor] | None = None
    step: int = 0
    progress: Progress = no_progress

    def initialise(self, model: nn.Module) -> None:
        """Give a model the weights to start with, if there are any.

        Raises:
            CheckpointError: if they do not fit.
        """
        if self.weights is None:
            return
        try:
            model.load_state_dict(self.weights)
        except RuntimeError as error:  # what strict loading raises
            raise CheckpointError(
                "The weights to start with do not fit this recipe: give checkpoints of the same architecture with "
                "--from."
            ) from error


class Trainable(ABC):
    """A model, its data and its losses.

    Subclasses MUST set the attributes and implement :meth:`loss` and :meth:`measure`; they CAN override the rest.

    Attributes:
        model: the network whose parameters learn.
        batches: endless, in an order that depends on the seed alone, starting at :attr:`Setup.step`.
        held_out: batches to measure on, never learnt from.
        pictures: how many pictures, or records of another kind, the batches come from.
        data: names of the sources, for the checkpoint.
        figures: name of a figure in the checkpoint, by its name in what :meth:`measure` returns.
        watched: which values of :meth:`loss` the progress bar shows.
        schedule: of this stage of the training, or ``None`` for that of the recipe.
        stages: how many there are, this one included; :meth:`next_stage` returns the next.
        time_share: of this stage where the minutes of all are limited.
        half_precision: whether half precision is enough: the checkpoint then keeps the weights in it, and a training
            whose precision is ``auto`` computes in bfloat16 where the hardware has units for it.
        done: share of the schedule that is done, 0 to 1, set before each call of :meth:`loss`.
    """

    model: nn.Module
    batches: Iterable[Any]
    held_out: Sequence[Any]
    pictures: int
    data: Sequence[str]
    figures: Mapping[str, str] = MappingProxyType({})
    watched: Sequence[str] = ()
    schedule: Training | None = None
    stages: int = 1
    time_share: float = 1.0
    half_precision: bool = True
    done: float = 0.0

    def __deepcopy__(self, memo: dict[int, Any]) -> "Trainable":
        """Return itself: averaging copies the module around it for its weights, and the data would fill the memory."""
        return self

    @abstractmethod
    def loss(self, batch: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of a batch, shape ``()``, and scalars to log by name.

        Noise from torch's global generator depends on the seed and the step alone.
        """

    @abstractmethod
    def measure(self, batch: Any) -> Mapping[str, Tensor]:
        """Return scalars of a held-out batch by name, with the averaged weights; they are averaged over batches."""

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups; a group may set its own ``lr``."""
        return [{"params": [parameter for parameter in self.model.parameters() if parameter.requires_grad]}]

    def picture(self) -> Image.Image | None:
        """Draw what the model has learnt so far, or return ``None``."""
        return None

    def next_stage(self, setup: Setup) -> "Trainable":
        """Return the next stage of the same model, whose weights are by then the averaged ones.

        Args:
            setup: with the first step of that stage.
        """
        raise NotImplementedError

    def details(self) -> dict[str, Any]:
        """Return what the checkpoint says about the weights beside figures, in JSON's types, after the training."""
        return {}
