"""Rooms: found by the registry, and models that are loaded behind the page."""

import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import safetensors

from cinn_app import Colorizer, checkpoints, registry
from cinn_app.errors import CheckpointError
from cinn_app.registry import System, room_folders
from cinn_app.studio import room
from cinn_app.studio.page import build
from cinn_app.studio.room import DeferredModel, Room, load_in_background, load_models


def deferred(path: Path, load: Any = Colorizer.load) -> DeferredModel:
    return DeferredModel(path, load, Colorizer.check_recipe, {"data": lambda header: header.data})


def test_weights_are_loaded_for_the_first_attribute_that_the_header_lacks(
    tiny_checkpoint: Path,
) -> None:
    loads: list[Path] = []

    def load(path: Path) -> Colorizer:
        loads.append(path)
        return Colorizer.load(path, "cpu")

    model = deferred(tiny_checkpoint, load)
    assert model.recipe == Colorizer.load(tiny_checkpoint, "cpu").recipe and model.data == ["noise"]
    assert loads == []
    threads = [threading.Thread(target=model.temperatures, args=(0.8,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == [tiny_checkpoint]  # once for all threads
    with pytest.raises(AttributeError, match="paint_the_fence"):
        _ = model.paint_the_fence


def test_weights_are_read_and_hashed_once(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, hashed = [], []
    safe_open, sha256 = safetensors.safe_open, hashlib.sha256

    class Opened:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.file = safe_open(*arguments, **options)

        def __enter__(self) -> Any:
            self.file.__enter__()
            return self

        def __exit__(self, *error: Any) -> None:
            self.file.__exit__(*error)

        def metadata(self) -> Any:
            return self.file.metadata()

        def keys(self) -> Any:
            return self.file.keys()

        def get_tensor(self, name: str) -> Any:
            opened.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr(safetensors, "safe_open", Opened)

    def counted(data: bytes = b"") -> Any:
        if not data.startswith(b'[{"cinn_app"'):  # the header has a digest of its own
            hashed.append(data)
        return sha256(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    model = deferred(tiny_checkpoint)
    assert not opened and not hashed
    names = set(model.loaded().checkpoint.weights)
    assert sorted(opened) == sorted(names) and len(hashed) == 1


def test_a_model_that_cannot_be_loaded_raises_each_time_until_it_can(tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    shutil.copy(tiny_checkpoint, path)
    model = deferred(path)
    path.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="is damaged"):
        _ = model.model
    shutil.copy(tiny_checkpoint, path)
    assert model.model is not None


def test_a_foreign_or_missing_checkpoint_is_refused_at_once(tiny_digits_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="made for digits, not for colorization"):
        deferred(tiny_digits_checkpoint)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        deferred(tmp_path / "nowhere")


def test_models_are_loaded_behind_the_page(tiny_checkpoint: Path) -> None:
    done = threading.Event()
    load_in_background([deferred(tiny_checkpoint, lambda path: done.set()), object()])
    assert done.wait(60)


def test_the_page_does_not_wait_for_the_slowest_imports() -> None:
    statement = "import cinn_app.studio.serving, sys; print(*{'timm', 'torchvision', 'lightning'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def scribble(length: int = 3) -> str:
    """Write a line.

    Args:
        length: Of the line.

    Returns:
        line: The line.
    """
    return "~" * length


class ToyApi:
    def __init__(self, model: Any) -> None:
        self.endpoints = (scribble,)

    def axes(self) -> list[str]:
        return ["length"]


class ToyModel:
    recipe = SimpleNamespace(name="toy", licence="Toys & <games>")

    @staticmethod
    def load(path: Path, device: str = "auto") -> "ToyModel":
        return ToyModel()


class ToySystem(System):
    def load(self, part: str) -> Any:
        room = Room(title="Toys", tab=lambda model: gr.Markdown("A toy"), api=ToyApi)
        return {"trained_model": ToyModel, "room": room}[part]


def test_a_system_of_another_package_has_its_tab_and_its_endpoints(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = dict.fromkeys(("recipe", "trained_model", "training", "evaluation", "room", "primary_figure"), "elsewhere:")
    toy = ToySystem(name="toy", default_model=str(tiny_checkpoint), **paths)
    monkeypatch.setattr(room, "systems", lambda: {**registry.systems(), "toy": toy})
    for module in (checkpoints, room):
        monkeypatch.setattr(module, "shipped_checkpoints", lambda: tmp_path)
    models = load_models()
    assert list(models) == ["toy"]
    config = build(models).config
    values, labels = ([one["props"].get(key) for one in config["components"]] for key in ("value", "label"))
    assert "A toy" in values and "Toys" in labels
    assert any("your own. The weights of the models: <span>toy: Toys &amp; &lt;games&gt;" in str(v) for v in values)
    assert {"scribble", "models"} <= {event["api_name"] for event in config["dependencies"]}


def test_a_room_that_cannot_be_imported_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = dataclasses.replace(registry.systems()["digits"], name="broken", room="elsewhere.room:ROOM")
    monkeypatch.setattr(room, "systems", lambda: {"broken": broken, **registry.systems()})
    assert list(room.rooms()) == list(registry.systems())
    assert (
        "The studio's room of broken is left out: elsewhere.room:ROOM cannot be imported (No module named"
        in caplog.text
    )


def test_rooms_style_no_classes_of_each_other() -> None:
    """All style sheets are in one page: a rule of a bare class also styles what another room calls so."""
    rooms = Counter[str]()
    for folder in room_folders():
        css = re.sub(r"/\*.*?\*/", "", (folder / "tab.css").read_text(encoding="utf-8"), flags=re.DOTALL)
        selectors = ",".join(re.findall(r"([^{}]+)\{", css))
        rooms.update(set(re.findall(r"(?:^|,)\s*\.([\w-]+)", selectors)) - {"form"})  # which is gradio's
    assert [name for name, count in rooms.items() if count > 1] == []
