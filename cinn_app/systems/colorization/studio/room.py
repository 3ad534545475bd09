"""The colorizer's room."""

from cinn_app.studio.room import Room
from cinn_app.studio.server.loading import Deferred
from cinn_app.studio.server.status import measured
from cinn_app.systems.colorization.axes import axes_from_details
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.endpoints import ColorizeApi
from cinn_app.systems.colorization.studio.tab import ColorizeTab

__all__ = ["ROOM"]


def _load(name: str) -> Deferred:
    """Load the colorizer later: its tab is laid out from the recipe and the axes."""
    known = {"axes": lambda checkpoint: axes_from_details(checkpoint.details)}
    return Deferred(lambda name: measured(Colorizer.load(name), "colorize"), name, Colorizer.check_recipe, known)


ROOM = Room(ColorizeTab.title, ColorizeTab, ColorizeApi, _load)
