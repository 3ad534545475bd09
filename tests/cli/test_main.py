"""The command as a whole: quick to answer, and never a traceback."""

import subprocess
import sys
from collections.abc import Callable

import pytest

import cinn_app

HEAVY = ("torch", "gradio", "lightning", "numpy", "PIL")


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, cinn_app.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_module_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "cinn_app", "--version"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, f"cinn {cinn_app.__version__}\n")


@pytest.mark.parametrize("command", ["colorize", "digits", "app", "models", "evaluate", "train"])
def test_every_command_explains_itself(cinn: Callable, command: str) -> None:
    assert command in cinn("--help").out
    result = cinn(command, "-h")
    assert result.code == 0 and f"Usage: cinn {command}" in result.out


@pytest.mark.parametrize("arguments", [[], ["paint"], ["--loud"]], ids=str)
def test_wrong_usage_is_2(cinn: Callable, arguments: list[str]) -> None:
    assert cinn(*arguments).code == 2


def test_ctrl_c_and_surprises_in_any_command(cinn: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: BaseException = KeyboardInterrupt()

    def shipped_checkpoints() -> None:
        raise raised

    monkeypatch.setattr("cinn_app.checkpoints.shipped_checkpoints", shipped_checkpoints)
    assert cinn("models") == (130, "", "Stopped.\n")
    raised = ZeroDivisionError("by chance")
    result = cinn("models")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "Error: This failed in a way nobody foresaw (ZeroDivisionError: by chance): set CINN_DEBUG=1, "
        "run the same again, and report what it prints.\n"
    )
