"""The trained models that the tab offers, each with its problem, and the posteriors that it shows. Knows no HTML."""

import contextlib
import dataclasses
import functools
import importlib
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cinn_app.checkpoints import installed_models
from cinn_app.errors import CheckpointError, ProblemError
from cinn_app.systems.inverse_problems import problems
from cinn_app.systems.inverse_problems.inverse_problem import InverseProblem, ProblemRecord
from cinn_app.systems.inverse_problems.problem import Problem, Quantity, load_builtin_problem
from cinn_app.systems.inverse_problems.recipe import InverseRecipe

__all__ = ["Answer", "Range", "Shelf", "Shown", "shelf_of"]

#: Simulations that show what is measured over the prior.
SIMULATED = 1000
#: Samples of each posterior, and how many of them are drawn as lines.
SAMPLES, LINES = 3000, 60
#: Quantiles of the prior between which charts show a quantity without a range, and what they show beyond, as a share.
ENDS, MARGIN = torch.tensor([0.01, 0.99]), 0.05

Range: TypeAlias = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Answer:
    """A posterior as it is shown.

    Attributes:
        samples: ``(3000, D)``.
        lines: what 60 of them look like: measurements ``(60, M)``, or lines in the plane of both measurements,
            ``(60, points, 2)``; none without a simulator.
        far: whether no simulation came near the observation.
    """

    samples: Tensor
    lines: Tensor
    far: bool


@dataclasses.dataclass(frozen=True)
class Shown:
    """A trained model with its problem.

    Attributes:
        inverse: the model.
        problem: its simulator; None for a model of a user's file, whose code does not run here.
        prior: parameters, ``(count, D)``.
        simulated: measurements over the prior, ``(1000, M)``; none without a simulator.
        sketch: draws parameters ``(count, D)`` as lines in the plane of both measurements, ``(count, points, 2)``; None
            if the problem has no such picture.
    """

    inverse: InverseProblem
    problem: Problem | None
    prior: Tensor
    simulated: Tensor
    sketch: Callable[[Tensor], Tensor] | None

    @classmethod
    def of(cls, inverse: InverseProblem) -> "Shown":
        """Find the problem of a model, and simulate it."""
        prior = inverse.model.prior.cpu()
        if not inverse.record.builtin:
            return cls(inverse, None, prior, torch.empty(0, len(inverse.measurements)), None)
        problem = inverse.require_problem(load_builtin_problem(inverse.record.name))
        module = importlib.import_module(f"{problems.__name__}.{problem.name}")
        simulated = problem.draw(SIMULATED, torch.Generator().manual_seed(0))[1]
        return cls(inverse, problem, prior, simulated, getattr(module, "sketch", None))

    @functools.cached_property
    def parameter_ranges(self) -> list[Range]:
        """What the charts show of each parameter."""
        model = self.inverse.model
        return _ranges(self.inverse.parameters, self.prior, model.x_mean, model.x_deviation)

    @functools.cached_property
    def measurement_ranges(self) -> list[Range]:
        """What an observation may be; a plane shows all lines, too."""
        model = self.inverse.model
        values = self.simulated if self.sketch is None else self.sketch(self.prior).flatten(0, 1)
        return _ranges(self.inverse.measurements, values, model.y_mean, model.y_deviation)

    def start(self, seed: int) -> tuple[list[float] | None, list[float]]:
        """Draw parameters and observe them; without a simulator, take the average measurements."""
        if self.problem is None:
            return None, self.inverse.model.y_mean.tolist()
        x, y = self.problem.draw(1, torch.Generator().manual_seed(seed))
        return x[0].tolist(), y[0].tolist()

    def read(self, observation: Any) -> list[float]:
        """Return the numbers that the page has sent, each in its range, and the average where there is none."""
        ranges, averages = self.measurement_ranges, self.inverse.model.y_mean.tolist()
        given = observation if isinstance(observation, list) and len(observation) == len(ranges) else averages
        return [
            min(max(float(value if isinstance(value, int | float) and math.isfinite(value) else average), low), high)
            for value, average, (low, high) in zip(given, averages, ranges, strict=True)
        ]

    @torch.inference_mode()
    def answer(self, observation: list[float]) -> Answer:
        """Sample the posterior of an observation, with the same noise every time, so that it moves smoothly."""
        model, y = self.inverse.model, torch.tensor([observation], device=self.inverse.device)
        samples = model.sample(y, SAMPLES, torch.Generator().manual_seed(0))[0].cpu()
        few = samples[:LINES]
        if self.sketch is not None:
            lines = self.sketch(few)
        elif self.problem is not None:
            lines = self.problem.simulate(few, torch.Generator().manual_seed(0))
        else:
            lines = torch.empty(0, len(observation))
        return Answer(samples, lines, bool(model.nearness.is_far(model.scale_y(y))[0]))


class Shelf:
    """The models of inverse problems that are installed, loaded when they are asked for.

    Args:
        given: the model that the studio was started with.

    Attributes:
        records: of the problems by their names, that of the given model first.
    """

    def __init__(self, given: InverseProblem) -> None:
        self._given, self._shown = given, dict[str, Shown]()
        self.records, self._files = {given.record.name: given.record}, dict[str, str]()
        for model in installed_models():
            if model.header is not None and isinstance(model.header.recipe, InverseRecipe):
                with contextlib.suppress(CheckpointError):  # the tab of the models shows it
                    record = ProblemRecord.read(model.header)
                    if record.builtin and record.name not in self.records:
                        self.records[record.name], self._files[record.name] = record, model.name

    def shown(self, name: str) -> Shown:
        """Return the model of a problem.

        Raises:
            CinnError: if there is none, or it cannot be loaded.
        """
        if name not in self.records:
            known = ", ".join(self.records)
            raise ProblemError(
                "There is no model of the problem {name}: choose one of {known}.", name=name, known=known
            )
        if name not in self._shown:
            file = self._files.get(name)
            self._shown[name] = Shown.of(InverseProblem.load(file) if file else self._given)
        return self._shown[name]


@functools.lru_cache(maxsize=1)
def shelf_of(inverse: InverseProblem) -> Shelf:
    """Return the shelf of a model, which the tab in all languages and the endpoints share."""
    return Shelf(inverse)


def _ranges(quantities: tuple[Quantity, ...], values: Tensor, means: Tensor, deviations: Tensor) -> list[Range]:
    """Return the ranges of quantities, by what is known: their own, that of nearly all values, or a few deviations."""
    if len(values):
        low, high = values.quantile(ENDS, 0)
    else:
        low, high = (means - 3 * deviations).cpu(), (means + 3 * deviations).cpu()
    beyond = MARGIN * (high - low)
    ends = zip((low - beyond).tolist(), (high + beyond).tolist(), strict=True)
    return [
        found if quantity.low is None or quantity.high is None else (quantity.low, quantity.high)
        for quantity, found in zip(quantities, ends, strict=True)
    ]
