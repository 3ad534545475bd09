"""Systems that are loaded behind the page."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cinn_app import Colorizer
from cinn_app.errors import CheckpointError
from cinn_app.studio.server.loading import Deferred, load_deferred
from cinn_app.systems.colorization.recipe import ColorizationRecipe


def test_the_recipe_is_there_at_once_and_the_rest_when_it_is_asked_for(tiny_checkpoint: Path) -> None:
    loads: list[str] = []

    def load(name: str) -> Colorizer:
        loads.append(name)
        return Colorizer.load(name, "cpu")

    deferred = Deferred(load, str(tiny_checkpoint), ColorizationRecipe)
    assert deferred.recipe == Colorizer.load(tiny_checkpoint, "cpu").recipe
    assert loads == []
    asking = [threading.Thread(target=deferred.temperatures, args=(0.8,)) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert loads == [str(tiny_checkpoint)]  # by one, for all
    with pytest.raises(AttributeError, match="paint_the_fence"):
        _ = deferred.paint_the_fence


def test_what_cannot_be_loaded_says_so_to_whoever_asks_and_may_be_mended(tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    shutil.copy(tiny_checkpoint, path)
    deferred = Deferred(Colorizer.load, str(path), ColorizationRecipe)
    path.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="is damaged"):
        _ = deferred.model
    shutil.copy(tiny_checkpoint, path)
    assert deferred.model is not None


def test_what_can_be_known_before_is_refused_at_once(tiny_digits_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="made for digits, not for colorization"):
        Deferred(Colorizer.load, str(tiny_digits_checkpoint), ColorizationRecipe)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        Deferred(Colorizer.load, str(tmp_path / "nowhere"), ColorizationRecipe)


def test_the_page_does_not_wait_for_the_slowest_imports() -> None:
    statement = "import cinn_app.studio.serving, sys; print(*{'timm', 'torchvision', 'lightning'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_importing_the_studio_leaves_classes_where_they_are() -> None:
    statement = "import cinn_app.studio, inspect; print(inspect.getfile(cinn_app.studio.gradio.Blocks))"
    result = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("blocks.py")


def test_loading_goes_on_behind_the_page(tiny_checkpoint: Path) -> None:
    done = threading.Event()

    def load(name: str) -> str:
        done.set()
        return name

    load_deferred([Deferred(load, str(tiny_checkpoint), ColorizationRecipe), object()])
    assert done.wait(60)
