"""Checkpoints: saving and loading, and damaged, foreign and too new files."""

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinn_app import checkpoints
from cinn_app.checkpoints import Checkpoint, installed_models, load_checkpoint, read_header, save_checkpoint
from cinn_app.errors import CheckpointError
from cinn_app.systems.colorization.colorizer import Colorizer


def rewritten(source: Path, target: Path, **metadata: str | None) -> Path:
    """Copy a checkpoint with some of its metadata changed, or removed by None, and no digest that notices it."""
    with safetensors.safe_open(source, framework="pt") as file:
        content = {**file.metadata(), "header_digest": None, **metadata}
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


def test_single_precision_keeps_every_digit(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    weights = {
        name: value * 1e6 / 3 if value.is_floating_point() else value for name, value in checkpoint.weights.items()
    }
    save_checkpoint(tmp_path / "m.safetensors", dataclasses.replace(checkpoint, weights=weights), half=False)
    again = load_checkpoint(tmp_path / "m.safetensors").weights
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_weights_beyond_half_precision_are_not_written(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = load_checkpoint(tiny_checkpoint).recipe
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(tmp_path / "inf.safetensors", Checkpoint(recipe, {"w": torch.tensor([1e9])}, {}, []))
    assert list(tmp_path.iterdir()) == []


KEYS = ["recipe", "figures", "data", "details", "digest", "cinn_app"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FUZZ = settings(
    max_examples=500, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def load_odd(path: Path, content: bytes) -> Checkpoint | None:
    """Load what may be no checkpoint, or check that one sentence refuses it."""
    path.write_bytes(content)
    try:
        return load_checkpoint(path)
    except CheckpointError as error:
        sentence = str(error)
        assert sentence.isprintable() and sentence.endswith(".") and len(sentence) < 2000
        return None


@pytest.fixture(scope="module")
def small(tiny_digits_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint of few weights."""
    whole = load_checkpoint(tiny_digits_checkpoint)
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    weights = {"axes": torch.ones(2, 3), "count": torch.tensor(7)}
    save_checkpoint(path, Checkpoint(whole.recipe, weights, {"steps": 3}, ["noise"], {"axes": [["slant", 0.5]]}))
    return path.read_bytes()


@FUZZ
@given(st.data())
def test_damaged_bytes_of_the_header_are_one_sentence_or_change_nothing(
    small: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    content, length = bytearray(small), int.from_bytes(small[:8], "little")
    change = data.draw(st.sampled_from(["byte", "length", "insert", "cut"]))
    place = data.draw(st.integers(0, 7 if change == "length" else length + 7))
    if change == "insert":
        content[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    elif change == "cut":
        del content[place : place + data.draw(st.integers(1, 100))]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    if (found := load_odd(tmp_path / "damaged.safetensors", content)) is not None:
        (tmp_path / "whole.safetensors").write_bytes(small)
        whole = load_checkpoint(tmp_path / "whole.safetensors")
        assert {name: value.tolist() for name, value in found.weights.items()} == {
            name: value.tolist() for name, value in whole.weights.items()
        }
        assert dataclasses.replace(found, weights={}) == dataclasses.replace(whole, weights={})


@FUZZ
@given(st.data())
def test_odd_values_in_the_header_are_one_sentence(small: bytes, tmp_path: Path, data: st.DataObject) -> None:
    length = int.from_bytes(small[:8], "little")
    header = json.loads(small[8 : 8 + length])
    metadata = header["__metadata__"]
    del metadata["header_digest"]  # so that each value counts
    key = data.draw(st.sampled_from([*KEYS, "__metadata__", "tensor", "shape"]))
    odd = data.draw(JSON)
    if key == "recipe":
        recipe = json.loads(metadata["recipe"])
        place = recipe
        while isinstance(place, dict) and (name := data.draw(st.sampled_from(sorted(place)))):
            if not isinstance(place[name], dict) or data.draw(st.booleans()):
                place[name] = odd
                break
            place = place[name]
        metadata["recipe"] = json.dumps(recipe)
    elif key in KEYS:
        metadata[key] = data.draw(st.sampled_from([json.dumps(odd), odd]))
    elif key == "tensor":
        header["axes"] = odd
    elif key == "shape":
        header["axes"]["shape"] = odd
    else:
        header[key] = odd
    new = json.dumps(header).encode()
    load_odd(tmp_path / "odd.safetensors", len(new).to_bytes(8, "little") + new + small[8 + length :])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("figures", '{"steps": NaN}'),
        ("figures", '{"steps": Infinity}'),
        ("figures", '{"steps": 1' + 400 * "0" + "}"),
        ("figures", '{"steps": "many"}'),
        ("figures", "[1, 2]"),
        ("figures", '{"\\u001b[2J": 1}'),
        ("data", '["Grandma\\nAll rights reserved"]'),
        ("data", '"noise"'),
        ("data", json.dumps(["a" * 501])),
        ("details", "[" * 100_000),
        ("details", json.dumps({"axes": "a\u202eb"})),
        ("details", '{"a": [[[[[[[[[1]]]]]]]]]}'),
        ("cinn_app", "\u00b2"),
        ("cinn_app", "9" * 5000),
        ("colour", "red"),
    ],
)
def test_values_without_bounds_are_refused(tiny_checkpoint: Path, tmp_path: Path, key: str, value: str) -> None:
    odd = rewritten(tiny_checkpoint, tmp_path / "odd.safetensors", **{key: value})
    assert load_odd(odd, odd.read_bytes()) is None


def test_the_digest_covers_the_header_and_files_without_one_are_read(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with safetensors.safe_open(tiny_checkpoint, framework="np") as file:
        digest = file.metadata()["header_digest"]
    changed = rewritten(tiny_checkpoint, tmp_path / "changed.safetensors", data='["music"]', header_digest=digest)
    with pytest.raises(CheckpointError, match="its header does not match its digest"):
        read_header(changed)
    old = rewritten(tiny_checkpoint, tmp_path / "old.safetensors", details=None)
    assert read_header(old).figures == {"held_out_bits_per_dim": 5.25}


def test_a_model_that_would_fill_the_memory_is_refused_before_it_does(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_checkpoint(tiny_checkpoint)
    recipe = json.loads(first.recipe.model_dump_json())
    recipe["architecture"]["decoder_widths"] = [8192] * 3  # 20 GB
    large = rewritten(tiny_checkpoint, tmp_path / "large.safetensors", recipe=json.dumps(recipe))
    with pytest.raises(CheckpointError, match="do not fit its recipe"):
        Colorizer.load(large, "cpu")
    monkeypatch.setattr(checkpoints, "MAX_WEIGHTS", 1000)
    with pytest.raises(CheckpointError, match=r"would take .* GB of memory, and .* are allowed"):
        load_checkpoint(tiny_checkpoint)


def test_an_odd_file_does_not_hide_the_others(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "shipped_checkpoints", lambda: tmp_path)
    (tmp_path / "good.safetensors").write_bytes(tiny_checkpoint.read_bytes())
    (tmp_path / "nowhere.safetensors").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder.safetensors").mkdir()
    rewritten(tiny_checkpoint, tmp_path / "odd.safetensors", figures="[" * 10_000)
    (tmp_path / "zeros.safetensors").symlink_to("/dev/zero")
    found = {model.name: bool(model.problem) for model in installed_models()}
    assert found == {"folder": True, "good": False, "nowhere": True, "odd": True, "zeros": True}
    assert installed_models(tmp_path / "good.safetensors")[0].header


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_listed_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "shipped_checkpoints", lambda: tmp_path)
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    sentence = f"{pipe} is not a regular file: copy the checkpoint to a file first."
    assert [(model.size, model.header, model.problem) for model in installed_models()] == [(0, None, sentence)]
    with pytest.raises(CheckpointError, match="is not a regular file"):
        load_checkpoint(pipe)


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
    assert "cannot be saved" in result.stdout
    assert target.read_bytes() == tiny_checkpoint.read_bytes()
    assert list(tmp_path.iterdir()) == [target]
