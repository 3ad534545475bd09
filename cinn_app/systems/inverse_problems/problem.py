"""A problem: a prior of parameters, and a simulator of what would be measured. A Python file that anybody can write.

A problem file defines two functions:

* ``prior(count, generator)`` draws parameters, ``(count, D)``;
* ``simulate(x, generator)`` returns a measurement with its noise for each row of ``x``, ``(count, M)``.

Both return a tensor, or anything that :func:`torch.as_tensor` takes, and draw with the :class:`torch.Generator` that
they get (``torch.randn(count, 2, generator=generator)``), so that a seed gives the same simulations. The file can also
define

* ``names``, ``units`` and ``ranges`` of the parameters, one entry each; a range is ``(low, high)``, outside which no
  parameter can be, or ``None``;
* ``measurement_names`` and ``measurement_units``.

The first line of its docstring is its title. A built-in problem is such a file in the folder ``problems``.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.util
import pkgutil
import random
import sys
import tokenize
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cinn_app.errors import ProblemError
from cinn_app.limits import DIGEST_DIGITS
from cinn_app.messages import Message
from cinn_app.systems.inverse_problems import problems

__all__ = ["Problem", "Quantity", "builtin_problems", "load_builtin_problem", "load_problem"]

#: Parameters and measurements that a problem may have.
MAX_QUANTITIES = 2000
#: Draws from the prior, from which on a quantity that never changes is refused.
ENOUGH_TO_VARY = 100
#: Draws that find out how many quantities there are.
PROBE = 2

Function: TypeAlias = Callable[[Any, torch.Generator], Any]


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A parameter or a measurement.

    Attributes:
        name: for tables and axes.
        unit: such as ``"mm"``; empty for a pure number.
        low, high: the range, or ``None`` for any number.

    >>> Quantity("height", "mm").label
    'height (mm)'
    """

    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def label(self) -> str:
        """The name with its unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclasses.dataclass(frozen=True)
class Problem:
    """A prior and a simulator, both checked whenever they are called.

    Attributes:
        name: of its file, without the suffix.
        title: what it is about, in one line.
        source: the path of its file, or the name of a built-in problem: what :func:`load_problem` takes.
        digest: of its source text.
        parameters: the D quantities that are looked for.
        measurements: the M quantities that are measured.
    """

    name: str
    title: str
    source: str
    digest: str
    parameters: tuple[Quantity, ...]
    measurements: tuple[Quantity, ...]
    file: Path = dataclasses.field(repr=False)
    functions: dict[str, Function] = dataclasses.field(repr=False, compare=False)

    @property
    def is_builtin(self) -> bool:
        """Whether it came with the program."""
        return self.source == self.name and self.name in builtin_problems()

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw parameters, float32 ``(count, D)``.

        Raises:
            ProblemError: if the function fails, or returns a wrong shape, NaN, infinity or a value outside the ranges.
        """
        x = self._call("prior", count, generator, self.parameters, count)
        for number, quantity in enumerate(self.parameters):
            if quantity.low is None or quantity.high is None:
                continue
            column = x[:, number]
            outside = (column < quantity.low) | (column > quantity.high)
            if outside.any():
                raise ProblemError(
                    "The function prior of {file} drew {value:.6g} for {name}, outside its range of {low:g} to "
                    "{high:g}: correct the function or ranges.",
                    file=self.file.name,
                    value=float(column[outside][0]),
                    name=quantity.name,
                    low=quantity.low,
                    high=quantity.high,
                )
        return x

    def simulate(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Simulate measurements of parameters ``(count, D)``: float32 ``(count, M)``.

        Raises:
            ProblemError: if the function fails, or returns a wrong shape, NaN or infinity.
        """
        return self._call("simulate", x, generator, self.measurements, len(x))

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw parameters and simulate their measurements: ``(count, D)`` and ``(count, M)``.

        Raises:
            ProblemError: as :meth:`prior` and :meth:`simulate`, and if a quantity never changes.
        """
        x = self.prior(count, generator)
        y = self.simulate(x, generator)
        if count >= ENOUGH_TO_VARY:
            for kind, values, quantities in (("parameter", x, self.parameters), ("measurement", y, self.measurements)):
                still = (values == values[:1]).all(0)
                if still.any():
                    number = int(still.nonzero()[0])
                    raise ProblemError(
                        "The {kind} {name} of {file} is {value:.6g} in each of {count} simulations, so nothing can be "
                        "learnt about it or from it: leave it out, or correct the function {function}.",
                        kind=Message(kind),
                        name=quantities[number].name,
                        file=self.file.name,
                        value=float(values[0, number]),
                        count=count,
                        function="prior" if kind == "parameter" else "simulate",
                    )
        return x, y

    def _call(
        self, function: str, argument: Any, generator: torch.Generator, quantities: Sequence[Quantity], count: int
    ) -> Tensor:
        values = _call(self.file, function, self.functions[function], argument, generator, count)
        if values.shape[1] != len(quantities):
            raise ProblemError(
                "The function {function} of {file} returned {given} columns where it returned {expected} before or "
                "names has that many: return as many each time.",
                function=function,
                file=self.file.name,
                given=values.shape[1],
                expected=len(quantities),
            )
        bad = ~values.isfinite()
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            raise ProblemError(
                "The function {function} of {file} returned {value} for {name} in {bad} of {count} rows: return finite "
                "numbers, or draw only parameters for which it can.",
                function=function,
                file=self.file.name,
                value=float(values[row, column]),
                name=quantities[column].name,
                bad=int(bad.any(1).sum()),
                count=count,
            )
        return values


def builtin_problems() -> list[str]:
    """Return the names of the problems that came with the program."""
    return sorted(module.name for module in pkgutil.iter_modules(problems.__path__) if not module.name.startswith("_"))


def load_problem(name_or_path: str | Path) -> Problem:
    """Load a built-in problem by its name, or a file by its path. Loading runs the code in the file.

    Args:
        name_or_path: such as ``"kinematics"`` or ``"mine.py"``.

    Raises:
        ProblemError: if there is no such problem, its file fails, lacks a function, or describes itself wrongly, or the
            functions fail or return unusable values.
    """
    name, path = str(name_or_path), Path(name_or_path)
    if _module_of(name) in builtin_problems():
        return load_builtin_problem(name)
    if not path.is_file():
        raise ProblemError(
            "There is no problem {name}: give the path of a Python file, or the name of a built-in problem ({known}).",
            name=name,
            known=", ".join(builtin_problems()),
        )
    return _problem(_load_module(path), str(path.resolve()), path)


def load_builtin_problem(name: str) -> Problem:
    """Load a built-in problem; names in checkpoints and recipes, which may come from strangers, never run a file.

    Raises:
        ProblemError: if there is no such problem.
    """
    module_name = _module_of(name)
    if module_name not in builtin_problems():
        raise ProblemError(
            "There is no built-in problem {name}: update the program, or give the Python file of the problem yourself.",
            name=name,
        )
    module = importlib.import_module(f"{problems.__name__}.{module_name}")
    return _problem(module, module_name, Path(str(module.__file__)))


def _module_of(name: str) -> str:
    """Return the name of a built-in problem's module; checkpoints write hyphens."""
    return name.replace("-", "_")


@contextlib.contextmanager
def seeded(seed: Sequence[int]) -> Iterator[torch.Generator]:
    """Yield a generator, and seed the global ones, too, for functions that draw from those; they are put back after."""
    number = int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 1)
    states = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        np.random.seed(number % 2**32)  # noqa: NPY002
        random.seed(number)
        try:
            yield torch.Generator().manual_seed(number)
        finally:
            np.random.set_state(states[0])  # noqa: NPY002
            random.setstate(states[1])


