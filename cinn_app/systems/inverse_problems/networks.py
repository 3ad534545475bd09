"""Which network a recipe describes."""

from cinn_app.systems.inverse_problems.autoregressive import AutoregressiveFlow
from cinn_app.systems.inverse_problems.bidirectional import BidirectionalFlow
from cinn_app.systems.inverse_problems.conditional import ConditionalFlow
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.recipe import (
    AutoregressiveArchitecture,
    BidirectionalArchitecture,
    InverseRecipe,
    MmdObjective,
)

__all__ = ["build_model"]


def build_model(recipe: InverseRecipe) -> PosteriorModel:
    """Build the network that a recipe describes, with scales that do nothing yet."""
    architecture, objective = recipe.architecture, recipe.objective
    sizes = recipe.data.parameters, recipe.data.measurements
    if isinstance(architecture, AutoregressiveArchitecture):
        return AutoregressiveFlow(architecture, *sizes)
    if isinstance(architecture, BidirectionalArchitecture):
        assert isinstance(objective, MmdObjective)  # by the recipe
        return BidirectionalFlow(architecture, objective, *sizes)
    assert not isinstance(objective, MmdObjective)
    return ConditionalFlow(architecture, objective, *sizes)
