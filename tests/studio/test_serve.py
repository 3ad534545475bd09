"""Reasons why the studio does not start, and its messages."""

import shutil
import socket
from pathlib import Path

import pytest

from cinn_app import Colorizer, DigitGenerator, checkpoints
from cinn_app.errors import CheckpointError, CinnError, DeviceError
from cinn_app.studio import room
from cinn_app.studio.room import load_models
from cinn_app.studio.serving import serve


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CinnError, match=f"^Port {port} is in use: stop the program that uses it, or choose"):
            serve(port=port, model="not even looked for")


def test_an_address_of_another_computer_is_refused() -> None:
    with pytest.raises(CinnError, match=r"^192\.0\.2\.1 is no address of this computer: use 127\.0\.0\.1"):
        serve(host="192.0.2.1", model="not even looked for")


def test_a_missing_model_is_named(free_port: int) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at nowhere"):
        serve(port=free_port, model="nowhere")


def test_a_device_that_cannot_be_used_ends_the_studio_before_there_are_visitors(
    shipped: Path, tiny_checkpoint: Path, tiny_digits_checkpoint: Path
) -> None:
    shutil.copy(tiny_checkpoint, shipped / "colorize.safetensors")
    shutil.copy(tiny_digits_checkpoint, shipped / "digits.safetensors")
    for absent in ("cuda:7", "mps"):
        with pytest.raises(DeviceError, match=f"'{absent}' is not present on this machine"):
            load_models(device=absent)
    assert list(load_models(device="cpu")) == ["colorization", "digits"]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which checkpoints are looked for."""
    for module in (checkpoints, room):
        monkeypatch.setattr(module, "shipped_checkpoints", lambda: tmp_path)
    return tmp_path


def test_each_installed_model_gets_its_tab(
    shipped: Path, tiny_digits_checkpoint: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(tiny_digits_checkpoint, shipped / "digits.safetensors")
    assert list(load_models()) == ["digits"]
    assert capsys.readouterr().out == ""  # a system without a model is no problem

    models = load_models(str(tiny_checkpoint))
    assert list(models) == ["colorization", "digits"]
    assert isinstance(models["colorization"].loaded(), Colorizer) and isinstance(models["digits"], DigitGenerator)

    shutil.copy(tiny_checkpoint, shipped / "colorize.safetensors")
    assert list(load_models()) == ["colorization", "digits"]
    assert list(load_models(str(tiny_digits_checkpoint))) == ["digits", "colorization"]  # its tab opens first
    assert list(load_models("digits")) == ["digits", "colorization"]


def test_a_damaged_model_leaves_the_other_tab(
    shipped: Path, tiny_digits_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shipped / "colorize.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"colorize\.safetensors is damaged"):
        load_models()
    shutil.copy(tiny_digits_checkpoint, shipped / "digits.safetensors")
    capsys.readouterr()
    assert list(load_models()) == ["digits"]
    assert "The tab Colour is missing: The checkpoint" in capsys.readouterr().out


def test_without_any_model_there_is_no_studio(shipped: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint at colorize"):
        load_models()
