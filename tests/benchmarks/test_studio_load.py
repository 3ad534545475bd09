"""The load test's visitors behave as the page does, and would notice another one's picture."""

import itertools
import json
import shutil
import sys
from pathlib import Path

import pytest
import studio_load


def test_no_two_photographs_look_alike() -> None:
    files = [file for _, file in studio_load.photographs(20)]
    assert all(studio_load.difference(one, other) > studio_load.SAME for one, other in itertools.combinations(files, 2))


@pytest.mark.slow
def test_everyone_gets_his_own_pictures(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, figures = tmp_path / "colorize.safetensors", tmp_path / "load.json"
    shutil.copy(tiny_checkpoint, model)
    options = ["--clients", "3", "--requests", "6", "--model", str(model), "--json", str(figures)]
    monkeypatch.setattr(sys, "argv", ["studio_load.py", *options])
    with pytest.raises(SystemExit) as ended:
        studio_load.main()
    measured = json.loads(figures.read_text())
    assert (ended.value.code, measured["requests"], measured["wrong"], measured["lost"]) == (0, 6, [], [])
    assert all(megabytes > 50 for megabytes in measured["megabytes"])
    assert "Wrong" in capsys.readouterr().out
