"""The schema of the recipes of inverse problems, and the recipe that suits a number of simulations."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from cinn_app.errors import ProblemError
from cinn_app.recipes import Clamp, Depth, NotNegative, Positive, Recipe, Section, Seed, Text, Training, Width

__all__ = [
    "MIN_SIMULATIONS",
    "AutoregressiveArchitecture",
    "BidirectionalArchitecture",
    "BothObjective",
    "InverseArchitecture",
    "InverseData",
    "InverseRecipe",
    "LikelihoodObjective",
    "MmdObjective",
    "Objective",
    "default_recipe",
]

Objective: TypeAlias = Literal["likelihood", "mmd", "both"]
#: Widths of the kernels of the MMD, of scaled parameters and measurements.
KernelWidths = Annotated[list[Annotated[float, Field(gt=0, le=1000)]], Field(min_length=1, max_length=16)]
#: Parameters or measurements of a problem.
Quantities = Annotated[int, Field(gt=0, le=2000)]
#: With more parameters, an ensemble gets more weight decay and fewer steps; and narrower networks with dropout, unless
#: there are many simulations.
FEW_PARAMETERS = 5
#: From so many simulations on, an ensemble gets deeper networks, which few would let overfit.
MANY_SIMULATIONS = 30_000
#: With more parameters, a network for each takes too long.
MAX_AUTOREGRESSIVE = 20
#: With fewer, a posterior is guesswork.
MIN_SIMULATIONS = 200


class AutoregressiveArchitecture(Section):
    """Sizes of the ensemble of autoregressive mixtures, for the objective ``likelihood``.

    Attributes:
        kind: ``autoregressive``.
        members: flows whose densities are averaged.
        components: of the mixture that each parameter has, given those before it.
        width: hidden values of the networks, one for each member and parameter.
        layers: hidden layers of the networks.
        dropout: share of the last hidden values that training drops.
        order_seed: of the orders in which members but the first decide the parameters.
    """

    kind: Literal["autoregressive"]
    members: Annotated[int, Field(gt=0, le=64)]
    components: Annotated[int, Field(gt=0, le=256)]
    width: Width
    layers: Annotated[int, Field(gt=0, le=16)] = 2  # earlier recipes have none
    dropout: Annotated[float, Field(ge=0, lt=1)]
    order_seed: Seed


class InverseArchitecture(Section):
    """Sizes of the flow of parameters given measurements, for the objectives ``likelihood`` and ``both``.

    Attributes:
        kind: ``conditional``.
        couplings: number of spline couplings.
        width: hidden values of their subnets.
        context_width: size of the summary of the measurements, which every subnet sees.
        dropout: share of the hidden values that training drops.
        bins: of the splines.
        bound: of the splines; beyond it they are the identity.
        clamp: bound of their log-scales.
        mixing_seed: of the initial matrices that mix the parameters.
    """

    kind: Literal["conditional"]
    couplings: Depth
    width: Width
    context_width: Width
    dropout: Annotated[float, Field(ge=0, lt=1)]
    bins: Annotated[int, Field(ge=2, le=64)]
    bound: Annotated[float, Field(gt=0, le=1000)]
    clamp: Clamp
    mixing_seed: Seed


class BidirectionalArchitecture(Section):
    """Sizes of the flow from parameters to measurements and latents, for the objective ``mmd``.

    Attributes:
        kind: ``bidirectional``.
        couplings: number of pairs of affine couplings.
        width: hidden values of their subnets.
        latents: values that say what the measurements leave open.
        padding: zeros beyond those that make parameters as many as measurements and latents; they give the flow room.
        clamp: bound of the log-scales.
        mixing_seed: of the random orthogonal matrices.
    """

    kind: Literal["bidirectional"]
    couplings: Depth
    width: Width
    latents: Quantities
    padding: Annotated[int, Field(ge=0, le=2000)]
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


class LikelihoodObjective(Section):
    """Maximum likelihood: ``-log p(x | y)``."""

    kind: Literal["likelihood"]


class BothObjective(Section):
    """Maximum likelihood, and the MMD losses of both directions.

    Attributes:
        kind: ``both``.
        latent_weight: of L_z, beside the nats.
        prior_weight: of L_x at the end of its rise.
        kernel_widths: of the MMDs.
    """

    kind: Literal["both"]
    latent_weight: NotNegative
    prior_weight: NotNegative
    kernel_widths: KernelWidths


class MmdObjective(Section):
    """The losses of both directions of a flow without condition.

    Attributes:
        kind: ``mmd``.
        fit_weight: of the squared errors: L_y, and parameters and padding restored from what the flow made of them.
        latent_weight: of L_z.
        prior_weight: of L_x at the end of its rise.
        kernel_widths: of the MMDs.
        measurement_noise: noise on measurements and latents in training, in their standard deviations.
        padding_noise: noise in place of the zeros in training.
    """

    kind: Literal["mmd"]
    fit_weight: NotNegative
    latent_weight: NotNegative
    prior_weight: NotNegative
    kernel_widths: KernelWidths
    measurement_noise: Annotated[float, Field(ge=0, le=10)]
    padding_noise: Annotated[float, Field(ge=0, le=10)]


class InverseRecipe(Recipe):
    """The recipe of the posterior of an inverse problem."""

    system: Literal["inverse-problems"]
    data: InverseData
    architecture: Annotated[
        AutoregressiveArchitecture | InverseArchitecture | BidirectionalArchitecture, Field(discriminator="kind")
    ]
    objective: Annotated[LikelihoodObjective | BothObjective | MmdObjective, Field(discriminator="kind")]

    @model_validator(mode="after")
    def _objective_fits(self) -> Self:
        kinds = {"likelihood": ("autoregressive", "conditional"), "both": ("conditional",), "mmd": ("bidirectional",)}
        fitting = kinds[self.objective.kind]
        if self.architecture.kind not in fitting:
            raise ValueError(
                f"should have architecture.kind = {' or '.join(map(repr, fitting))} where objective.kind is "
                f"{self.objective.kind!r}"
            )
        return self


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
    batch_size = min(512, max(32, simulations // 80))
    architecture = _architecture(objective, parameters, simulations)
    few, many = parameters <= FEW_PARAMETERS, simulations >= MANY_SIMULATIONS
    # An ensemble starts from linear regression, so it needs fewer steps; with many parameters more of them overfit.
    if architecture.kind != "autoregressive":
        least, per_step, most, learning_rate, weight_decay = 1000, 5, 8000, 1e-3, 1e-4
    elif few:
        least, per_step, most, learning_rate, weight_decay = 600, 8, 4000, 6e-3 if many else 3e-3, 1e-2
    else:
        least, per_step, most, learning_rate, weight_decay = 400, 10, 4000, 4e-3, 0.1 if many else 0.3
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
        architecture=architecture,
        objective=_objective(objective),
        training=Training(
            steps=min(most, max(least, simulations // per_step)),
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            warmup_steps=50,
            gradient_clip=5.0,
            ema_decay=0.99,
            seed=seed,
        ),
    )


def _architecture(
    objective: Objective, parameters: int, simulations: int
) -> AutoregressiveArchitecture | InverseArchitecture | BidirectionalArchitecture:
    if objective == "mmd":
        return BidirectionalArchitecture(
            kind="bidirectional", couplings=6, width=128, latents=parameters, padding=2, clamp=2.0, mixing_seed=0
        )
    if objective == "likelihood" and parameters <= MAX_AUTOREGRESSIVE:
        few, many = parameters <= FEW_PARAMETERS, simulations >= MANY_SIMULATIONS
        return AutoregressiveArchitecture(
            kind="autoregressive",
            members=4,
            components=8,
            width=128 if few or many else 64,
            layers=3 if many else 2,
            dropout=0.0 if few or many else 0.2,
            order_seed=0,
        )
    return InverseArchitecture(
        kind="conditional",
        couplings=6,
        width=64,
        context_width=32,
        dropout=0.0,
        bins=8,
        bound=4.0,
        clamp=2.0,
        mixing_seed=0,
    )


def _objective(kind: Objective) -> LikelihoodObjective | BothObjective | MmdObjective:
    widths = [0.05, 0.2, 1.0, 4.0]
    if kind == "mmd":  # the paper's weights, whose kernels are sums where ours are means
        return MmdObjective(
            kind=kind,
            fit_weight=1.0,
            latent_weight=300.0,
            prior_weight=400.0,
            kernel_widths=widths,
            measurement_noise=0.05,
            padding_noise=0.05,
        )
    if kind == "both":
        return BothObjective(kind=kind, latent_weight=10.0, prior_weight=10.0, kernel_widths=widths)
    return LikelihoodObjective(kind=kind)
