"""The base class of the objects that users work with: a trained model, loaded from its checkpoint."""

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, get_args

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint
from cinn_app.devices import FAILURES, NOT_USABLE, choose_device, differs, exact, first_line, place, warn_of_cpu
from cinn_app.errors import CheckpointError, DeviceError
from cinn_app.recipes import Recipe
from cinn_app.registry import System, systems

__all__ = ["TrainedModel"]

R = TypeVar("R", bound=Recipe)

# Functions that allocate a tensor of the size that is given first.
FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn}
# A model is built before its weights are loaded: a few times as many numbers, and some tensors besides.
FACTOR, SPARE = 4, 10_000_000


class _Allowance(TorchFunctionMode):
    """Refuses to allocate much more than a model's weights, before a wrong recipe fills the memory.

    Args:
        weights: how many numbers the weights have.

    Raises:
        ValueError: inside, if the allowance is used up.
    """

    def __init__(self, weights: int) -> None:
        super().__init__()
        self.left = FACTOR * weights + SPARE

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in FACTORIES:
            size = (kwargs or {}).get("size", args)
            size = size[0] if size and not isinstance(size[0], int) else size
            self.left -= math.prod(length for length in size if isinstance(length, int))
            if self.left < 0:
                raise ValueError("the recipe describes a larger model than the weights are of")
        return function(*args, **(kwargs or {}))


class TrainedModel(ABC, Generic[R]):
    """A network with its weights on a device, ready to use.

    Subclasses MUST set ``recipe_type``, whose field ``system`` is a literal, and implement :meth:`build`. They CAN
    implement :meth:`probe`.

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
        try:
            with _Allowance(sum(value.numel() for value in checkpoint.weights.values())):
                self.model = self.build(self.recipe)
            self.model.load_state_dict(checkpoint.weights)
        except (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError) as error:
            # What strict loading raises, and any layer for a size that it cannot have.
            raise CheckpointError(
                "The weights of the model {name} do not fit its recipe: give a checkpoint made by 'cinn train'.",
                name=self.recipe.name,
            ) from error
        place(self.model, device).eval()

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

    def probe(self) -> Tensor | None:
        """Return something small that the model computes, on the CPU, by which :meth:`load` checks a device.

        It is the same on all devices, but for rounding; by default there is nothing.
        """
        return None

    @classmethod
    def load(cls, name: str | Path = "", device: str = "auto") -> Self:
        """Load a checkpoint.

        On any device but the CPU the model computes something small first. If that fails, or differs from the CPU's,
        ``auto`` takes the CPU and logs a warning.

        Args:
            name: of an installed model, or a path; by default the system's own.
            device: a name for :func:`cinn_app.devices.choose_device`.

        Raises:
            CheckpointError: if it is missing, damaged, foreign, too new, or of another system.
            DeviceError: if the device is unknown, not present, or computes something else than the CPU.
        """
        path, chosen = find_checkpoint(name or cls.system().default_model), choose_device(device)
        checkpoint, cpu = load_checkpoint(path), torch.device("cpu")
        on_cpu = cls(checkpoint, cpu)
        if chosen == cpu:
            return on_cpu
        expected = on_cpu.probe()
        try:
            model = cls(checkpoint, chosen)
            with exact():
                fault = differs(model.probe(), expected)
        except FAILURES as error:
            fault = f"the model {on_cpu.recipe.name} fails there ({first_line(error)})"
        if fault is None:
            return model
        if device != "auto":
            raise DeviceError(NOT_USABLE, name=device, fault=fault)
        warn_of_cpu(chosen, fault)
        return on_cpu
