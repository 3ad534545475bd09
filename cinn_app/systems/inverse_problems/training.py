"""Training of the model of an inverse problem on simulations of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cinn_app.data.stream import BatchStream
from cinn_app.errors import ProblemError
from cinn_app.flows import MixtureAutoregression
from cinn_app.process import worker_count
from cinn_app.systems.inverse_problems.inverse_problem import ProblemRecord
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.networks import build_model
from cinn_app.systems.inverse_problems.problem import Problem, load_builtin_problem, load_problem
from cinn_app.systems.inverse_problems.recipe import InverseRecipe
from cinn_app.systems.inverse_problems.simulations import Simulations, simulated
from cinn_app.training.trainable import Setup, Trainable

__all__ = ["InverseTraining", "prepare_training"]

#: Simulations that are measured together.
PER_CHECK = 1000


class InverseTraining(Trainable):
    """Training on simulations, the last of which are held out.

    Args:
        recipe: data, architecture, objective and schedule.
        problem: what is simulated.
        simulations: of it.
        setup: of the training.

    Raises:
        ProblemError: if the problem is not the recipe's, or too few simulations are left to learn from.
    """

    model: PosteriorModel
    half_precision = False  # a sharp posterior needs all digits of its scales

    def __init__(self, recipe: InverseRecipe, problem: Problem, simulations: Simulations, setup: Setup) -> None:
        count = len(simulations.x) - recipe.data.held_out
        if count < recipe.training.batch_size:
            raise ProblemError(
                "{count} simulations are too few: {held_out} are held out (data.held_out), and {batch_size} "
                "(training.batch_size) are needed to learn from.",
                count=len(simulations.x),
                held_out=recipe.data.held_out,
                batch_size=recipe.training.batch_size,
            )
        self.recipe, self.problem = recipe, problem
        learnt, held_out = simulations.split(count)
        self.model = build_model(recipe)
        self.model.fit_scaling(learnt.x, learnt.y, problem.parameters)
        setup.initialise(self.model)
        self.watched = self.model.watched
        self.figures = {f"held-out {name}": f"held_out_{name}" for name in self.model.measured}
        self.pictures, self.data = count, (problem.name,)
        self.batches = BatchStream(
            learnt, np.arange(count), recipe.training.batch_size, recipe.training.seed, setup.step
        )
        parts = zip(held_out.x.split(PER_CHECK), held_out.y.split(PER_CHECK), strict=True)
        self.held_out = [Simulations(x, y) for x, y in parts]

    def loss(self, batch: Simulations) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss of one batch."""
        return self.model.loss(batch.x, batch.y, self.done)

    def measure(self, batch: Simulations) -> dict[str, Tensor]:
        """Measure held-out simulations."""
        return {f"held-out {name}": value for name, value in self.model.measure(batch.x, batch.y).items()}

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups: weight decay leaves regressions and their scales alone."""
        flows = (module for module in self.model.modules() if isinstance(module, MixtureAutoregression))
        fitted = [parameter for flow in flows for parameter in flow.parameters(recurse=False)]
        numbers = set(map(id, fitted))
        learnt = [parameter for parameter in self.model.parameters() if id(parameter) not in numbers]
        return [{"params": learnt}, *([{"params": fitted, "weight_decay": 0.0}] if fitted else [])]

    def details(self) -> dict[str, Any]:
        """Describe the problem."""
        return {"problem": ProblemRecord.of(self.problem).model_dump(mode="json")}


def prepare_training(recipe: InverseRecipe, setup: Setup) -> InverseTraining:
    """Load the problem and simulate it.

    The source is the file of the problem; without one, the recipe names a built-in problem.

    Raises:
        ProblemError: if the problem cannot be loaded, fails, or is not the recipe's.
    """
    if len(setup.sources) > 1:
        raise ProblemError(
            "{count} files were given where one describes the problem: give --data once, or not at all.",
            count=len(setup.sources),
        )
    problem = load_problem(setup.sources[0]) if setup.sources else load_builtin_problem(recipe.data.problem)
    given = (len(problem.parameters), len(problem.measurements))
    if given != (recipe.data.parameters, recipe.data.measurements):
        raise ProblemError(
            "The problem {name} has {parameters} parameters and {measurements} measurements, but the recipe says "
            "{own_parameters} and {own_measurements}: give another problem with --data, or correct [data].",
            name=problem.name,
            parameters=given[0],
            measurements=given[1],
            own_parameters=recipe.data.parameters,
            own_measurements=recipe.data.measurements,
        )
    data = recipe.data
    simulations = simulated(problem, data.simulations, data.seed, setup.cache, worker_count(), progress=setup.progress)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        return InverseTraining(recipe, problem, simulations, setup)
