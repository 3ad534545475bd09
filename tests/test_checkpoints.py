"""Checkpoints: saving and loading, and damaged, foreign and too new files."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from cinn_app.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from cinn_app.errors import CheckpointError
from cinn_app.systems.colorization.colorizer import Colorizer


def rewritten(source: Path, target: Path, **metadata: str | None) -> Path:
    """Copy a checkpoint with some of its metadata changed, or removed by None."""
    with safetensors.safe_open(source, framework="pt") as file:
        content = {**file.metadata(), **metadata}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    safetensors.torch.save_file(weights, target, {k: v for k, v in content.items() if v is not None})
    return target


def test_saving_and_loading(tiny_checkpoint: Path, tmp_path: Path) -> None:
    first = load_checkpoint(tiny_checkpoint)
    save_checkpoint(tmp_path / "again.safetensors", first)
    second = load_checkpoint(tmp_path / "again.safetensors")
    assert second.recipe == first.recipe
    assert second.figures == first.figures == {"held_out_bits_per_dim": 5.25}
    assert second.data == ["noise"]
    assert all(torch.equal(second.weights[name], value) for name, value in first.weights.items())


def test_half_precision_changes_weights_by_its_rounding_at_most(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    weights = {name: torch.randn(40, 3) for name in ("a", "b")}
    save_checkpoint(tmp_path / "w.safetensors", Checkpoint(checkpoint.recipe, weights, {}, []))
    loaded = load_checkpoint(tmp_path / "w.safetensors").weights
    for name, value in weights.items():
        torch.testing.assert_close(loaded[name], value, rtol=2**-10, atol=1e-7)


def test_damage_is_noticed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    content = bytearray(tiny_checkpoint.read_bytes())
    content[-1000] ^= 0xFF
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(content)
    with pytest.raises(CheckpointError, match="do not match their digest"):
        load_checkpoint(damaged)


@pytest.mark.parametrize("length", [0, 5, 2000, -100])
def test_truncation_is_noticed(tiny_checkpoint: Path, tmp_path: Path, length: int) -> None:
    short = tmp_path / "short.safetensors"
    short.write_bytes(tiny_checkpoint.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged, truncated or not a safetensors"):
        load_checkpoint(short)


def test_other_files_are_refused_with_their_reason(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "missing.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, foreign)
    with pytest.raises(CheckpointError, match="of another program"):
        load_checkpoint(foreign)
    newer = rewritten(tiny_checkpoint, tmp_path / "newer.safetensors", cinn_app="99")
    with pytest.raises(CheckpointError, match=r"format 99, newer .* update cinn-app"):
        load_checkpoint(newer)
    odd = rewritten(tiny_checkpoint, tmp_path / "odd.safetensors", recipe=json.dumps({"name": "odd"}))
    with pytest.raises(CheckpointError, match="cannot be read by this program"):
        load_checkpoint(odd)


def test_a_colorizer_of_the_first_version_is_refused_with_advice(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = json.loads(load_checkpoint(tiny_checkpoint).recipe.model_dump_json())
    for key in ("decoder_widths", "decoder_blocks", "dropout", "split_width", "split_layers", "tree_layers"):
        del recipe["architecture"][key]
    recipe["architecture"] |= {"pyramid_widths": [8] * 5, "pyramid_blocks": [0] * 5, "couplings": [2] * 4}
    recipe["sampling"] |= {"tint": [3.3, 4.7], "vividness": 2.6}
    old = rewritten(tiny_checkpoint, tmp_path / "old.safetensors", recipe=json.dumps(recipe))
    with pytest.raises(CheckpointError) as error:
        Colorizer.load(old, "cpu")
    assert str(error.value) == (
        f"The checkpoint {old} cannot be read by this program: The recipe in it is of version 0.1, which did not draw "
        "colours thing by thing: take the model that came with this program, or train one with models/colorize.toml."
    )


def test_weights_that_do_not_fit_the_recipe_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    weights = dict(checkpoint.weights)
    weights.pop("decoder.mean.1.weight")
    path = tmp_path / "unfit.safetensors"
    save_checkpoint(path, Checkpoint(checkpoint.recipe, weights, {}, []))
    with pytest.raises(CheckpointError, match="do not fit its recipe"):
        Colorizer.load(path, "cpu")


def test_weights_beyond_half_precision_are_not_written(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = load_checkpoint(tiny_checkpoint).recipe
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(tmp_path / "inf.safetensors", Checkpoint(recipe, {"w": torch.tensor([1e9])}, {}, []))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.safetensors"
    target.write_bytes(tiny_checkpoint.read_bytes())

    def limit() -> None:  # stands for a full disk: no file may grow beyond 64 KiB
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

    code = (
        "import sys; from pathlib import Path; from cinn_app.checkpoints import *; from cinn_app.errors import *\n"
        "p = Path(sys.argv[1])\n"
        "try: save_checkpoint(p, load_checkpoint(p))\n"
        "except CheckpointError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(target)], preexec_fn=limit, capture_output=True, text=True, check=True
    )
    assert "cannot be written" in result.stdout
    assert target.read_bytes() == tiny_checkpoint.read_bytes()
    assert list(tmp_path.iterdir()) == [target]
