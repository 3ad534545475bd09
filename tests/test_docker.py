"""The Dockerfile, as far as it can be checked where no container can be built."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from cinn_app.cli.main import cinn

ROOT = Path(__file__).parents[1]
DOCKERFILE = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text())


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    sources = {
        source for line in instructions("COPY") if not line.startswith("--from") for source in shlex.split(line)[:-1]
    }
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source.removeprefix("./") for source in sources} == allowed
    assert all((ROOT / source).exists() for source in allowed)


def test_it_runs_as_nobody_special_and_starts_the_studio() -> None:
    assert int(instructions("USER")[-1]) > 999
    program, command, *options = instructions("ENTRYPOINT")[-1].strip("[]").replace('"', "").split(", ")
    assert (program, command) == ("cinn", "app")
    shown = CliRunner().invoke(cinn, ["app", "--help"], env={"COLUMNS": "200"}).output
    assert all(option in shown for option in options if option.startswith("--"))


def test_the_watchdog_asks_the_port_that_is_exposed() -> None:
    (check,) = instructions("HEALTHCHECK")
    (port,) = instructions("EXPOSE")
    assert port in check and "/health" in check
    code = check.split('"-c", "')[1].rpartition('"')[0]
    compile(code, "the health check", "exec")
