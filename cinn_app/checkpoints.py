"""Trained models as single files: weights, recipe and figures, and no code.

A checkpoint is a safetensors file whose metadata hold the version of the format, the recipe, the names of the data, the
figures of the training, and a digest of the weights. Headers are read without torch.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors

from cinn_app.errors import CheckpointError, RecipeError
from cinn_app.files import atomic_write
from cinn_app.recipes import Recipe, parse_recipe

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FORMAT_VERSION",
    "Checkpoint",
    "CheckpointHeader",
    "InstalledModel",
    "find_checkpoint",
    "installed_models",
    "load_checkpoint",
    "read_header",
    "save_checkpoint",
    "shipped_checkpoints",
]

#: To be raised when older programs cannot read the files any more.
FORMAT_VERSION = 1
FORMAT_KEY = "cinn_app"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained model, as its file holds it.

    Attributes:
        recipe: of the model.
        weights: by name, float32.
        figures: measured in training, for example ``{"steps": 9000, "held_out_bits_per_dim": 3.1}``.
        data: names of the training data.
        details: what the system needs to know about the weights beside figures, in JSON's types.
        digest: SHA-256 of the weights in the file; empty for a model without a file.
    """

    recipe: Recipe
    weights: "dict[str, Tensor]"
    figures: dict[str, float]
    data: list[str]
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    digest: str = ""


@dataclasses.dataclass(frozen=True)
class CheckpointHeader:
    """A :class:`Checkpoint` without its weights."""

    recipe: Recipe
    figures: dict[str, float]
    data: list[str]
    details: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class InstalledModel:
    """A model that came with the program, or was given to it.

    Attributes:
        path: of its file.
        name: of its file, and on the command line.
        size: of its file, in bytes.
        header: of its checkpoint; None for a file that cannot be read.
        problem: why it cannot be read, or empty.
        card: the page about it, ``models/NAME.md``, if there is one.
    """

    path: Path
    name: str
    size: int
    header: CheckpointHeader | None
    problem: str
    card: Path | None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in half precision, whole or not at all.

    Raises:
        CheckpointError: if the file cannot be written, or a weight is not finite.
    """
    import safetensors.torch

    weights = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in checkpoint.weights.items()
    }
    for name, value in weights.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(
                "The weight {name} is not finite in half precision, so {path} was not written: train with a lower "
                "learning_rate.",
                name=name,
                path=path,
            )
    metadata = {
        FORMAT_KEY: str(FORMAT_VERSION),
        "recipe": checkpoint.recipe.model_dump_json(),
        "figures": json.dumps(checkpoint.figures),
        "data": json.dumps(checkpoint.data),
        "details": json.dumps(checkpoint.details),
        "digest": _digest(weights),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(safetensors.torch.save(weights, metadata))
    except OSError as error:
        raise CheckpointError(
            "The checkpoint {path} cannot be written ({reason}): make room or choose another place; an earlier file "
            "there is untouched.",
            path=path,
            reason=error.strerror,
        ) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check its weights.

    Raises:
        CheckpointError: if the file is missing, damaged, foreign or of a newer format.
    """
    metadata, weights = _read(path)
    header = _header(metadata, path)
    if _digest(weights) != metadata["digest"]:
        raise CheckpointError(
            "The checkpoint {path} is damaged, its weights do not match their digest: copy it again.", path=path
        )
    return Checkpoint(
        header.recipe,
        {name: value.float() if value.is_floating_point() else value for name, value in weights.items()},
        header.figures,
        header.data,
        header.details,
        metadata["digest"],
    )


def read_header(path: Path) -> CheckpointHeader:
    """Read a checkpoint without its weights, which are not checked.

    Raises:
        CheckpointError: if the file is missing, truncated, foreign or of a newer format.
    """
    return _header(_read(path, with_weights=False)[0], path)


def shipped_checkpoints() -> Path:
    """Return the folder of the checkpoints that came with the program, in a checkout or in an installed package."""
    installed = Path(__file__).parent / "_shipped" / "checkpoints"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "checkpoints"


def installed_models(given: str | Path | None = None) -> list[InstalledModel]:
    """List the models that came with the program, by name, including damaged ones.

    Args:
        given: name or path of a model to list first, wherever it is.

    Raises:
        CheckpointError: if it does not exist.
    """
    files = sorted(shipped_checkpoints().glob("*.safetensors"))
    if given is not None:
        first = find_checkpoint(given)
        files = [first, *(file for file in files if not file.samefile(first))]
    models = []
    for file in files:
        card = file.resolve().parents[1] / "models" / f"{file.stem}.md"
        header, problem = None, ""
        try:
            header = read_header(file)
        except CheckpointError as error:
            problem = error.message
        size = file.stat().st_size
        models.append(InstalledModel(file, file.stem, size, header, problem, card if card.is_file() else None))
    return models


def find_checkpoint(name: str | Path) -> Path:
    """Return the path of a checkpoint, given by its path or as the name of an installed model.

    Raises:
        CheckpointError: if there is neither.
    """
    path = Path(name)
    shipped = shipped_checkpoints() / f"{path.name}.safetensors"
    if not path.is_file() and path.suffix == "" and shipped.is_file():
        return shipped
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in shipped_checkpoints().glob("*.safetensors"))) or "none"
        raise CheckpointError(
            "There is no checkpoint at {name}: give a path to one, or the name of an installed model ({known}).",
            name=name,
            known=known,
        )
    return path


def _read(path: Path, with_weights: bool = True) -> "tuple[dict[str, str], dict[str, Tensor]]":
    try:
        with safetensors.safe_open(path, framework="pt" if with_weights else "np") as file:
            metadata = file.metadata() or {}
            _check_format(metadata, path)
            names = file.keys() if with_weights else ()
            return metadata, {name: file.get_tensor(name) for name in names}
    except FileNotFoundError:
        raise CheckpointError(
            "There is no checkpoint at {path}: give the path of one that exists.", path=path
        ) from None
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            "The checkpoint {path} is damaged, truncated or not a safetensors file: copy it again.",
            path=path,
            reason=_first_line(error),
        ) from error


def _check_format(metadata: dict[str, str], path: Path) -> None:
    version = metadata.get(FORMAT_KEY, "")
    if not version.isdigit() or not {"recipe", "figures", "data", "digest"} <= metadata.keys():
        raise CheckpointError(
            "{path} holds weights of another program: give a checkpoint made by 'cinn train'.", path=path
        )
    if int(version) > FORMAT_VERSION:
        raise CheckpointError(
            "The checkpoint {path} has format {version}, newer than this program's {known}: update cinn-app.",
            path=path,
            version=version,
            known=FORMAT_VERSION,
        )


def _header(metadata: dict[str, str], path: Path) -> CheckpointHeader:
    try:
        recipe = parse_recipe(json.loads(metadata["recipe"]), "in it")
        return CheckpointHeader(
            recipe,
            json.loads(metadata["figures"]),
            json.loads(metadata["data"]),
            json.loads(metadata.get("details", "{}")),  # the first checkpoints have none
        )
    except (RecipeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            "The checkpoint {path} cannot be read by this program: {reason}", path=path, reason=error
        ) from error


def _digest(weights: "dict[str, Tensor]") -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].numpy().tobytes())
    return digest.hexdigest()


def _first_line(error: Any) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
