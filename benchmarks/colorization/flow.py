"""Our own model as a baseline, with the same loop, data and minutes as the others."""

from torch import Tensor

from cinn_app import Colorizer
from cinn_app.checkpoints import Checkpoint
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.model import ColorizationModel
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from colorization.baseline import Baseline


class Flow(Baseline):
    """The conditional flow of :class:`ColorizationModel`, measured as a :class:`Colorizer`."""

    def __init__(self, encoder: ImageEncoder, recipe: ColorizationRecipe, ab: Tensor) -> None:
        super().__init__(encoder, recipe)
        self.model = ColorizationModel(recipe.architecture)
        self.model.encoder = self.encoder
        self.decoder = self.model.decoder

    def loss(self, batch: ColourBatch) -> Tensor:
        """Return the objective of our training."""
        features, objective = self.features(batch.lightness, batch.features), self.recipe.objective
        return self.model.losses(batch.lightness, batch.ab, features, objective, objective.details_share).total

    def painter(self) -> Colorizer:
        """Return the colorizer."""
        return FlowColorizer(self)


class FlowColorizer(Colorizer):
    """A colorizer with a model that was trained here, and may differ from its recipe."""

    def __init__(self, flow: Flow) -> None:  # without the parent's, which builds the model
        self.recipe, self.model, self.device = flow.recipe, flow.model, flow.device
        self.checkpoint = Checkpoint(flow.recipe, flow.model.state_dict(), {}, [])
