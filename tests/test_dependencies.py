"""What an installation brings, as far as the packages that are installed here tell."""

import importlib.metadata
import itertools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def brought(*extras: str) -> set[str]:
    """Return the distributions that pip installs."""
    waiting = [*PROJECT["dependencies"], *(needed for extra in extras for needed in EXTRAS[extra])]
    found: set[str] = set()
    while waiting:
        needed = Requirement(waiting.pop())
        name = canonicalize_name(needed.name)
        if name == "cinn-app":
            waiting += [each for extra in needed.extras for each in EXTRAS[extra]]
        elif name not in found and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += importlib.metadata.requires(name) or []
    return found


def needs_another_torch(name: str) -> bool:
    """Return whether the lowest torch that this package takes is not enough for another one."""
    lowest = next(one.removeprefix("torch>=") for one in PROJECT["dependencies"] if one.startswith("torch>="))
    needed = map(Requirement, importlib.metadata.requires(name) or [])
    return any(one.name == "torch" and not one.specifier.contains(lowest) for one in needed)


@pytest.mark.parametrize("extras", [(), ("studio",), ("studio", "mcp", "plots", "parquet")], ids=str)
def test_an_installation_beside_a_torch_leaves_it_alone(extras: tuple[str, ...]) -> None:
    """A package that needs a newer one, as each new torchvision does, would replace it."""
    assert "torch" in brought(*extras)
    assert not [name for name in brought(*extras) if needs_another_torch(name)]
    assert needs_another_torch("torchvision") and "torchvision" in brought("all")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("gradio_workarounds", "gradio"),
        ("libtiff", "pillow"),
        ("connections", "uvicorn"),
        ("main", "typer"),
        ("callbacks", "lightning"),
    ],
)
def test_the_next_major_version_is_excluded_where_private_parts_are_used(module: str, name: str) -> None:
    assert list(ROOT.glob(f"cinn_app/**/{module}.py"))
    every = map(Requirement, (*PROJECT["dependencies"], *itertools.chain(*EXTRAS.values())))
    (bounds,) = {str(one.specifier): one.specifier for one in every if one.name == name}.values()
    present = importlib.metadata.version(name)
    assert bounds.contains(present) and not bounds.contains(f"{int(present.partition('.')[0]) + 1}.0")


def test_pythons_that_are_tested_are_those_that_are_allowed() -> None:
    assert PROJECT["requires-python"] == ">=3.11,<3.15"
    readme, makefile = ((ROOT / name).read_text("utf-8") for name in ("README.md", "Makefile"))
    assert "Python 3.11 to 3.14" in readme and "(3, 11) <= sys.version_info[:2] < (3, 15)" in makefile
    assert re.search(r"Python 3\.11 to 3\.14", (ROOT / "docs" / "platforms.md").read_text("utf-8"))
