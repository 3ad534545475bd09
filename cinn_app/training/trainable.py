"""What a system hands to :func:`cinn_app.training.run.train`, and what it is handed.

A system's training is a function ``prepare_training(recipe, setup)`` that returns a :class:`Trainable`.
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

from cinn_app.progress import Progress, no_progress

__all__ = ["Setup", "Trainable"]


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where a training gets its data, and where it starts.

    Attributes:
        sources: folders, archives and files to learn from.
        cache: folder for packed data, features and downloads.
        device: where to compute.
        precision: of the networks under autocast; ``torch.float32`` for none.
        weights: to start with, or ``None``.
        step: to start with; not 0 when a training resumes.
        progress: shows how long preparations advance.
    """

    sources: Sequence[Path]
    cache: Path
    device: torch.device
    precision: torch.dtype = torch.float32
    weights: Mapping[str, Tensor] | None = None
    step: int = 0
    progress: Progress = no_progress


class Trainable(ABC):
    """A model, its data and its losses.

    Subclasses MUST implement :meth:`loss` and :meth:`measure`, and set the attributes. They CAN override the rest.

    Attributes:
        model: the network whose parameters learn.
        batches: an endless stream of batches to learn from.
        held_out: batches that are watched and never learnt from.
        pictures: how many pictures or records the batches come from.
        data: names of the sources, for the checkpoint.
        figures: names in the checkpoint of what :meth:`measure` returns, by the names it uses.
        watched: names of what the progress bar shows.
    """

    model: nn.Module
    batches: Iterable[Any]
    held_out: Sequence[Any]
    pictures: int
    data: Sequence[str]
    figures: Mapping[str, str] = MappingProxyType({})
    watched: Sequence[str] = ()

    @abstractmethod
    def loss(self, batch: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of a batch, a scalar, and values to log by name."""

    @abstractmethod
    def measure(self, batch: Any) -> Mapping[str, Tensor]:
        """Return the values of a held-out batch by name; they are averaged over the batches."""

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups; a group may set its own ``lr``."""
        return [{"params": [parameter for parameter in self.model.parameters() if parameter.requires_grad]}]

    def picture(self) -> Image.Image | None:
        """Draw how the training advances, with the weights as they are."""
        return None

    def details(self) -> dict[str, Any]:
        """Return what the checkpoint says about the weights beside figures, after the training."""
        return {}
