"""The import contracts hold, violations are found, and nothing heavy is loaded before it is needed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT_IMPORTS, "--no-logo", "--no-cache"], cwd=folder, capture_output=True, text=True)


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after a statement."""
    show = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", f"{statement}; {show}"], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_every_import_goes_down() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("flows/pyramid.py", "import cinn_app.systems.colorization.colorizer"),
        ("flows/pyramid.py", "import numpy"),
        ("imaging/pixels.py", "import cinn_app.nn.efficientnet"),
        ("data/sources.py", "import cinn_app.recipes"),
        ("cli/models.py", "import cinn_app.studio"),
        ("studio/__init__.py", "import cinn_app.cli.main"),
        ("studio/room.py", "import typer"),
        ("training/run.py", "import cinn_app.systems.digits.training"),
        ("registry.py", "import cinn_app.systems.digits.recipe"),
        ("systems/digits/model.py", "import cinn_app.systems.colorization.model"),
        ("systems/digits/model.py", "import cinn_app.systems.digits.commands"),
        ("systems/digits/figures.py", "import cinn_app.systems.digits.model"),
        ("systems/colorization/recipe.py", "import torch"),
        ("systems/colorization/colorizer.py", "import gradio"),
        ("garden/__init__.py", ""),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, importer: str, statement: str) -> None:
    shutil.copytree(ROOT / "cinn_app", tmp_path / "cinn_app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "cinn_app" / importer
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as code:
        code.write(f"\n{statement}\n")
    result = lint_imports(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr


@pytest.mark.slow
def test_a_notebook_gets_no_front_end() -> None:
    assert not loaded_by("from cinn_app import Colorizer") & {"gradio", "typer", "lightning", "tensorboard"}
