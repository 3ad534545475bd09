"""Inverse problems for users: a trained model that gives the posterior of any observation.

>>> from cinn_app import InverseProblem
>>> posterior = InverseProblem.load("kinematics").posterior([1.5, 0.0])
>>> posterior.sample((5000,)).shape
torch.Size([5000, 4])
"""

import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from cinn_app.arguments import as_python, short
from cinn_app.checkpoints import Checkpoint, CheckpointHeader
from cinn_app.errors import CheckpointError, ProblemError
from cinn_app.messages import Message
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.networks import build_model
from cinn_app.systems.inverse_problems.observations import LARGEST
from cinn_app.systems.inverse_problems.posterior import Posterior
from cinn_app.systems.inverse_problems.problem import Problem, Quantity
from cinn_app.systems.inverse_problems.recipe import InverseRecipe
from cinn_app.trained_model import TrainedModel

__all__ = ["EXTRAPOLATION", "ExtrapolationWarning", "InverseProblem", "ProblemRecord"]

Values: TypeAlias = Sequence[Any] | np.ndarray | Tensor

EXTRAPOLATION = Message("no simulation came near this; the answer is an extrapolation")


class ExtrapolationWarning(UserWarning):
    """An observation is far from everything that was simulated."""


class ProblemRecord(BaseModel):
    """What a checkpoint says of the problem that its model was trained on.

    Attributes:
        name, title, digest: as those of :class:`~cinn_app.systems.inverse_problems.problem.Problem`.
        builtin: whether it came with the program.
        parameters, measurements: names, units and ranges.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    title: str
    digest: str
    builtin: bool
    parameters: tuple[Quantity, ...]
    measurements: tuple[Quantity, ...]

    @classmethod
    def of(cls, problem: Problem) -> "ProblemRecord":
        """Describe a problem."""
        fields = {name: getattr(problem, name) for name in cls.model_fields if name != "builtin"}
        return cls(builtin=problem.is_builtin, **fields)

    @classmethod
    def read(cls, checkpoint: Checkpoint | CheckpointHeader) -> "ProblemRecord":
        """Return the record of a checkpoint.

        Raises:
            CheckpointError: if it has none, or its recipe has another number of quantities.
        """
        recipe = checkpoint.recipe
        assert isinstance(recipe, InverseRecipe)
        try:
            record = cls.model_validate(checkpoint.details.get("problem"))
            if (len(record.parameters), len(record.measurements)) != (recipe.data.parameters, recipe.data.measurements):
                raise ValueError
        except ValueError as error:
            raise CheckpointError(
                "The model {name} does not say which quantities it is about: give a checkpoint made by 'cinn inverse "
                "fit' or 'cinn train'.",
                name=recipe.name,
            ) from error
        return record


class InverseProblem(TrainedModel[InverseRecipe]):
    """A trained model of an inverse problem.

    Attributes:
        record: of the problem.
        parameters, measurements: what is looked for, and what is measured.

    Raises:
        CheckpointError: if the checkpoint does not say of which problem it is.
    """

    recipe_type = InverseRecipe
    model: PosteriorModel

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        super().__init__(checkpoint, device)
        self.record = ProblemRecord.read(checkpoint)
        self.parameters, self.measurements = self.record.parameters, self.record.measurements

    def __repr__(self) -> str:
        return f"InverseProblem({self.record.name}: {_listed(self.parameters)} from {_listed(self.measurements)})"

    @staticmethod
    def build(recipe: InverseRecipe) -> PosteriorModel:
        """Build the network that a recipe describes."""
        return build_model(recipe)

    @torch.inference_mode()
    def probe(self) -> Tensor:
        """Return draws from the posterior of a usual observation, in deviations of the prior."""
        generator = torch.Generator().manual_seed(0)
        return self.model.scale_x(self.model.sample(self.model.y_mean[None], 64, generator)[0])[0].cpu()

    def posterior(self, y: Values) -> Posterior:
        """Return the posterior of an observation, or of several at once.

        Args:
            y: the measurements, ``(M,)`` or ``(B, M)``.

        Returns:
            A distribution with batch shape ``()`` or ``(B,)``. An observation that no simulation came near gives an
            :class:`ExtrapolationWarning`.

        Raises:
            ProblemError: if the observation has another length, or is no finite number.
        """
        posterior = Posterior(self.model, self._as_rows(y, self.measurements, Message("observation")), self.parameters)
        if posterior.far.any():
            far = posterior.far.reshape(-1).nonzero()[:, 0].tolist()
            which = f" (numbers {', '.join(map(str, far[:5]))} of the observations)" if posterior.far.ndim else ""
            warnings.warn(f"{EXTRAPOLATION.capitalize()}{which}.", ExtrapolationWarning, stacklevel=2)
        return posterior

    @torch.inference_mode()
    def predict(self, x: Values) -> Tensor:
        """Predict measurements, ``(M,)`` or ``(B, M)``, of parameters, ``(D,)`` or ``(B, D)``, without the simulator.

        Raises:
            ProblemError: if the model does not predict, or the parameters have another length or are not finite.
        """
        rows = self._as_rows(x, self.parameters, Message("parameter vector"))
        predicted = self.model.predict(rows.reshape(-1, rows.shape[-1]).to(self.device)).cpu()
        return predicted.reshape(*rows.shape[:-1], -1)

    def require_problem(self, problem: Problem) -> Problem:
        """Return a problem that the model was trained on, and refuse any other.

        Raises:
            ProblemError: naming what differs.
        """
        for kind, own, given in (
            (Message("parameters"), self.parameters, problem.parameters),
            (Message("measurements"), self.measurements, problem.measurements),
        ):
            if [one.name for one in own] != [one.name for one in given]:
                raise ProblemError(
                    "The model {name} is of the problem {own}, with the {kind} {names}, but {given} has {others}: give "
                    "the problem that it was trained on.",
                    name=self.recipe.name,
                    own=self.record.name,
                    kind=kind,
                    names=_listed(own),
                    given=problem.name,
                    others=_listed(given),
                )
        return problem

    def _as_rows(self, values: Values, quantities: Sequence[Quantity], kind: Message) -> Tensor:
        """Convert values to float32 ``(N,)`` or ``(B, N)``."""
        try:
            array = np.asarray(as_python(values), dtype=np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.ndim not in (1, 2) or array.shape[-1] != len(quantities) or not array.size:
            raise ProblemError(
                "The {kind} {values} does not fit: give {count} numbers ({names}), or rows of as many.",
                kind=kind,
                values=short(values),
                count=len(quantities),
                names=_listed(quantities),
            )
        if not (np.abs(array) <= LARGEST).all():
            raise ProblemError(
                "The {kind} {values} has a number that is nan, infinite or too large: give finite ones.",
                kind=kind,
                values=short(values),
            )
        return torch.from_numpy(array).float()


def _listed(quantities: Sequence[Quantity], most: int = 6) -> str:
    names = ", ".join(quantity.name for quantity in quantities[:most])
    return f"{names} and {len(quantities) - most} more" if len(quantities) > most else names
