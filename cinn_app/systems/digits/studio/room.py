"""The digits' room."""

from cinn_app.studio.room import Room
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.studio.endpoints import DigitsApi
from cinn_app.systems.digits.studio.tab import DigitsTab

__all__ = ["ROOM"]

ROOM = Room(DigitsTab.title, DigitsTab, DigitsApi, DigitGenerator.load)
