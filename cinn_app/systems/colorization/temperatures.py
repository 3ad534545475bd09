"""The temperature of sampling: one that the model's scales follow, or one for each of them."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import PlainValidator, WithJsonSchema

from cinn_app.arguments import as_number, as_python, short
from cinn_app.errors import CinnError
from cinn_app.limits import MAX_TEMPERATURE
from cinn_app.messages import Message

__all__ = ["SCALES", "GivenTemperature", "Temperature", "read_temperature"]

#: What the scales of the model draw, fine to coarse.
SCALES = (
    Message("tiny details"),
    Message("small details"),
    Message("large details"),
    Message("parts"),
    Message("things"),
)
#: Of the coarsest scale, which the others follow, or of each scale, fine to coarse.
Temperature: TypeAlias = float | tuple[float, ...]


def read_temperature(given: Any) -> Temperature | None:
    """Read a number, or one for each of :data:`SCALES`; also from text, where commas stand between them.

    Raises:
        CinnError: if it is not in 0..2, or not one per scale.

    >>> read_temperature(0.5), read_temperature("0.3,0.35,0.45,0.5,0.9")
    (0.5, (0.3, 0.35, 0.45, 0.5, 0.9))
    """
    if given is None:
        return None
    parts = _numbers(given.split(",")) if isinstance(given, str) else as_python(given)
    single = not isinstance(parts, Iterable) or isinstance(parts, bytes)
    numbers = (as_number(parts),) if single else tuple(map(as_number, parts))
    if len(numbers) == 1 and (single or isinstance(given, str)):
        chosen: Temperature = numbers[0]
    elif len(numbers) == len(SCALES):
        chosen = numbers
    else:
        raise CinnError(
            "{given} temperatures were given: give one number, or {needed}, fine to coarse: of {scales}.",
            given=len(numbers),
            needed=len(SCALES),
            scales=", ".join(SCALES),
        )
    if not all(0 <= number <= MAX_TEMPERATURE for number in numbers):  # refuses not-a-number, too
        raise CinnError(
            "The temperature {temperature} is out of range: give one from 0 to {most:g}.",
            temperature=short(given),
            most=MAX_TEMPERATURE,
        )
    return chosen


def _numbers(texts: list[str]) -> list[float]:
    """Convert texts to numbers; what is none becomes not-a-number."""
    numbers = []
    for text in texts:
        try:
            numbers.append(float(text))
        except ValueError:
            numbers.append(float("nan"))
    return numbers


_NUMBER = {"type": "number", "minimum": 0, "maximum": MAX_TEMPERATURE}
_ONE_PER_SCALE = {"type": "array", "items": _NUMBER, "minItems": len(SCALES), "maxItems": len(SCALES)}
#: For pydantic: what a program or a command line has given.
GivenTemperature: TypeAlias = Annotated[
    Temperature | None,
    PlainValidator(read_temperature),
    WithJsonSchema({"anyOf": [_NUMBER, _ONE_PER_SCALE, {"type": "null"}]}),
]
