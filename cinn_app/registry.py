"""The systems that are installed: what each consists of, and where to import it from.

A system is a sub-package of `cinn_app.systems` that defines ``SYSTEM``, or what another distribution names under the
entry point group ``cinn_app.systems``. Nothing of a system is imported before it is needed: a :class:`System` holds
import paths such as ``"cinn_app.systems.digits.generator:DigitGenerator"``.

>>> systems()["digits"].needs_data
False
>>> systems()["digits"].load("trained_model").__name__
'DigitGenerator'
"""

import dataclasses
import functools
import importlib
import importlib.metadata
import logging
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cinn_app.errors import CinnError

__all__ = ["ENTRY_POINTS", "Command", "System", "exported", "import_object", "room_folders", "systems"]

#: Other distributions name their systems under this entry point group.
ENTRY_POINTS = "cinn_app.systems"
LOG = logging.getLogger(__name__)

Part: TypeAlias = Literal["recipe", "trained_model", "training", "evaluation", "figures", "room"]


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of `cinn`, imported when it runs.

    Attributes:
        name: on the command line.
        target: import path of a function, or of a :class:`typer.Typer` with subcommands.
        summary: the first sentence of its help.
    """

    name: str
    target: str
    summary: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class System:
    """What the program knows of a system before any of its code is imported.

    Attributes:
        name: ``system = "..."`` in recipes.
        recipe: import path of the schema, a subclass of :class:`cinn_app.recipes.Recipe`.
        trained_model: import path of the class that users hold, a subclass of
            :class:`cinn_app.trained_model.TrainedModel`.
        training: import path of a function ``(recipe, setup) -> Trainable``, see :mod:`cinn_app.training.trainable`.
        evaluation: import path of a function ``(trained_model, data, ...) -> Evaluation``, see
            :mod:`cinn_app.evaluation`.
        figures: import path of what reports call its figures, a sequence of :class:`cinn_app.figures.Group`, in a
            module that is quick to import; empty for their plain names.
        room: import path of the studio's tab, see :mod:`cinn_app.studio.room`; empty without one.
        commands: the system's own commands.
        exports: names that ``cinn_app`` itself offers, with their import paths.
        default_model: name of the checkpoint that ships.
        needs_data: whether training and evaluation need ``--data``.
        data: what ``--data`` takes, for help and errors.
        primary_figure: key of the figure that says how good a checkpoint is.
        order: systems with lower numbers come first in lists and tabs.
    """

    name: str
    recipe: str
    trained_model: str
    training: str
    evaluation: str
    default_model: str
    primary_figure: str
    needs_data: bool = True
    data: str = "folders, tar archives and pictures"
    figures: str = ""
    room: str = ""
    commands: tuple[Command, ...] = ()
    exports: Mapping[str, str] = dataclasses.field(default_factory=dict)
    order: int = 100

    def load(self, part: Part) -> Any:
        """Import a part of the system."""
        return import_object(getattr(self, part))


@functools.cache
def systems() -> dict[str, System]:
    """Return the installed systems by name, in their order.

    A system that cannot be imported is left out, with a warning that names its package.
    """
    import cinn_app.systems as folder

    modules = [one.name for one in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}.") if one.ispkg]
    sources: list[tuple[str, Callable[[], Any]]]
    sources = [(module, functools.partial(import_object, f"{module}:SYSTEM")) for module in modules]
    entries = importlib.metadata.entry_points(group=ENTRY_POINTS)
    sources += [(entry.dist.name if entry.dist else entry.value, entry.load) for entry in entries]
    found: dict[str, System] = {}
    for package, load in sources:
        try:
            system = load()
            if not isinstance(system, System):
                raise TypeError(f"{system!r} is not a System")
            if system.name in found:
                raise ValueError(f"another package has a system named {system.name!r}")
        except Exception as error:
            LOG.warning("The system in %s is left out (%s): update or uninstall that package.", package, error)
        else:
            found[system.name] = system
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def exported(name: str) -> Any:
    """Import what a system exports under a name.

    Raises:
        AttributeError: if no system does.
    """
    for system in systems().values():
        if name in system.exports:
            return import_object(system.exports[name])
    raise AttributeError(f"module 'cinn_app' has no attribute {name!r}")


def room_folders() -> list[Path]:
    """Return the folders of the systems' rooms, where their style sheets and texts are, without importing the rooms."""
    modules = [system.room.partition(":")[0] for system in systems().values() if system.room]
    return [Path(importlib.import_module(module.rpartition(".")[0]).__path__[0]) for module in modules]


def import_object(path: str) -> Any:
    """Import ``"package.module:attribute"``.

    Raises:
        CinnError: if there is no such object, or its module cannot be imported.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise CinnError(
            "{path} cannot be imported ({error}): update or uninstall the package {package}.",
            path=path,
            error=error,
            package=module.partition(".")[0],
        ) from error
