"""Runs of `cinn colorize` that end early: full disk, Ctrl-C, unexpected errors."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from cinn_app import Colorizer
from cinn_app.imaging import Photograph


@pytest.mark.skipif(os.name == "nt", reason="no limits on the size of files")
def test_full_disk_stops_with_one_sentence(colorize: Callable, draw: Callable) -> None:
    import resource

    for name in ("a.png", "b.png"):
        draw(f"in/{name}", size=(200, 200))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        result = colorize("in", "-o", "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Error: out/a.png cannot be saved, since the disk is full")
    assert len(result.err.splitlines()) == 1
    assert list(Path("out").iterdir()) == []


def test_a_folder_that_cannot_be_made_fails_only_its_pictures(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    draw("in/sub/b.png")
    Path("out").mkdir()
    Path("out/sub").write_text("in the way")
    result = colorize("in", "-o", "out", "-r")
    assert (result.code, result.out) == (1, "Coloured 1 picture into out; 1 failed.\n")
    assert result.err.startswith("Error: The folder out/sub cannot be made (") and len(result.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes are others there")
def test_a_closed_standard_output_is_one_sentence(draw: Callable, tiny_checkpoint: Path) -> None:
    draw("a.png", size=(400, 300))
    command = [sys.executable, "-m", "cinn_app", "colorize", "a.png", "-o", "-", "--model", tiny_checkpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 1
    assert err == "Error: The reader of standard output closed it before the picture was complete.\n"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_standard_output_to_a_full_disk_is_one_sentence(draw: Callable, tiny_checkpoint: Path) -> None:
    draw("a.png")
    command = [sys.executable, "-m", "cinn_app", "colorize", "a.png", "-o", "-", "--model", tiny_checkpoint]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: Standard output cannot be written (No space left on device)")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
@pytest.mark.parametrize("sent", [(signal.SIGINT, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM)], ids=str)
def test_ctrl_c_and_a_request_to_end_leave_whole_files_only(
    draw: Callable, tiny_checkpoint: Path, sent: tuple[signal.Signals, ...]
) -> None:
    for number in range(200):
        draw(f"in/{number}.png", size=(64, 48))
    command = [sys.executable, "-m", "cinn_app", "colorize", "in", "-o", "out", "--model", tiny_checkpoint]
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # even in a suite run in the background
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, preexec_fn=listening) as process:
        while process.poll() is None and not list(Path().glob("out/*.png")):
            time.sleep(0.01)
        for one in sent:
            process.send_signal(one)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert len(err.splitlines()) == 1 and err.startswith("Stopped: ")
    assert "of 200 pictures coloured" in err
    count = int(err.split()[1])
    written = list(Path("out").iterdir())
    assert 0 < len(written) == count < 200
    for path in written:
        assert path.suffix == ".png" and not path.name.startswith(".")
        Image.open(path).load()


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (ValueError("odd\nvery odd"), "a.png failed with an unexpected error (ValueError: odd): set CINN_DEBUG=1"),
        (RuntimeError("CUDA out of memory. Tried"), "There was not enough memory for a.png: "),
    ],
)
def test_unexpected_errors_are_one_sentence(
    colorize: Callable, draw: Callable, monkeypatch: pytest.MonkeyPatch, raised: Exception, sentence: str
) -> None:
    draw("a.png", size=(9, 7))
    draw("b.png")
    real = Colorizer.colorize

    def break_on_a(self: Colorizer, photograph: Photograph, *settings: object) -> object:
        if photograph.size == (7, 9):
            raise raised
        return real(self, photograph, *settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Colorizer, "colorize", break_on_a)
    result = colorize("a.png", "b.png", "-o", "out")
    assert (result.code, result.out) == (1, "Coloured 1 picture into out; 1 failed.\n")
    assert result.err.startswith(f"Error: {sentence}") and len(result.err.splitlines()) == 1
    monkeypatch.setenv("CINN_DEBUG", "1")
    assert "Traceback" in colorize("a.png", "-o", "out").err
