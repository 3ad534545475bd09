"""Systems that are loaded while their page is up already."""

import threading
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint
from cinn_app.errors import CinnError
from cinn_app.recipes import Recipe

__all__ = ["Deferred", "load_deferred"]


class Deferred:
    """Stands for a system: its recipe is there at once, and whoever asks for more waits until it is loaded.

    Args:
        load: loads the system by the name.
        name: of a shipped model, or the path of a checkpoint.
        check_recipe: refuses the recipe of another system.
        known: what else is there at once, by its name: how it is found in the checkpoint.

    Raises:
        CheckpointError: if the checkpoint is missing, damaged, foreign, too new, or of another system.
    """

    def __init__(
        self,
        load: Callable[[str], Any],
        name: str,
        check_recipe: Callable[[Recipe], Any],
        known: Mapping[str, Callable[[Checkpoint], Any]] = MappingProxyType({}),
    ) -> None:
        checkpoint = load_checkpoint(find_checkpoint(name))
        self.recipe: Any = check_recipe(checkpoint.recipe)
        for wanted, find in known.items():
            setattr(self, wanted, find(checkpoint))
        self._load, self._name = load, name
        self._lock, self._loaded = threading.Lock(), None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loaded(), name)

    def loaded(self) -> Any:
        """Return the system, loaded by the first who asks.

        Raises:
            CinnError: if it cannot be loaded; the next who asks may have better luck.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load(self._name)
            return self._loaded


def load_deferred(systems: Iterable[Any]) -> None:
    """Load what has been deferred, in a thread of its own, before anyone must wait for it.

    Who stops the program meanwhile waits for its end: torch must not be torn away from a thread that is in it.
    """

    def load() -> None:
        for system in systems:
            if isinstance(system, Deferred):
                try:
                    system.loaded()
                except CinnError as error:
                    print(error, flush=True)  # as is said to whoever asks for it

    threading.Thread(target=load, name="load-deferred").start()
