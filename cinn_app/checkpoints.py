"""Trained models as single files: weights, recipe and figures, and no code.

A checkpoint is a safetensors file whose metadata hold the version of the format, the recipe, the names of the data, the
figures of the training, and digests of the weights and of all else. Headers are read without torch.

Checkpoints come from strangers: everything in a header has a type and bounds, which are checked before anything is
allocated for it.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import safetensors
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cinn_app.errors import CheckpointError, RecipeError
from cinn_app.files import check_output, writing
from cinn_app.recipes import Recipe, Text, parse_recipe

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FORMAT_VERSION",
    "MAX_HEADER",
    "MAX_WEIGHTS",
    "Checkpoint",
    "CheckpointHeader",
    "InstalledModel",
    "check_target",
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
#: Bytes of a header, and numbers that the weights of a model may have, which take four bytes each once they are loaded.
MAX_HEADER, MAX_WEIGHTS = 4 * 2**20, 2**30

REQUIRED = {FORMAT_KEY, "recipe", "figures", "data", "digest"}
# The first checkpoints have neither.
OPTIONAL = {"details", "header_digest"}

Figure: TypeAlias = Annotated[float, Field(ge=-1e15, le=1e15)] | Annotated[int, Field(ge=-(10**15), le=10**15)]


class _Tensor(BaseModel):
    """What a header says of a tensor; safetensors checks the offsets."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dtype: Annotated[str, Field(pattern="^(BOOL|U8|I8|I16|I32|I64|F16|BF16|F32|F64)$")]
    shape: Annotated[list[Annotated[int, Field(ge=0, le=MAX_WEIGHTS)]], Field(max_length=8)]
    data_offsets: Annotated[list[int], Field(min_length=2, max_length=2)]


_STRICT = ConfigDict(strict=True, allow_inf_nan=False)
_METADATA = TypeAdapter(dict[str, str], config=_STRICT)
_TENSORS = TypeAdapter(dict[Text, _Tensor], config=_STRICT)
_FIGURES = TypeAdapter(Annotated[dict[Text, Figure], Field(max_length=1000)], config=_STRICT)
_DATA = TypeAdapter(Annotated[list[Text], Field(max_length=1000)], config=_STRICT)
_TEXT = TypeAdapter(Text)
_DETAILS = TypeAdapter(dict[Text, Any], config=_STRICT)


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


def check_target(path: Path, *inputs: str | Path) -> None:
    """Check, before a training, that its checkpoint may be written to a file.

    Args:
        path: of the file; an earlier checkpoint there will be replaced.
        inputs: paths of what the training reads.

    Raises:
        CheckpointError: if the name does not end like that of a checkpoint.
        CinnError: if it cannot be written, or is one of the inputs.
    """
    if path.suffix != ".safetensors":
        raise CheckpointError("{path} is no name of a checkpoint: let it end in .safetensors.", path=path)
    check_output(path, *inputs, new_folders=True)


