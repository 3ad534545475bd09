"""Our models as contestants: the paper's flow of both directions, the conditional flow, and ablations."""

from typing import Any

import torch
from torch import Tensor, nn

from cinn_app.systems.inverse_problems.bidirectional import BidirectionalFlow
from cinn_app.systems.inverse_problems.networks import build_model
from cinn_app.systems.inverse_problems.recipe import InverseRecipe, Objective, default_recipe
from eight_modes.contestant import Contestant, fitting_width

__all__ = ["Flow"]

#: Fewer couplings than the defaults, so that there is time for more steps; splines with enough bins for eight modes.
SIZES: dict[str, dict[str, int]] = {"conditional": {"couplings": 3, "bins": 12}, "bidirectional": {"couplings": 4}}


class Flow(Contestant):
    """A posterior model of the product, with its own losses.

    Args:
        x, y: simulations, for the scales.
        objective: of the training.
        weights: other settings of the objective than the defaults.
    """

    learning_rate = 4e-3

    def __init__(self, x: Tensor, y: Tensor, objective: Objective, **weights: Any) -> None:
        super().__init__()
        given = "eight_modes", "eight modes", x.shape[1], y.shape[1], len(x)
        recipe = default_recipe(*given, objective)
        if objective == "likelihood":  # by the flow that can have either objective
            recipe = recipe.model_copy(update={"architecture": default_recipe(*given, "both").architecture})
        recipe = changed(recipe, "objective", **weights)
        recipe = changed(recipe, "architecture", **SIZES[recipe.architecture.kind])
        width = fitting_width(lambda width: build_model(changed(recipe, "architecture", width=width)))
        self.model = build_model(changed(recipe, "architecture", width=width))
        self.model.fit_scaling(x, y, [])

    @property
    def sampler(self) -> nn.Module:
        return self.model

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        return self.model.loss(x, y, progress)[0]

    def sample(self, y: Tensor) -> Tensor:
        return self.model.sample(y, 1)[:, 0]

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Map latents ``(batch, 2)`` and labels ``(batch, M)`` to points, ``(batch, 2)``."""
        return self.model.decode(z, y)

    def label_scores(self, x: Tensor, codes: Tensor) -> Tensor:
        """Score labels by their distance from the prediction, or by Bayes' rule with equal priors."""
        if isinstance(self.model, BidirectionalFlow):
            return -torch.cdist(self.model.predict(x), codes)
        return torch.stack([self.model.log_prob(x, code.expand(len(x), -1)) for code in codes], 1)


def changed(recipe: InverseRecipe, section: str, **values: Any) -> InverseRecipe:
    """Return the recipe with other values in one of its sections."""
    return recipe.model_copy(update={section: getattr(recipe, section).model_copy(update=values)})
