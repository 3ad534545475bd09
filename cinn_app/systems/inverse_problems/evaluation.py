"""Evaluation of the model of an inverse problem on fresh simulations."""

from collections.abc import Sequence
from pathlib import Path

import torch

from cinn_app.evaluation import Evaluation
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.inverse_problems.inverse_problem import InverseProblem
from cinn_app.systems.inverse_problems.problem import load_problem
from cinn_app.systems.inverse_problems.simulations import simulated

__all__ = ["evaluate_inverse_problem"]

#: Of the simulations that measure, never one to learn from.
SEED = 2**32 - 1


@torch.inference_mode()
def evaluate_inverse_problem(
    inverse: InverseProblem,
    data: Sequence[Path] = (),
    *,
    cache: Path = Path("cache"),
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measure the likelihood of fresh simulations, or the losses of both directions."""
    problem = inverse.require_problem(load_problem(data[0] if data else inverse.record.name))
    fresh = simulated(problem, limit or 2000, SEED, cache, progress=progress)
    figures = inverse.model.measure(fresh.x.to(inverse.device), fresh.y.to(inverse.device))
    return Evaluation({name: float(value) for name, value in figures.items()}, len(fresh.x), [], data=[problem.name])
