"""The colorizer's room."""

from cinn_app.studio.room import Room
from cinn_app.systems.colorization.studio.endpoints import ColorizeApi
from cinn_app.systems.colorization.studio.tab import ColorizeTab

__all__ = ["ROOM"]

ROOM = Room(
    title=ColorizeTab.title,
    tab=ColorizeTab,
    api=ColorizeApi,
    header_attributes={},  # the recipe is enough
    measured=("colorize",),
)
