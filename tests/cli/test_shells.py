"""Shells and terminals: code pages, patterns that nobody expands, command lines that are the same in all shells."""

import io
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from PIL import Image
from typer import core

from cinn_app import checkpoints
from cinn_app.cli.main import run
from cinn_app.evaluation import Evaluation

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("models/*.md")), ROOT / "CONTRIBUTING.md"]


def run_into_code_page(monkeypatch: pytest.MonkeyPatch, *arguments: object, page: str = "cp1252") -> tuple[int, str]:
    """Run with standard output as Windows redirects it, or Linux without a locale."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, page))
    with pytest.raises(SystemExit) as exited:
        run([str(argument) for argument in arguments])
    sys.stdout.flush()
    assert isinstance(exited.value.code, int)
    return exited.value.code, raw.getvalue().decode(page)


def test_a_finished_job_succeeds_whatever_the_code_page_of_its_output(
    draw: Callable, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw("祖母.png")
    code, said = run_into_code_page(
        monkeypatch, "colorize", "祖母.png", "-o", "彩色", "--model", tiny_checkpoint, "--device", "cpu"
    )
    assert (code, said.splitlines()) == (0, ["Coloured 1 picture into ??."])
    assert Path("彩色/祖母.png").is_file()


@pytest.mark.parametrize("page", ["ascii", "cp437", "cp932"])
def test_every_command_succeeds_in_any_code_page(
    tiny_checkpoint: Path, tiny_digits_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    (folder := Path("größe")).mkdir()
    shutil.copy(tiny_checkpoint, folder)
    monkeypatch.setattr(checkpoints, "shipped_checkpoints", lambda: folder)
    one = Image.new("L", (28, 28), 255)
    one.paste(0, (12, 5, 16, 23))
    one.save("一.png")
    digits = ("--model", tiny_digits_checkpoint)
    commands: list[tuple[object, ...]] = [
        ("--help",),
        ("models",),
        ("evaluate", tiny_digits_checkpoint, "--help"),
        ("digits", *digits, "--device", "cpu", "-n", 1, "-o", "größe/数字.png"),
        ("digits", *digits, "--device", "cpu", "-n", 1, "--label", 7, "--separate", "-o", "größe/数字"),
        ("digits", "restyle", *digits, "--device", "cpu", "一.png", "-o", "größe/我.png"),
        ("digits", "axes", *digits),
        ("inverse", "problems"),
    ]
    for command in commands:
        assert run_into_code_page(monkeypatch, *command, page=page)[0] == 0, command
    assert {path.name for path in folder.iterdir()} == {tiny_checkpoint.name, "数字.png", "数字", "我.png"}


def test_an_evaluation_writes_its_figures_before_it_says_them(
    tiny_digits_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise UnicodeEncodeError("cp1252", "\u2265", 0, 1, "character maps to <undefined>")

    evaluation = ModuleType("cinn_app.systems.digits.evaluation")
    vars(evaluation)["evaluate_digits"] = evaluate_digits
    monkeypatch.setitem(sys.modules, evaluation.__name__, evaluation)
    arguments = ("evaluate", tiny_digits_checkpoint, "--device", "cpu", "--json")
    assert run_into_code_page(monkeypatch, *arguments, "数字.json")[0] == 0
    assert Path("数字.json").is_file()
    monkeypatch.setattr("cinn_app.cli.evaluate._show", broken)
    assert run_into_code_page(monkeypatch, *arguments, "figures.json")[0] == 1
    assert json.loads(Path("figures.json").read_text("utf-8"))["pictures"] == 10


def evaluate_digits(generator: object, data: object, *, cache: Path, limit: int | None, progress: object) -> Evaluation:
    return Evaluation({"bits_per_dim": 1.25}, 10, [], data=["MNIST"])


def test_arguments_are_taken_as_the_shell_left_them(
    draw: Callable, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows, click would replace them by the files that fit, and by variables."""
    for name in ("album/scan1.png", "album/scan2.png", "album/$HOME.png", "scan1.png"):
        draw(name)
    monkeypatch.setattr(core, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))
    for arguments, made in (
        (["album", "--pattern", "scan*.png"], ["scan1.png", "scan2.png"]),
        (["album/$HOME.png"], ["$HOME.png"]),
    ):
        given = ["cinn", "colorize", "--model", str(tiny_checkpoint), "--device", "cpu", "-o", made[0][:2], *arguments]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as exited:
            run()
        assert exited.value.code == 0 and sorted(path.name for path in Path(made[0][:2]).iterdir()) == made


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("colorize scans/*.tif -o out", "give the folder, with the pattern as --pattern."),
        ("digits restyle four?.png -o out.png", "name one picture."),
        ("evaluate {colours} --data holiday/*", "give the folder, or several --data."),
        ("train {recipe} --data p*", "give the folder, or several --data."),
    ],
)
def test_a_pattern_that_no_shell_expanded_gets_advice(
    cinn: Callable, tiny_checkpoint: Path, command: str, advice: str
) -> None:
    known = {"colours": tiny_checkpoint, "recipe": ROOT / "models" / "colorize.toml"}
    result = cinn(*command.format(**known).split())
    assert (result.code, result.out) == (1, "")
    assert "since patterns are not expanded: " in result.err and result.err.endswith(f"{advice}\n")
    assert len(result.err.splitlines()) == 1


def cmd_words(line: str) -> list[str]:
    """Split a line as cmd and the C library of Windows do.

    Raises:
        ValueError: if cmd takes a character for more than itself.
    """
    if re.search(r"[&|<>^%]", line) or "'" in line:
        raise ValueError(f"cmd: {line}")
    return [part.replace('"', "") for part in re.findall(r'(?:[^\s"]|"[^"]*")+', line)]


def powershell_words(line: str) -> list[str]:
    """Split a line as PowerShell does.

    Raises:
        ValueError: if PowerShell takes a character for more than itself.
    """
    words = []
    for part in re.findall(r"""(?:[^\s"]|"[^"]*")+""", line):
        bare = re.sub(r'"[^"]*"', "", part)
        if re.search(r"[$`;|&<>(){},']", bare) or re.search(r"[$`]", part) or re.match(r"[@#]|-[A-Za-z]\w*[.:]", part):
            raise ValueError(f"PowerShell: {line}")
        words.append(part.replace('"', ""))
    return words


def code_lines(text: str, language: str) -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_every_line_of_the_readme_is_the_same_in_three_shells() -> None:
    lines = code_lines(README, "bash")
    assert len(lines) > 10
    for line in lines:
        assert cmd_words(line) == powershell_words(line) == shlex.split(line), line
    windows = code_lines(README, "bat")
    assert [words[0] for words in map(cmd_words, windows)] == ["py", r".venv\Scripts\pip", r".venv\Scripts\cinn"]
    assert list(map(cmd_words, windows)) == list(map(powershell_words, windows))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_other_pages_differ_by_their_comments_at_most(page: Path) -> None:
    for line in code_lines(page.read_text("utf-8"), "bash"):
        if re.match(r"(cinn|pip) ", line):
            bare = re.sub(r"\s+# .*", "", line)
            assert cmd_words(bare) == powershell_words(bare) == shlex.split(line, comments=True), line


@pytest.mark.parametrize(
    "line",
    [
        "cinn colorize a.jpg -o b --hint 120,80=#8b1a1a",
        "cinn app --auth @login.txt",
        "cinn colorize - -o - < a.jpg",
        "cinn digits -o a.png # all",
        "pip install 'cinn-app[mcp]'",
    ],
)
def test_lines_that_differ_are_noticed(line: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        assert cmd_words(line) == powershell_words(line)
