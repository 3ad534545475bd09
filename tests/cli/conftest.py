"""The command line as users run it: arguments in, exit code and two streams out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest
from PIL import Image

from cinn_app import trained_model
from cinn_app.checkpoints import find_checkpoint
from cinn_app.cli.main import run
from cinn_app.trained_model import TrainedModel


class Result(NamedTuple):
    """The result of a run of `cinn`."""

    code: int
    out: str
    err: str


Cinn: TypeAlias = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def load_once() -> Iterator[None]:
    """Load each checkpoint once for all runs, as long as its file, and what is taken for a device, stay as they are."""
    load, loaded = TrainedModel.load.__func__, {}

    def load_cached(cls: type[TrainedModel], name: str | Path = "", device: str = "auto") -> TrainedModel:
        path = find_checkpoint(name or cls.system().default_model)
        key = (cls, path.resolve(), path.stat().st_mtime_ns, device, trained_model.choose_device)
        if key not in loaded:
            loaded[key] = load(cls, name, device)
        return loaded[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainedModel, "load", classmethod(load_cached))
        yield


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder of its own, where relative paths and default outputs go."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cinn(capsys: pytest.CaptureFixture[str]) -> Cinn:
    """Run the entry point, so that its handling of errors is tested, too."""

    def invoke(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            run([str(argument) for argument in arguments])
        assert isinstance(exited.value.code, int)
        return Result(exited.value.code, *capsys.readouterr())

    return invoke


@pytest.fixture
def colorize(cinn: Cinn, tiny_checkpoint: Path) -> Cinn:
    """Run `cinn colorize` with the tiny model."""
    return lambda *arguments: cinn("colorize", "--model", tiny_checkpoint, "--device", "cpu", *arguments)


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Make a picture file, gray unless `mode` says otherwise, and the folders above it."""

    def make(path: str | Path, mode: str = "L", size: tuple[int, int] = (24, 16), **options: object) -> Path:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = size
        gray = np.add.outer(np.arange(height) * 5, np.arange(width) * 3).astype(np.uint8)
        # Not by convert: a colour picture should have colours.
        content = np.stack([gray, gray // 2, 255 - gray], -1) if mode == "RGB" else gray
        Image.fromarray(content).save(path, **options)
        return path

    return make
