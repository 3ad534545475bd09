"""The tab of inverse problems for programs: each call is complete by itself and leaves nothing behind but files."""

import warnings
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from cinn_app.studio.endpoints import File, Line, Seed
from cinn_app.studio.files import new_results_folder
from cinn_app.systems.inverse_problems.inverse_problem import ExtrapolationWarning, InverseProblem
from cinn_app.systems.inverse_problems.outputs import write_samples
from cinn_app.systems.inverse_problems.problem import Quantity
from cinn_app.systems.inverse_problems.studio.shelf import shelf_of

__all__ = ["InverseApi"]

Count = Annotated[int, Field(ge=2, le=100_000)]
Observation = Annotated[list[float], Field(min_length=1, max_length=2000)]
#: What the report says of each parameter.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class InverseApi:
    """The endpoints of inverse problems.

    Clients read the docstrings, with one line for each parameter.
    """

    def __init__(self, inverse: InverseProblem) -> None:
        self.shelf = shelf_of(inverse)
        self.endpoints = (self.posterior, self.problems)

    def axes(self) -> list[str]:
        """Return no names: samples of a posterior are not moved along axes."""
        return []

    def posterior(
        self, observation: Observation, problem: str | None = None, count: Count = 5000, seed: Seed = 0
    ) -> tuple[File, Line]:
        """Find the parameters that explain an observation, and how sure that is.

        Args:
            observation: The measurements, as many numbers as the problem has; /problems names them with their units.
            problem: Name of the problem, from /problems; by default the first.
            count: How many samples, 2 to 100,000.
            seed: The same seed gives the same samples.

        Returns:
            samples: A CSV file with a column for each parameter and a row for each sample.
            report: Statistics of the parameters; "far" if no simulation came near, so that they are extrapolations.
        """
        name = problem or next(iter(self.shelf.records))
        inverse = self.shelf.shown(name).inverse
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExtrapolationWarning)  # the report says it
            posterior = inverse.posterior(observation)
        drawn = posterior.sample((count,), torch.Generator().manual_seed(seed))
        names = [quantity.name for quantity in inverse.parameters]
        file = new_results_folder() / f"{name}-samples.csv"
        write_samples(file, drawn, names)
        quantiles = drawn.quantile(torch.tensor(QUANTILES), 0).T.tolist()
        report = {
            "problem": name,
            "observation": observation,
            "samples": count,
            "seed": seed,
            "parameters": names,
            "mean": _rounded(drawn.mean(0)),
            "deviation": _rounded(drawn.std(0)),
            "quantiles": [dict(zip(map(str, QUANTILES), row, strict=True)) for row in quantiles],
            "correlations": np.round(np.corrcoef(drawn.numpy(), rowvar=False).reshape(len(names), -1), 4).tolist(),
            "far": bool(posterior.far),
        }
        return file, report

    def problems(self) -> list[Line]:
        """List the inverse problems of which models are installed.

        Returns:
            problems: For each its name, title, parameters and measurements with their units and ranges.
        """
        return [
            {
                "name": name,
                "title": record.title,
                "parameters": [_described(quantity) for quantity in record.parameters],
                "measurements": [_described(quantity) for quantity in record.measurements],
            }
            for name, record in self.shelf.records.items()
        ]


def _described(quantity: Quantity) -> Line:
    bounded = quantity.low is not None and quantity.high is not None
    return {"name": quantity.name, "unit": quantity.unit, "range": [quantity.low, quantity.high] if bounded else None}


def _rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]
