"""What the pages say is true: command lines parse, targets exist, links lead somewhere, examples run."""

import contextlib
import doctest
import importlib
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import cinn_app
from cinn_app.cli.main import cinn

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
PAGES += sorted(ROOT.glob("models/*.md"))
#: Texts that show command lines; recipes do so in their head comment.
SPEAKING = [*PAGES, *sorted(ROOT.glob("models/*.toml"))]


def named(paths: list[Path]) -> list[Any]:
    return [pytest.param(path, id=path.relative_to(ROOT).as_posix()) for path in paths]


def command_lines(path: Path, program: str) -> Iterator[list[str]]:
    """Yield the arguments of each line of code, or comment, that calls a program, continued lines joined."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(rf"^(?:\s|#|\$)*(?:\.venv/bin/)?{program} (.+)$", text, re.MULTILINE):
        yield shlex.split(line, comments=True)


def parse(arguments: list[str]) -> None:
    """Parse a command line as `cinn` would, without running it.

    Raises:
        click.exceptions.UsageError: for an unknown command or option, a missing or an impossible value.
    """
    group: Any = typer.main.get_command(cinn)
    context = group.context_class(group, info_name="cinn")
    while arguments:
        name, command, arguments = group.resolve_command(context, arguments)
        group, context = command, command.make_context(name, arguments, parent=context)
        arguments = [*context._protected_args, *context.args]  # a command of the group's own, as in `cinn digits axes`


@pytest.mark.parametrize("page", named(SPEAKING))
def test_command_lines_parse(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("painting.jpg").touch()  # a file that has to exist
    for arguments in command_lines(page, "cinn"):
        parse(arguments)


def test_a_wrong_command_line_is_noticed() -> None:
    parse(["colorize", "grandma.jpg", "-o", "coloured"])
    for wrong in (
        ["paint"],
        ["colorize", "grandma.jpg"],
        ["colorize", "grandma.jpg", "-o", "coloured", "--sample", "4"],
    ):
        with pytest.raises(Exception, match=r"No such|Missing"):
            parse(wrong)


def test_the_readme_shows_every_command_and_the_pages_name_only_targets_that_exist() -> None:
    shown = {arguments[0] for arguments in command_lines(ROOT / "README.md", "cinn")}
    commands: Any = typer.main.get_command(cinn)
    assert shown == set(commands.list_commands(None))
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = " ".join(re.findall(r"^make ([a-z -]+)", text, re.MULTILINE) + re.findall(r"`make ([a-z -]+)`", text))
        assert set(lines.split()) <= targets, page


@pytest.mark.parametrize("page", named(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", named([page for page in PAGES if page.name != "CHANGELOG.md"]))
def test_files_and_objects_exist(page: Path) -> None:
    """Such as `flows/base.py`, `imaging.read_photograph` and `Colorizer.colorize`."""
    missing = []
    for name in re.findall(r"`([\w./]+)`", page.read_text(encoding="utf-8")):
        if re.search(r"\.(py|md|toml)$", name) and "NAME" not in name:
            folders = (ROOT, ROOT / "cinn_app", *ROOT.glob("cinn_app/systems/*"))
            missing += [] if any((folder / name).exists() for folder in folders) else [name]
        elif re.fullmatch(r"\w+(\.\w+)+", name):
            found = objects(name)
            missing += [] if found is None or found else [name]
    assert not missing


def objects(name: str) -> bool | None:
    """Say whether a dotted name below the package leads to an object; None if it is no such name."""
    first, *rest = name.removeprefix("cinn_app.").split(".")
    try:
        found = importlib.import_module(f"cinn_app.{first}")
    except ImportError:
        found = getattr(cinn_app, first, None)
        if found is None:
            return None
    for part in rest:
        if not hasattr(found, part) and inspect.ismodule(found):
            with contextlib.suppress(ImportError):
                importlib.import_module(f"{found.__name__}.{part}")
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "reference" / "flows.html").read_text(encoding="utf-8")
    assert '<svg role="img"' in page, "no equation is drawn"
    docstrings = re.sub(r'<details class="mkdocstrings-source">.*?</details>', "", page, flags=re.DOTALL)
    assert "<svg" in docstrings and ":math:" not in docstrings and ":class:" not in docstrings


@pytest.mark.slow
def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False).failed == 0
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"camera-{number}.png" for number in (1, 2, 3, 4)]


def test_make_says_which_python_it_needs(tmp_path: Path) -> None:
    command = ["make", "setup", "PYTHON=", f"STAMP={tmp_path / 'stamp'}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode and "No Python 3.11 to 3.14 with its venv module was found" in result.stdout


def test_make_lists_its_targets() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for target in ("setup", "app", "demo", "test", "test-fast", "lint", "docs", "wheel"):
        assert re.search(rf"^make {target} +\w", listed, re.MULTILINE)
