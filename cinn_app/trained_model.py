"""The base class of the objects that users work with: a trained model, loaded from its checkpoint."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar, cast, get_args

import torch
from torch import nn

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint
from cinn_app.devices import choose_device
from cinn_app.errors import CheckpointError
from cinn_app.recipes import Recipe
from cinn_app.registry import System, systems

__all__ = ["TrainedModel"]

R = TypeVar("R", bound=Recipe)


class TrainedModel(ABC, Generic[R]):
    """A network with its weights on a device, ready to use.

    Subclasses MUST set ``recipe_type``, whose field ``system`` is a literal, and implement :meth:`build`.

    Args:
        checkpoint: weights and recipe.
        device: where to compute.

    Attributes:
        recipe: of the model.
        checkpoint: it was loaded from.
        device: where it computes.
        model: the network.

    Raises:
        CheckpointError: if the checkpoint is of another system, or its weights do not fit its recipe.
    """

    recipe_type: ClassVar[type[Recipe]]
    recipe: R

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.recipe = self.check_recipe(checkpoint.recipe)
        self.checkpoint, self.device = checkpoint, device
        self.model = self.build(self.recipe)
        try:
            self.model.load_state_dict(checkpoint.weights)
        except RuntimeError as error:  # what strict loading raises
            raise CheckpointError(
                "The weights of the model {name} do not fit its recipe: give a checkpoint made by 'cinn train'.",
                name=self.recipe.name,
            ) from error
        self.model.to(device).eval()

    @classmethod
    def check_recipe(cls, recipe: Recipe) -> R:
        """Return a recipe of this system, and refuse any other.

        Raises:
            CheckpointError: naming both systems.
        """
        if not isinstance(recipe, cls.recipe_type):
            raise CheckpointError(
                "The model {name} is made for {given}, not for {wanted}: choose another.",
                name=recipe.name,
                given=recipe.system,
                wanted=cls.system().name,
            )
        return cast(R, recipe)

    @classmethod
    def system(cls) -> System:
        """Return the system that the class belongs to."""
        (name,) = get_args(cls.recipe_type.model_fields["system"].annotation)
        return systems()[name]

    @staticmethod
    @abstractmethod
    def build(recipe: R) -> nn.Module:
        """Build the network that a recipe describes."""

    @classmethod
    def load(cls, name: str | Path = "", device: str = "auto") -> Self:
        """Load a checkpoint.

        Args:
            name: of an installed model, or a path; by default the system's own.
            device: a name for :func:`cinn_app.devices.choose_device`.

        Raises:
            CheckpointError: if it is missing, damaged, foreign, too new, or of another system.
            DeviceError: if the device is unknown or not present.
        """
        path, chosen = find_checkpoint(name or cls.system().default_model), choose_device(device)
        return cls(load_checkpoint(path), chosen)
