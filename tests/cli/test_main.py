"""The command as a whole: it starts quickly, and never shows a traceback."""

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import cinn_app
from cinn_app.extras import EXTRAS

ROOT = Path(__file__).parents[2]
DIGITS = str(ROOT / "models" / "digits.toml")
NEEDED = [(extra, module) for extra, modules in EXTRAS.items() for module in modules]


@pytest.mark.parametrize(
    ("command", "slow"),
    [
        ("--help", {"torch", "numpy", "pydantic", "gradio", "lightning", "PIL", "markdown_it"}),
        ("train --help", {"torch", "gradio", "lightning"}),
        ("models", {"torch", "gradio", "lightning"}),
    ],
)
def test_commands_import_nothing_slow_that_they_do_not_need(command: str, slow: set[str]) -> None:
    code = f"""
import sys
from cinn_app.cli.main import run
try:
    run({command.split()})
except SystemExit as end:
    print(end.code, {slow} & sys.modules.keys(), file=sys.stderr)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == "0 set()\n"


def test_module_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "cinn_app", "--version"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, f"cinn {cinn_app.__version__}\n")


@pytest.mark.parametrize("command", ["colorize", "digits", "inverse", "app", "models", "evaluate", "train"])
def test_every_command_explains_itself(cinn: Callable, command: str) -> None:
    assert command in cinn("--help").out
    result = cinn(command, "-h")
    assert result.code == 0 and f"Usage: cinn {command}" in result.out


@pytest.mark.parametrize(
    "command",
    [
        "colorize",
        "digits",
        "digits restyle",
        "inverse fit",
        "inverse sample",
        "inverse check",
        "app",
        "evaluate",
        "train",
    ],
)
def test_every_command_that_computes_takes_a_device(cinn: Callable, command: str) -> None:
    assert "--device" in cinn(*command.split(), "--help").out


def test_help_breaks_lines_where_the_terminal_ends(cinn: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    for command, words in (("colorize", "cannot be coloured are reported"), ("inverse check", "The verdict is one of")):
        assert words in cinn(*command.split(), "--help").out


@pytest.mark.parametrize("arguments", [[], ["paint"], ["--loud"]], ids=str)
def test_wrong_usage_is_2(cinn: Callable, arguments: list[str]) -> None:
    assert cinn(*arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "module", "sentence"),
    [
        (["app"], "gradio", 'The studio needs gradio: run pip install "cinn-app[studio]".'),
        (["app", "--mcp"], "mcp", 'The MCP server needs mcp: run pip install "cinn-app[mcp]".'),
        (["train", DIGITS], "lightning", 'Training needs lightning: run pip install "cinn-app[train]".'),
    ],
    ids=["studio", "mcp", "train"],
)
def test_a_missing_extra_is_named(
    cinn: Callable, monkeypatch: pytest.MonkeyPatch, arguments: list[str], module: str, sentence: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = cinn(*arguments)
    assert (result.code, result.out) == (1, "")
    assert f"Error: {sentence}\n" in result.err
    assert cinn(arguments[0], "--help").code == 0


def test_the_extras_are_those_of_the_package() -> None:
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert all(any(needed.startswith(module) for needed in offered[extra]) for extra, module in NEEDED)


def test_ctrl_c_and_unexpected_errors_in_any_command(cinn: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: BaseException = KeyboardInterrupt()

    def shipped_checkpoints() -> None:
        raise raised

    monkeypatch.setattr("cinn_app.checkpoints.shipped_checkpoints", shipped_checkpoints)
    assert cinn("models") == (130, "", "Stopped.\n")
    raised = ZeroDivisionError("by chance")
    result = cinn("models")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "Error: The command failed with an unexpected error (ZeroDivisionError: by chance): set CINN_DEBUG=1, "
        "run the same again, and report what it prints.\n"
    )
