"""A system's room in the studio, and the models that the rooms share."""

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cinn_app.checkpoints import CheckpointHeader, find_checkpoint, read_header, shipped_checkpoints
from cinn_app.errors import CheckpointError, CinnError, DeviceError
from cinn_app.registry import System, systems
from cinn_app.studio.endpoints import Api
from cinn_app.studio.metrics import measure

__all__ = ["DeferredModel", "Room", "load_in_background", "load_models", "rooms"]

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Room:
    """A tab of the page, and its endpoints for programs.

    `tab.css` and `head.html` in the folder of the room, if there are any, are parts of the page's head.

    Attributes:
        title: of the tab, marked by :func:`cinn_app.studio.language.later`.
        tab: lays the tab out in the page that is being built, for a model that all visitors share.
        api: builds the endpoints for the model.
        header_attributes: what the tab needs of the model before its weights are loaded, beside ``recipe``: how to
            find each attribute in the checkpoint's header. The page is then shown before the weights are loaded.
            By default the model is loaded first.
        ahead: whether the weights are then loaded behind the page as soon as it is shown, or when a visitor needs them.
        measured: names of the model's methods that `/metrics` counts, see :func:`cinn_app.studio.metrics.measure`.
    """

    title: str
    tab: Callable[[Any], Any]
    api: Callable[[Any], Api]
    header_attributes: Mapping[str, Callable[[CheckpointHeader], Any]] | None = None
    ahead: bool = True
    measured: tuple[str, ...] = ()


def rooms() -> dict[str, Room]:
    """Return the rooms of all systems that have one, by the system's name, in the order of their tabs.

    A room that cannot be imported is left out, with a warning.
    """
    found = {}
    for name, system in systems().items():
        try:
            if system.room:
                found[name] = system.load("room")
        except Exception as error:
            LOG.warning("The studio's room of %s is left out: %s", name, error)
    return found


class DeferredModel:
    """A trained model whose weights are loaded when the first attribute is needed that the header does not give.

    Args:
        path: of the checkpoint.
        load: loads the model from the path.
        check_recipe: refuses the recipe of another system.
        header_attributes, ahead: see :class:`Room`.

    Raises:
        CheckpointError: if the checkpoint is missing, truncated, foreign, too new, or of another system.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], Any],
        check_recipe: Callable[[Any], Any],
        header_attributes: Mapping[str, Callable[[CheckpointHeader], Any]],
        ahead: bool = True,
    ) -> None:
        header = read_header(path)
        self.recipe: Any = check_recipe(header.recipe)
        for name, find in header_attributes.items():
            setattr(self, name, find(header))
        self.ahead, self._path, self._load = ahead, path, load
        self._lock, self._model = threading.Lock(), None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loaded(), name)

    def loaded(self) -> Any:
        """Return the model; the first call loads it, and calls meanwhile wait.

        Raises:
            CinnError: if it cannot be loaded; the next call tries again.
        """
        with self._lock:
            if self._model is None:
                self._model = self._load(self._path)
            return self._model


def load_in_background(models: Iterable[Any]) -> None:
    """Load the deferred models that are to be ready ahead of visitors, in a thread of its own.

    The program waits for this thread when it ends: torch must not be unloaded under it.
    """

    def load() -> None:
        for model in models:
            if isinstance(model, DeferredModel) and model.ahead:
                try:
                    model.loaded()
                except CinnError as error:
                    print(error, flush=True)  # visitors will get the same sentence

    threading.Thread(target=load, name="load-models").start()


def load_models(name: str | None = None, device: str = "auto") -> dict[str, Any]:
    """Load the model of each room, or only its header where the room allows it, and no GPU was named.

    Args:
        name: of an installed model, or path of a checkpoint, that replaces its system's default model.
        device: a name for :func:`cinn_app.devices.choose_device`.

    Returns:
        The models by the names of their systems: that of the given model first, the others in the order of their tabs.

    Raises:
        CinnError: if the given model cannot be loaded or has no room; without one, if no model can be loaded.
        DeviceError: if the device is unknown, or cannot be used.
    """
    known, present, loaded, failures = systems(), rooms(), dict[str, Any](), []
    if name is not None:
        path = find_checkpoint(name)
        given = read_header(path).recipe.system
        if given not in present:
            raise CheckpointError(
                "The studio has no room for {system}: give a model of {known}.", system=given, known=", ".join(present)
            )
        loaded[given] = _load(known[given], present[given], path, device)
    for system, room in present.items():
        if system in loaded:
            continue
        default = known[system].default_model
        try:
            loaded[system] = _load(known[system], room, find_checkpoint(default), device)
        except DeviceError:
            raise
        except CinnError as error:
            failures.append(error)
            if (shipped_checkpoints() / f"{default}.safetensors").exists():
                print(f"The tab {room.title} is missing: {error}", flush=True)
    if not loaded:
        raise failures[0]
    return loaded


def _load(system: System, room: Room, path: Path, device: str) -> Any:
    trained_model = system.load("trained_model")

    def load(path: Path) -> Any:
        return measure(trained_model.load(path, device), system.name, room.measured)

    if room.header_attributes is None:
        return load(path)
    model = DeferredModel(path, load, trained_model.check_recipe, room.header_attributes, room.ahead)
    if device not in ("auto", "cpu"):
        model.loaded()  # a device that was named has to work, and shows it before there are visitors
    return model
