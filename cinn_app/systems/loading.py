"""From a model's name to the system that people hold."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

import torch

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint
from cinn_app.devices import choose_device
from cinn_app.errors import CheckpointError
from cinn_app.recipes import ColorizationRecipe, DigitsRecipe

__all__ = ["load_system", "require_recipe"]

System = TypeVar("System")
KnownRecipe = TypeVar("KnownRecipe", ColorizationRecipe, DigitsRecipe)


def load_system(build: Callable[[Checkpoint, torch.device], System], name: str | Path, device: str) -> System:
    """Load a shipped model by its name, or any checkpoint by its path.

    Args:
        build: the system's class.
        name: of a shipped model, or a path.
        device: a name for :func:`cinn_app.devices.choose_device`.

    Raises:
        CheckpointError: if it is missing, damaged, foreign, too new, or of another system.
        DeviceError: if the device is unknown or not present.
    """
    path, chosen = find_checkpoint(name), choose_device(device)
    checkpoint = load_checkpoint(path)
    try:
        return build(checkpoint, chosen)
    except RuntimeError as error:  # what strict loading raises
        raise CheckpointError(
            f"The weights in {path} do not fit its recipe: give a checkpoint made by 'cinn train'."
        ) from error


def require_recipe(checkpoint: Checkpoint, kind: type[KnownRecipe]) -> KnownRecipe:
    """Return a checkpoint's recipe, and refuse one of another system.

    Raises:
        CheckpointError: naming both systems.
    """
    recipe = checkpoint.recipe
    if not isinstance(recipe, kind):
        (wanted,) = get_args(kind.model_fields["system"].annotation)
        raise CheckpointError(f"The model {recipe.name} is made for {recipe.system}, not for {wanted}: choose another.")
    return recipe
