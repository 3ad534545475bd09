"""The studio for programs: named endpoints, which are the tools of its MCP server, too.

They are stateless functions on the same systems as the page. Types and bounds are read from the functions' signatures,
explanations from their docstrings; what does not fit is refused in one sentence.
"""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, get_type_hints

import gradio as gr
from gradio.events import api
from gradio.utils import get_function_description, get_upload_folder
from gradio_client.utils import json_schema_to_python_type
from pydantic import TypeAdapter, ValidationError, validate_call

from cinn_app.errors import CinnError

__all__ = ["Api", "Endpoint", "Value", "describe", "publish"]


class Api(Protocol):
    """A system's endpoints."""

    @property
    def endpoints(self) -> Sequence[Callable[..., Any]]:
        """The functions that clients may call."""
        ...

    def axes(self) -> list[str]:
        """Name what one can go along."""
        ...


class Value(NamedTuple):
    """A parameter or a result of an endpoint.

    Attributes:
        name: as in calls.
        schema: its type, as JSON Schema has it.
        text: what it means.
    """

    name: str
    schema: dict[str, Any]
    text: str

    @property
    def type(self) -> str:
        """Its type as gradio's Python client has it, such as ``filepath``."""
        return json_schema_to_python_type(self.schema)


class Endpoint(NamedTuple):
    """What a client must know of a function.

    Attributes:
        name: of the endpoint, without its slash.
        text: what it does.
        parameters: in the order of the function's.
        results: likewise; several of them come as a list.
    """

    name: str
    text: str
    parameters: list[Value]
    results: list[Value]


def describe(function: Callable[..., Any]) -> Endpoint:
    """Read a function's signature and docstring, which has a line for each parameter and result."""
    hints = get_type_hints(function, include_extras=True)
    returned = hints.pop("return")
    text, explanations, lines = get_function_description(function)
    results = returned.__args__ if getattr(returned, "__origin__", None) is tuple else (returned,)
    told = [*explanations.items(), *(tuple(line.split(": ", 1)) for line in lines)]
    values = [
        Value(name, TypeAdapter(hint).json_schema(), meaning)
        for hint, (name, meaning) in zip([*hints.values(), *results], told, strict=True)
    ]
    return Endpoint(function.__name__, text, values[: len(hints)], values[len(hints) :])


def publish(studio: gr.Blocks, function: Callable[..., Any], **options: Any) -> None:
    """Give a function an endpoint of its name in the page that is being built.

    Args:
        studio: the page.
        function: its parameters and results have types that pydantic reads from JSON and writes to it.
        options: as :func:`gradio.api` has them.
    """
    event = api(_endpoint(function), api_name=function.__name__, **options)
    endpoint = describe(function)
    for numbers, values in ((event["inputs"], endpoint.parameters), (event["outputs"], endpoint.results)):
        for number, value in zip(numbers, values, strict=True):
            # What gradio leaves out, for its own page of the interface and for OpenAPI: names, bounds and meanings.
            component: Any = studio.blocks[number]
            component.label = value.name
            component._api_info = {**value.schema, "description": value.text, "additional_description": value.text}


def _endpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let JSON go in and come out, and whatever fails be one sentence."""
    checked = validate_call(function)
    result = TypeAdapter(get_type_hints(function, include_extras=True)["return"])

    @functools.wraps(function)
    def answer(*given: Any) -> Any:
        try:
            return result.dump_python(checked(*given), mode="json")
        except ValidationError as error:
            names = list(get_type_hints(function))
            raise _refusal(_explain(error, names)) from None
        except CinnError as error:
            raise _refusal(str(error)) from None

    return answer


def _explain(error: ValidationError, names: list[str]) -> str:
    problem = error.errors()[0]
    place, *within = problem["loc"]
    name = names[place] if isinstance(place, int) else str(place)
    where = ".".join([name, *map(str, within)])
    return f"{where} cannot be {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


def _refusal(sentence: str) -> gr.Error:
    """Refuse a request; files are named as the client knows them."""
    folder = re.escape(f"{get_upload_folder()}/")
    return gr.Error(re.sub(rf"{folder}[^/]+/", "", sentence), print_exception=False)
