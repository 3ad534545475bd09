"""What killed studios leave behind is deleted at the next start; what living ones keep is not."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from cinn_app.files import in_use
from cinn_app.studio.files import private_folder

#: A studio without its page: it keeps a visitor's photograph, and says when.
STUDIO = """
import contextlib, sys, time
from cinn_app.process import end_when_asked
from cinn_app.studio.files import private_folder
end_when_asked()
with private_folder() as folder, contextlib.suppress(KeyboardInterrupt):
    (folder / "grandma.jpg").write_text("private")
    print(folder, flush=True)
    while True:
        time.sleep(1)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_photographs_are_deleted_when_the_terminal_is_closed(temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STUDIO], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        assert (folder / "grandma.jpg").exists() and temporary in folder.parents
        for number in range(3_000):  # so that it takes a while
            (folder / f"{number}.jpg").touch()
        for sent in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):  # terminals and services send more than one
            process.send_signal(sent)
            time.sleep(0.02)
    assert not list(temporary.iterdir())


def test_photographs_of_killed_studios_are_deleted_at_the_next_start(temporary: Path) -> None:
    killed, living = temporary / "cinn-studio-killed", temporary / "cinn-studio-living"
    for studio in (killed, living):
        (studio / "files").mkdir(parents=True)
        (studio / "files" / "grandma.jpg").write_text("private")
        (studio / "running").touch()
    with in_use(living / "running"), private_folder() as own:
        assert own.is_dir() and not killed.exists() and (living / "files" / "grandma.jpg").exists()
    assert list(temporary.iterdir()) == [living]


def test_folders_of_others_and_young_ones_are_left_alone(temporary: Path) -> None:
    diary = temporary / "home"
    diary.mkdir()
    (diary / "diary.txt").write_text("private")
    (temporary / "cinn-studio-link").symlink_to(diary)
    (temporary / "cinn-studio-file").touch()
    young, old = temporary / "cinn-studio-young", temporary / "cinn-studio-old"  # without the file of a running one
    for folder in (young, old):
        (folder / "session-1").mkdir(parents=True)
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    with private_folder():
        pass
    assert {path.name for path in temporary.iterdir()} == {
        "home", "cinn-studio-link", "cinn-studio-file", "cinn-studio-young"
    }  # fmt: skip
    assert (diary / "diary.txt").exists()
