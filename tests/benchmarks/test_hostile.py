"""The script of hostile files and kills counts what happens, and finds no fault."""

import json
import sys
from pathlib import Path

import hostile
import pytest
from hostile_parts import files


def figures_of(monkeypatch: pytest.MonkeyPatch, target: Path, *options: str) -> dict[str, int]:
    monkeypatch.setattr(sys, "argv", ["hostile.py", *options, "--json", str(target)])
    with pytest.raises(SystemExit) as ended:
        hostile.main()
    assert ended.value.code == 0
    return {figure["name"]: figure["count"] for figure in json.loads(target.read_text())}


@pytest.mark.slow
def test_files_are_read_or_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert len(files.make_originals()) >= 20
    figures = figures_of(monkeypatch, tmp_path / "out.json", "files", "--files", "60")
    assert sum(figures[name] for name in ("read", "read with a warning", "refused")) == 60
    assert figures["refused"] < 60


@pytest.mark.slow
def test_a_killed_run_ends_as_one_in_peace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    options = ("kills", "--kills", "1", "--pictures", "6", "--model", str(tiny_checkpoint))
    figures = figures_of(monkeypatch, tmp_path / "out.json", *options)
    assert figures["kills"] == 1