def save_checkpoint(path: Path, checkpoint: Checkpoint, half: bool = True) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: of the file.
        checkpoint: what to write.
        half: keep the weights in half precision, instead of single.

    Raises:
        CheckpointError: if the file cannot be written, or a weight is not finite.
    """
    import safetensors.torch
    import torch

    kept = torch.half if half else torch.float
    weights = {
        name: (value.to(kept) if value.is_floating_point() else value).cpu().contiguous()
        for name, value in checkpoint.weights.items()
    }
    for name, value in weights.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(
                "The weight {name} is not finite in {bits} bits, so {path} was not written: train with a "
                "lower learning_rate.",
                name=name,
                bits=16 if half else 32,
                path=path,
            )
    metadata = {
        FORMAT_KEY: str(FORMAT_VERSION),
        "recipe": checkpoint.recipe.model_dump_json(),
        "figures": json.dumps(checkpoint.figures),
        "data": json.dumps(["".join(filter(str.isprintable, name))[:500] for name in checkpoint.data]),
        "details": json.dumps(checkpoint.details),
        "digest": _digest(weights),
    }
    written = safetensors.torch.save(weights)
    tensors = json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])
    metadata["header_digest"] = _header_digest(metadata, tensors)
    with contextlib.suppress(OSError):  # where that is no folder, or cannot be made, writing says so
        path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, CheckpointError) as file:
        file.write(safetensors.torch.save(weights, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check its weights.

    Raises:
        CheckpointError: if the file is missing, damaged, foreign or of a newer format.
    """
    metadata = _read_metadata(path)
    header = _header(metadata, path)
    weights = _read_weights(path)
    if _digest(weights) != metadata["digest"]:
        raise CheckpointError(
            "The checkpoint {path} is damaged, its weights do not match their digest: copy it again.", path=path
        )
    if not all(value.isfinite().all() for value in weights.values() if value.is_floating_point()):
        raise CheckpointError(
            "The checkpoint {path} has weights that are no finite numbers: train the model again.", path=path
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
    return _header(_read_metadata(path), path)


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
        files = [first, *(file for file in files if file.resolve() != first.resolve())]
    models = []
    for file in files:
        card = file.resolve().parents[1] / "models" / f"{file.stem}.md"
        header, problem = None, ""
        try:
            header = read_header(file)
        except CheckpointError as error:
            problem = error.message
        size = file.stat().st_size if file.exists() else 0  # a link may lead nowhere
        models.append(InstalledModel(file, file.stem, size, header, problem, card if card.is_file() else None))
    return models


def find_checkpoint(name: str | Path) -> Path:
    """Return the path of a checkpoint, given by its path or as the name of an installed model.

    Raises:
        CheckpointError: if there is neither.
    """
    if not isinstance(name, str | Path):
        raise CheckpointError(
            "A checkpoint cannot be given as {type}: give its path or its name.", type=type(name).__name__
        )
    path = Path(name)
    shipped = shipped_checkpoints() / f"{path.name.replace('_', '-')}.safetensors"
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


def _read_metadata(path: Path) -> dict[str, str]:
    """Read and check the header of a file, all but the values of its metadata."""
    try:
        if path.exists() and not path.is_file():  # opening a named pipe would wait for a writer
            raise CheckpointError("{path} is not a regular file: copy the checkpoint to a file first.", path=path)
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= MAX_HEADER:
                raise ValueError("its header has no possible length")
            content = json.loads(file.read(length))
        metadata = _METADATA.validate_python(content.pop("__metadata__", {}))
        tensors = _TENSORS.validate_python(content)
    except FileNotFoundError:
        raise CheckpointError(
            "There is no checkpoint at {path}: give the path of one that exists.", path=path
        ) from None
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    _check_format(metadata, path)
    size = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if size > MAX_WEIGHTS:
        raise CheckpointError(
            "The model in {path} would take {size:.0f} GB of memory, and {limit:.0f} GB are allowed: choose a smaller "
            "one.",
            path=path,
            size=size / 2.5e8,
            limit=MAX_WEIGHTS / 2.5e8,
        )
    if "header_digest" in metadata and metadata["header_digest"] != _header_digest(metadata, content):
        raise CheckpointError(
            "The checkpoint {path} is damaged, its header does not match its digest: copy it again.", path=path
        )
    return metadata


def _read_weights(path: Path) -> "dict[str, Tensor]":
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        "The checkpoint {path} is damaged, truncated or not a safetensors file: copy it again.",
        path=path,
        reason=_first_line(error),
    )


def _check_format(metadata: dict[str, str], path: Path) -> None:
    version = metadata.get(FORMAT_KEY, "")
    if not re.fullmatch("[0-9]{1,9}", version) or not metadata.keys() >= REQUIRED:
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
    if not metadata.keys() <= REQUIRED | OPTIONAL:
        raise CheckpointError("The checkpoint {path} is damaged, it has unknown entries: copy it again.", path=path)


def _header(metadata: dict[str, str], path: Path) -> CheckpointHeader:
    try:
        recipe = parse_recipe(json.loads(metadata["recipe"]), "in it")
        details = _DETAILS.validate_python(json.loads(metadata.get("details", "{}")))
        _check_details(details)
        return CheckpointHeader(
            recipe,
            _FIGURES.validate_python(json.loads(metadata["figures"])),
            _DATA.validate_python(json.loads(metadata["data"])),
            details,
        )
    except RecipeError as error:
        raise CheckpointError(
            "The checkpoint {path} cannot be read by this program: {reason}", path=path, reason=error
        ) from error
    except (ValueError, RecursionError) as error:  # of JSON and of pydantic
        raise CheckpointError(
            "The checkpoint {path} cannot be read by this program, its header has values of wrong types or sizes: copy "
            "it again, or ask who made it.",
            path=path,
        ) from error


def _check_details(value: Any, depth: int = 8) -> None:
    """Check the details, whose form belongs to the system: texts, numbers and nesting have bounds.

    Raises:
        ValueError: if one is not kept.
    """
    if isinstance(value, dict | list) and not depth:
        raise ValueError
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            _check_details(item, depth - 1)
    elif isinstance(value, str):
        _TEXT.validate_python(value)
    elif isinstance(value, int | float) and not abs(value) <= 1e15:
        raise ValueError


def _digest(weights: "dict[str, Tensor]") -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].numpy().tobytes())
    return digest.hexdigest()


def _header_digest(metadata: dict[str, str], tensors: dict[str, Any]) -> str:
    """Return the SHA-256 of a header, in which the places of the tensors may change, but not their types or shapes."""
    texts = {key: value for key, value in metadata.items() if key != "header_digest"}
    table = {name: [tensor["dtype"], tensor["shape"]] for name, tensor in tensors.items()}
    return hashlib.sha256(json.dumps([texts, table], sort_keys=True).encode()).hexdigest()


def _first_line(error: Any) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
