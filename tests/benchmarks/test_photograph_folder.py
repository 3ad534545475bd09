"""The check on memory goes through all the photographs that it writes."""

import json
import sys
from pathlib import Path

import photograph_folder
import pytest


@pytest.mark.slow
def test_every_tenth_is_noted(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "folder.json"
    options = ["--photographs", "12", "--megapixels", "0.05", "--model", str(tiny_checkpoint), "--json", str(figures)]
    monkeypatch.setattr(sys, "argv", ["photograph_folder.py", *options])
    photograph_folder.main()
    noted = json.loads(figures.read_text())
    assert noted and all(row["megabytes"] > 50 for row in noted)
    assert [row["photographs"] for row in noted] == sorted(row["photographs"] for row in noted)
    assert "megabytes held" in capsys.readouterr().out
