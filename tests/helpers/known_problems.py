"""Problems whose posteriors are known exactly, and models of them trained for a few seconds."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cinn_app.checkpoints import Checkpoint
from cinn_app.systems.inverse_problems.inverse_problem import InverseProblem, ProblemRecord
from cinn_app.systems.inverse_problems.networks import build_model
from cinn_app.systems.inverse_problems.problem import Problem, load_problem
from cinn_app.systems.inverse_problems.recipe import InverseRecipe, default_recipe
from cinn_app.systems.inverse_problems.simulations import simulated

LINE = '''"""A line through three noisy points."""
import torch

names = ["slope", "offset"]
units = ["m/s", None]
measurement_names = ["y1", "y2", "y3"]
measurement_units = ["m"] * 3


def prior(count, generator):
    return torch.randn(count, 2, generator=generator)


def simulate(x, generator):
    t = torch.tensor([-1.0, 0.0, 1.0])
    return x[:, :1] * t + x[:, 1:] + 0.5 * torch.randn(len(x), 3, generator=generator)
'''

COIN = '''"""How often a bent coin shows heads, from twenty throws."""
import torch

names = ["chance"]
ranges = [(0, 1)]


def prior(count, generator):
    return torch.rand(count, 1, generator=generator)


def simulate(x, generator):
    return (torch.rand(len(x), 20, generator=generator) < x).sum(1, keepdim=True)
'''


def write_problem(folder: Path, source: str, name: str = "mine") -> Path:
    """Write the file of a problem."""
    path = folder / f"{name}.py"
    path.write_text(source)
    return path


def line_posterior(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean ``(2,)`` and the covariance ``(2, 2)`` of the exact posterior of the line, by Bayes' rule."""
    design = torch.tensor([[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    covariance = torch.linalg.inv(torch.eye(2) + design.T @ design / 0.25)
    return covariance @ design.T @ y / 0.25, covariance


def tiny_recipe(problem: Problem, **changes: Any) -> InverseRecipe:
    """Return the recipe of a small flow; changes are of its architecture."""
    given = problem.name, problem.title, len(problem.parameters), len(problem.measurements), 4000
    sizes = {"couplings": 1, "width": 32, "context_width": 8} | changes
    architecture = default_recipe(*given, objective="both").architecture.model_copy(update=sizes)
    return default_recipe(*given).model_copy(update={"architecture": architecture})


def as_trained(problem: Problem, recipe: InverseRecipe, weights: dict[str, Tensor]) -> InverseProblem:
    """Return what users hold, from weights."""
    return InverseProblem(checkpoint_of(problem, recipe, weights), torch.device("cpu"))


def checkpoint_of(problem: Problem, recipe: InverseRecipe, weights: dict[str, Tensor]) -> Checkpoint:
    """Return the checkpoint of weights."""
    details = {"problem": ProblemRecord.of(problem).model_dump(mode="json")}
    return Checkpoint(recipe, weights, {"held_out_nats": 0.5}, [problem.name], details)


def untrained(path: Path) -> Checkpoint:
    """Return the checkpoint of a small model of a problem file that has learnt nothing but the scales."""
    problem = load_problem(path)
    recipe = tiny_recipe(problem)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(recipe)
    model.fit_scaling(*simulated(problem, 2000), problem.parameters)
    return checkpoint_of(problem, recipe, dict(model.state_dict()))


def train_briefly(path: Path, steps: int = 250, count: int = 20_000) -> InverseProblem:
    """Train a small model by maximum likelihood with plain PyTorch, in two seconds."""
    problem = load_problem(path)
    recipe = tiny_recipe(problem)
    x, y = simulated(problem, count, seed=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(recipe)
        model.fit_scaling(x, y, problem.parameters)
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            chosen = torch.randint(len(x), (256,))
            loss, _ = model.loss(x[chosen], y[chosen], 0.5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return as_trained(problem, recipe, dict(model.state_dict()))
