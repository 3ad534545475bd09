"""What the models tab tells, for programs."""

from collections.abc import Mapping

from cinn_app.checkpoints import installed_models
from cinn_app.studio.api.endpoints import Api
from cinn_app.studio.api.types import Line

__all__ = ["ModelsApi"]


class ModelsApi:
    """The endpoint that tells what is installed.

    Args:
        apis: of each system that is being served, by its name in recipes.
        given: name or path of the model that was asked for, which serves its system; it goes first.
    """

    def __init__(self, apis: Mapping[str, Api], given: str | None = None) -> None:
        self._apis, self._given = apis, given

    def models(self) -> tuple[list[Line], dict[str, list[str]]]:
        """Tell which models are installed, and the axes that can be gone along.

        Returns:
            models: For each its name, system, description, size, licence, data and figures of its training.
            axes: By system, the names of the served model's axes, the strongest first.
        """
        lines: list[Line] = []
        for model in installed_models(self._given):
            line: Line = {"name": model.name, "megabytes": round(model.size / 1e6, 1)}
            if model.header is None:
                lines.append({**line, "problem": model.problem})
                continue
            recipe = model.header.recipe
            told = {"system": recipe.system, "description": recipe.description, "licence": recipe.licence}
            lines.append({**line, **told, "data": model.header.data, "figures": model.header.figures})
        return lines, {name: api.axes() for name, api in self._apis.items()}