def _load_module(path: Path) -> ModuleType:
    """Run a user's file as a module; modules beside it can be imported from it."""
    name = f"cinn_problem_{path.stem}"
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    specification = importlib.util.spec_from_file_location(name, path.resolve())
    if specification is None or specification.loader is None:
        raise ProblemError("{file} is no Python file: name a problem with the suffix .py.", file=path.name)
    with contextlib.suppress(OSError):  # the loader meets it, too
        _require_text(path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = error.lineno if isinstance(error, SyntaxError) else _line(error, path)
        _refuse(path, "cannot be loaded", error, line)
    return module


def _require_text(path: Path) -> None:
    """Refuse what Python cannot decode, such as UTF-16, in which editors and shells of Windows write."""
    try:
        with tokenize.open(path) as file:
            is_text = "\0" not in file.read()
    except (SyntaxError, UnicodeDecodeError):
        is_text = False
    if not is_text:
        raise ProblemError("{file} is no text in UTF-8: save it in that encoding.", file=path.name)


def _problem(module: ModuleType, source: str, path: Path) -> Problem:
    """Find out how many quantities there are, and check all that the file says of them."""
    functions = {name: getattr(module, name, None) for name in ("prior", "simulate")}
    if missing := [name for name, function in functions.items() if not callable(function)]:
        raise ProblemError(
            "{file} has no function {missing}: a problem defines prior(count, generator) and simulate(x, generator).",
            file=path.name,
            missing=" and no function ".join(missing),
        )
    with seeded([0]) as generator:
        x = _call(path, "prior", functions["prior"], PROBE, generator, PROBE)
        parameters = _quantities(module, path, x.shape[1], "names", "units", "ranges", "x")
        y = _call(path, "simulate", functions["simulate"], x, generator, PROBE)
        measurements = _quantities(module, path, y.shape[1], "measurement_names", "measurement_units", "", "y")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST_DIGITS]
        title = (module.__doc__ or path.stem).strip().partition("\n")[0].strip()
        title = "".join(filter(str.isprintable, title))[:500] or path.stem
        problem = Problem(path.stem, title, source, digest, parameters, measurements, path, functions)  # type: ignore[arg-type]
        problem.draw(PROBE, generator)
    return problem


