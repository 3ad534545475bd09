"""Evaluation of the model of an inverse problem on fresh simulations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cinn_app.errors import ProblemError
from cinn_app.evaluation import Evaluation
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.inverse_problems.calibration import Calibration, calibrate, density_ranks
from cinn_app.systems.inverse_problems.inverse_problem import InverseProblem
from cinn_app.systems.inverse_problems.problem import Problem, load_builtin_problem, load_problem, seeded
from cinn_app.systems.inverse_problems.simulations import Simulations, simulated

__all__ = ["check_posterior", "evaluate_inverse_problem", "fresh_simulations", "problem_of"]

#: Observations that go through the network together.
BATCH = 50
#: Simulations with drawn parameters, and as many again with the true ones.
RESIMULATED = 1000

Checks = Annotated[int, Field(ge=100, le=100_000, description="Simulations to compare with.")]
Samples = Annotated[int, Field(ge=20, le=10_000, description="Draws from each posterior.")]


def problem_of(inverse: InverseProblem, file: Path | None = None) -> Problem:
    """Load the problem that a model was trained on.

    Args:
        inverse: the model.
        file: of the problem, unless it is a built-in one.

    Raises:
        ProblemError: if it is missing, is another one, or cannot be loaded.
    """
    if file is None and not inverse.record.builtin:
        raise ProblemError(
            "The model {name} is of a problem that is not built in, {problem}.py: give its file, with --problem, or "
            "with --data to 'cinn evaluate'.",
            name=inverse.recipe.name,
            problem=inverse.record.name,
        )
    return inverse.require_problem(load_builtin_problem(inverse.record.name) if file is None else load_problem(file))


def fresh_simulations(
    inverse: InverseProblem,
    problem: Problem,
    count: int,
    cache: Path | None = None,
    jobs: int = 1,
    progress: Progress = no_progress,
) -> Simulations:
    """Simulate a problem as the model has not seen it: with another seed."""
    return simulated(problem, count, (inverse.recipe.data.seed + 2**31) % 2**32, cache, jobs, progress)


@torch.inference_mode()
def check_posterior(
    inverse: InverseProblem, problem: Problem, fresh: Simulations, samples: int = 200, progress: Progress = no_progress
) -> Calibration:
    """Compare posteriors of fresh simulations with their true parameters.

    Args:
        inverse: the model.
        problem: that it was trained on.
        fresh: simulations that it has not learnt from.
        samples: draws from each posterior.
        progress: shows the advance.

    Raises:
        ProblemError: if the problem fails.
    """
    model, generator = inverse.model, torch.Generator().manual_seed(0)
    drawn, of_samples, of_truth = list[Tensor](), list[Tensor](), list[Tensor]()
    with progress("Drawing from posteriors", len(fresh.x)) as advance:
        for x, y in zip(fresh.x.split(BATCH), fresh.y.split(BATCH), strict=True):
            x, y = x.to(inverse.device), y.to(inverse.device)
            some = model.sample(y, samples, generator)
            drawn.append(some.cpu())
            if model.has_density:
                repeated = y.repeat_interleave(samples, 0)
                of_samples.append(model.log_prob(some.flatten(0, 1), repeated).unflatten(0, (-1, samples)).cpu())
                of_truth.append(model.log_prob(x, y).cpu())
            advance(len(x))
    ranks = density_ranks(torch.cat(of_samples), torch.cat(of_truth)) if model.has_density else None
    all_drawn, some_x, some_y = torch.cat(drawn), fresh.x[:RESIMULATED], fresh.y[:RESIMULATED]
    with seeded([inverse.recipe.data.seed, 2**31]) as noise:
        resimulated = problem.simulate(all_drawn[:RESIMULATED, 0], noise)
        again = problem.simulate(some_x, noise)
    deviation = fresh.y.std(0).clamp(min=1e-30)
    scaled = [values / deviation for values in (some_y, resimulated, again)]
    return calibrate([one.name for one in inverse.parameters], fresh.x, all_drawn, ranks, *scaled)


@torch.inference_mode()
def evaluate_inverse_problem(
    inverse: InverseProblem,
    data: Sequence[Path] = (),
    *,
    checks: Checks = 1000,
    samples: Samples = 200,
    cache: Path = Path("cache"),
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measure losses, calibration and re-simulation error on fresh simulations.

    Figures are those of the model's ``measure``, such as ``nats``, and those of :meth:`Calibration.figures`.

    Args:
        inverse: what to measure.
        data: the file of the problem, unless it is a built-in one.
        checks: simulations to compare with.
        samples: draws from each posterior.
        cache: folder of simulations.
        limit: the most simulations.
        progress: shows the advance.

    Raises:
        ProblemError: if the problem is missing, another one, or fails.
    """
    problem = problem_of(inverse, data[0] if data else None)
    fresh = fresh_simulations(inverse, problem, min(checks, limit or checks), cache, progress=progress)
    checked = check_posterior(inverse, problem, fresh, samples, progress)
    measured = inverse.model.measure(fresh.x.to(inverse.device), fresh.y.to(inverse.device))
    figures = {**{name: float(value) for name, value in measured.items()}, **checked.figures()}
    names = [quantity.name for quantity in inverse.parameters]
    ranks = {name: np.round(row, 6).tolist() for name, row in zip(names, checked.histograms, strict=True)}
    return Evaluation(figures, checked.checks, [], list(checked.verdict()[1]), [problem.name], ranks, "simulation")
