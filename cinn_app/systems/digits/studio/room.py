"""The digits' room."""

from cinn_app.studio.room import Room
from cinn_app.systems.digits.studio.endpoints import DigitsApi
from cinn_app.systems.digits.studio.tab import DigitsTab

__all__ = ["ROOM"]

ROOM = Room(title=DigitsTab.title, tab=DigitsTab, api=DigitsApi)