def _quantities(
    module: ModuleType, path: Path, count: int, names: str, units: str, ranges: str, letter: str
) -> tuple[Quantity, ...]:
    """Read what a problem file says of its parameters or its measurements."""

    def entries(variable: str, default: Sequence[Any]) -> list[Any]:
        given = getattr(module, variable, None) if variable else None
        if given is None:
            return list(default)
        if isinstance(given, str) or not hasattr(given, "__len__") or len(given) != count:
            raise ProblemError(
                "{variable} of {file} is {given} where {count} entries are needed: give one for each.",
                variable=variable,
                file=path.name,
                given=_short(given),
                count=count,
            )
        return list(given)

    named = [str(name) for name in entries(names, [f"{letter}{number}" for number in range(1, count + 1)])]
    for name in named:
        if not name.strip() or not name.isprintable() or len(name) > 100 or named.count(name) > 1:
            raise ProblemError(
                "{variable} of {file} has the entry {name!r}, which is empty, too long or there twice: give each "
                "quantity a short name of its own.",
                variable=names,
                file=path.name,
                name=name[:100],
            )
    united = ["" if unit is None else str(unit)[:100] for unit in entries(units, [""] * count)]
    quantities = []
    for name, unit, limits in zip(named, united, entries(ranges, [None] * count), strict=True):
        low, high = _range(limits, path, name)
        quantities.append(Quantity(name, "".join(filter(str.isprintable, unit)), low, high))
    return tuple(quantities)


def _range(limits: Any, path: Path, name: str) -> tuple[float | None, float | None]:
    if limits is None:
        return None, None
    try:
        low, high = map(float, limits)
        if not -float("inf") < low < high < float("inf"):
            raise ValueError
    except (TypeError, ValueError):
        raise ProblemError(
            "The range of {name} in {file} is {given}: give (low, high), two finite numbers with low < high, or None.",
            name=name,
            file=path.name,
            given=_short(limits),
        ) from None
    return low, high


def _call(path: Path, name: str, function: Any, argument: Any, generator: torch.Generator, count: int) -> Tensor:
    """Call a user's function, and turn whatever it does wrong into one sentence."""
    try:
        returned = function(argument.clone() if isinstance(argument, Tensor) else argument, generator)
    except (Exception, SystemExit) as error:
        _refuse(path, f"failed in {name}", error, _line(error, path))
    try:
        values = torch.as_tensor(returned).detach().to("cpu", torch.float32)
    except Exception:
        raise ProblemError(
            "The function {function} of {file} returned {type}: return a tensor or an array of numbers.",
            function=name,
            file=path.name,
            type=type(returned).__name__,
        ) from None
    if values.ndim != 2 or len(values) != count or not 0 < values.shape[1] <= MAX_QUANTITIES:
        raise ProblemError(
            "The function {function} of {file} returned the shape {given} where ({count}, {letter}) is needed, with "
            "{letter} from 1 to {most}: return one row for each of the {count} {rows}.",
            function=name,
            file=path.name,
            given=tuple(values.shape),
            count=count,
            letter="D" if name == "prior" else "M",
            most=MAX_QUANTITIES,
            rows=Message("draws") if name == "prior" else Message("rows of x"),
        )
    return values


def _refuse(path: Path, what: str, error: BaseException, line: int | None) -> NoReturn:
    reason = str(error.msg if isinstance(error, SyntaxError) else error).strip().partition("\n")[0][:300]
    raise ProblemError(
        "{file} {what} ({error}{line}): correct the file.",
        file=path.name,
        what=Message(what),
        error=f"{type(error).__name__}: {reason}" if reason else type(error).__name__,
        line=f", line {line}" if line else "",
    ) from error


def _line(error: BaseException, path: Path) -> int | None:
    """Return the last line of the user's file that was running."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    return lines[-1] if lines else None


def _short(value: Any) -> str:
    text = repr(value).replace("\n", " ")
    return text if len(text) <= 80 else f"{text[:77]}..."
