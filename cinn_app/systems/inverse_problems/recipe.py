"""The schema of the recipes of inverse problems, and the recipe that suits a number of simulations."""

from typing import Annotated, Literal

from pydantic import Field

from cinn_app.errors import ProblemError
from cinn_app.recipes import Clamp, Depth, Positive, Recipe, Section, Seed, Text, Training, Width

__all__ = [
    "MIN_SIMULATIONS",
    "InverseArchitecture",
    "InverseData",
    "InverseObjective",
    "InverseRecipe",
    "Objective",
    "default_recipe",
]

Objective = Literal["likelihood"]
#: Parameters or measurements of a problem.
Quantities = Annotated[int, Field(gt=0, le=2000)]
#: With fewer, a posterior is guesswork.
MIN_SIMULATIONS = 200


class InverseArchitecture(Section):
    """Sizes of the flow.

    Attributes:
        couplings: number of spline couplings.
        width: hidden values of their subnets.
        context_width: size of the summary of the measurements, which every subnet sees.
        dropout: share of the hidden values that training drops.
        bins: of the splines.
        bound: of the splines; beyond it they are the identity.
        clamp: bound of their log-scales.
        mixing_seed: of the initial matrices that mix the parameters.
    """

    couplings: Depth
    width: Width
    context_width: Width
    dropout: Annotated[float, Field(ge=0, lt=1)]
    bins: Annotated[int, Field(ge=2, le=64)]
    bound: Annotated[float, Field(gt=0, le=1000)]
    clamp: Clamp
    mixing_seed: Seed


class InverseData(Section):
    """The problem, and how often it is simulated.

    Attributes:
        problem: name of a built-in problem, or for the record that of a file, which then is given with ``--data``.
        parameters, measurements: how many it has.
        simulations: how many are made.
        held_out: how many of them are only measured.
        seed: of the simulations.
    """

    problem: Text
    parameters: Quantities
    measurements: Quantities
    simulations: Positive
    held_out: Positive
    seed: Seed


class InverseObjective(Section):
    """What training minimises.

    Attributes:
        kind: ``likelihood`` for ``-log p(x | y)``.
    """

    kind: Objective


class InverseRecipe(Recipe):
    """The recipe of the posterior of an inverse problem."""

    system: Literal["inverse-problems"]
    data: InverseData
    architecture: InverseArchitecture
    objective: InverseObjective


def default_recipe(
    problem: str,
    title: str,
    parameters: int,
    measurements: int,
    simulations: int = 10_000,
    objective: Objective = "likelihood",
    seed: int = 0,
) -> InverseRecipe:
    """Return the recipe that suits a problem and a number of simulations.

    Args:
        problem, title: of the problem.
        parameters, measurements: how many it has.
        simulations: how many are made.
        objective: what training minimises.
        seed: of the simulations and the training.

    Raises:
        ProblemError: if there are too few simulations.
    """
    if simulations < MIN_SIMULATIONS:
        raise ProblemError(
            "{count} simulations are too few to learn a posterior from: make at least {least}.",
            count=simulations,
            least=MIN_SIMULATIONS,
        )
    held_out = min(2000, simulations // 10)
    batch_size = min(512, max(32, simulations // 50))
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in problem.lower()).strip("-")[:80]
    return InverseRecipe(
        name=slug or "problem",
        system="inverse-problems",
        description=f"Posterior of {title}"[:500],
        licence="that of the problem",
        data=InverseData(
            problem=problem,
            parameters=parameters,
            measurements=measurements,
            simulations=simulations,
            held_out=held_out,
            seed=seed,
        ),
        architecture=InverseArchitecture(
            couplings=6, width=64, context_width=32, dropout=0.0, bins=8, bound=4.0, clamp=2.0, mixing_seed=0
        ),
        objective=InverseObjective(kind=objective),
        training=Training(
            steps=min(8000, max(1000, simulations // 5)),
            batch_size=batch_size,
            learning_rate=1e-3,
            weight_decay=1e-4,
            warmup_steps=50,
            gradient_clip=5.0,
            ema_decay=0.99,
            seed=seed,
        ),
    )
