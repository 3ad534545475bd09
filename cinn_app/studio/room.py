"""What a system's room in the studio consists of."""

import dataclasses
from collections.abc import Callable
from typing import Any

from cinn_app.registry import System, systems
from cinn_app.studio.api.endpoints import Api

__all__ = ["Room", "rooms"]


@dataclasses.dataclass(frozen=True)
class Room:
    """A tab of the page, and the same for programs.

    Attributes:
        title: of the tab, marked by :func:`cinn_app.studio.language.later`.
        tab: lays the tab out for a trained model that all visitors share.
        api: builds the endpoints for it.
        load: loads the trained model by a checkpoint's name or path; may defer what takes long.
    """

    title: str
    tab: Callable[[Any], Any]
    api: Callable[[Any], Api]
    load: Callable[[str], Any]


def rooms() -> dict[str, tuple[System, Room]]:
    """Return the systems that have a room, by name, with their rooms."""
    return {name: (system, system.load("room")) for name, system in systems().items() if system.room}
