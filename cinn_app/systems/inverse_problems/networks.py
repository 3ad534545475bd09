"""Which network a recipe describes."""

from cinn_app.systems.inverse_problems.conditional import ConditionalFlow
from cinn_app.systems.inverse_problems.model import PosteriorModel
from cinn_app.systems.inverse_problems.recipe import InverseRecipe

__all__ = ["build_model"]


def build_model(recipe: InverseRecipe) -> PosteriorModel:
    """Build the network that a recipe describes, with scales that do nothing yet."""
    return ConditionalFlow(recipe.architecture, recipe.data.parameters, recipe.data.measurements)
