"""Named endpoints, for programs: stateless functions on the models that the page uses, too.

Their signatures say which types and bounds a client may send, their docstrings what everything means. pydantic checks
requests by the types below, so that the functions know nothing of JSON; a refusal is one sentence. With
``cinn app --mcp`` the endpoints are tools for language models.
"""

import base64
import functools
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol, TypeAlias, get_type_hints
from urllib.parse import unquote

import gradio as gr
from pydantic import Field, PlainSerializer, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema, validate_call

from cinn_app.errors import CinnError
from cinn_app.limits import MAX_SEED, MAX_STRENGTH, MAX_TEMPERATURE
from cinn_app.studio.files import inside, new_results_folder, upload_folder, without_folder
from cinn_app.studio.gradio_workarounds import FILE_SCHEMA, Value, describe_endpoint, get_function_description

__all__ = [
    "Api",
    "Axes",
    "Endpoint",
    "File",
    "Line",
    "Picture",
    "Seed",
    "Strength",
    "Temperature",
    "describe",
    "publish",
]

#: The address of an upload ends with this and the upload's path.
UPLOADS = "/gradio_api/file="
ADVICE = "upload it to /gradio_api/upload and give the path that comes back, or write it as data:image/png;base64,..."


class Api(Protocol):
    """The endpoints of a system."""

    @property
    def endpoints(self) -> Sequence[Callable[..., Any]]:
        """The functions that clients may call."""
        ...

    def axes(self) -> list[str]:
        """Return the names of the axes along which samples can be moved, the strongest first."""
        ...


class Endpoint(NamedTuple):
    """What a client needs to know of a function.

    Attributes:
        name: of the endpoint, without its slash.
        text: what it does.
        parameters: in the order of the function's.
        results: likewise; several results come as a list.
    """

    name: str
    text: str
    parameters: list[Value]
    results: list[Value]


def describe(function: Callable[..., Any]) -> Endpoint:
    """Read a function's signature and docstring, which MUST have a line for each parameter and each result."""
    hints = get_type_hints(function, include_extras=True)
    returned = hints.pop("return")
    text, parameters, result_lines = get_function_description(function)
    results = returned.__args__ if getattr(returned, "__origin__", None) is tuple else (returned,)
    explained = [*parameters.items(), *(tuple(line.split(": ", 1)) for line in result_lines)]
    values = [
        Value(name, TypeAdapter(hint).json_schema(), meaning)
        for hint, (name, meaning) in zip([*hints.values(), *results], explained, strict=True)
    ]
    return Endpoint(function.__name__, text, values[: len(hints)], values[len(hints) :])


def publish(page: gr.Blocks, function: Callable[..., Any], **options: Any) -> None:
    """Offer a function as an endpoint of its own name.

    Args:
        page: that is being built.
        function: with types that pydantic can read from JSON and write to it.
        options: for :func:`gradio.api`.
    """
    event = gr.api(_from_json(function), api_name=function.__name__, **options)  # type: ignore[attr-defined]
    endpoint = describe(function)
    describe_endpoint(page, event, endpoint.parameters, endpoint.results)


def _from_json(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function take and return JSON, and turn its errors into one sentence."""
    checked = validate_call(function)
    result = TypeAdapter(get_type_hints(function, include_extras=True)["return"])

    @functools.wraps(function)
    def answer(*values: Any) -> Any:
        try:
            return result.dump_python(checked(*values), mode="json")
        except ValidationError as error:
            raise _refusal(_explain(error, list(get_type_hints(function)))) from None
        except CinnError as error:
            raise _refusal(str(error)) from None

    return answer


def _explain(error: ValidationError, names: list[str]) -> str:
    problem = error.errors()[0]
    place, *within = problem["loc"]
    name = names[place] if isinstance(place, int) else str(place)
    where = ".".join([name, *map(str, within)])
    return f"{where} cannot be {problem['input']!r:.100}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


def _refusal(sentence: str) -> gr.Error:
    return gr.Error(without_folder(sentence), print_exception=False)


def _uploaded(payload: Any) -> Path:
    """Find an upload; no other file of this computer may be read."""
    given = payload.get("path") if isinstance(payload, Mapping) else payload
    if not isinstance(given, str):
        raise CinnError("There is no picture: {advice}", advice=ADVICE)
    if given.startswith("data:"):
        return _decoded(given)
    file = inside(upload_folder().resolve(), unquote(given.partition(UPLOADS)[2]) if UPLOADS in given else given)
    if file is None or not file.is_file():
        raise CinnError("There is no upload {name!r}: {advice}", name=given[:200], advice=ADVICE)
    return file


def _decoded(address: str) -> Path:
    """Write a picture that came as ``data:image/png;base64,...`` into a file."""
    header, _, encoded = address.partition(",")
    try:
        content = base64.b64decode(encoded)
    except ValueError as error:
        raise CinnError("The picture did not arrive whole: {advice}", advice=ADVICE) from error
    suffix = mimetypes.guess_extension(header.removeprefix("data:").partition(";")[0]) or ""
    file = new_results_folder() / f"file{suffix}"
    file.write_bytes(content)
    return file


def _downloadable(file: Path) -> dict[str, Any]:
    return gr.FileData(path=str(file), orig_name=file.name, size=file.stat().st_size).model_dump()


Picture: TypeAlias = Annotated[Path, PlainValidator(_uploaded), WithJsonSchema(FILE_SCHEMA)]
File: TypeAlias = Annotated[Path, PlainSerializer(_downloadable), WithJsonSchema(FILE_SCHEMA)]
Seed: TypeAlias = Annotated[int, Field(ge=0, le=MAX_SEED)]
Temperature: TypeAlias = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)] | None
Strength: TypeAlias = Annotated[float, Field(ge=0, le=MAX_STRENGTH)]
#: Steps along axes, in standard deviations, by name or by number from 1.
Axes: TypeAlias = dict[str | int, float] | None
#: A report on a result and its settings.
Line: TypeAlias = dict[str, Any]
