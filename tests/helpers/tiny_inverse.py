"""The smallest models of inverse problems: random weights, but the right names and scales."""

from pathlib import Path

import torch

from cinn_app.checkpoints import Checkpoint, save_checkpoint
from cinn_app.systems.inverse_problems.inverse_problem import ProblemRecord
from cinn_app.systems.inverse_problems.networks import build_model
from cinn_app.systems.inverse_problems.problem import Problem, load_problem
from cinn_app.systems.inverse_problems.recipe import default_recipe


def save_tiny_model(problem: str | Path, path: Path) -> Path:
    """Write a checkpoint of a built-in problem, or of a file."""
    loaded: Problem = load_problem(problem)
    given = loaded.name, loaded.title, len(loaded.parameters), len(loaded.measurements), 500
    sizes = {"couplings": 2, "width": 8, "context_width": 4}
    architecture = default_recipe(*given, objective="both").architecture.model_copy(update=sizes)
    recipe = default_recipe(*given).model_copy(update={"architecture": architecture})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(recipe)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.fit_scaling(*loaded.draw(500, torch.Generator().manual_seed(0)), loaded.parameters)
    details = {"problem": ProblemRecord.of(loaded).model_dump(mode="json")}
    weights = dict(model.state_dict())
    save_checkpoint(path, Checkpoint(recipe, weights, {"held_out_nats": 3.5}, [loaded.name], details), half=False)
    return path
