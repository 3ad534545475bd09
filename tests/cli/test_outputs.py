"""Outputs that cannot be written: said before the work, with advice that helps, and no figure is lost."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cinn_app import files
from cinn_app.evaluation import Evaluation

DIGITS = Path(__file__).parents[2] / "models" / "digits.toml"
# Whatever comes after the check fails with other words: there is no such model, problem or picture.
COMMANDS = [
    "evaluate {digits} --data nowhere --json OUT.json",
    "inverse sample nowhere.safetensors --observe 1,2 -o OUT.csv",
    "inverse sample nowhere.safetensors --observe 1,2 -o s.csv --plot OUT.png",
    "inverse check nowhere.safetensors --json OUT.json",
    "inverse check nowhere.safetensors --plot OUT.svg",
    "inverse fit nowhere.py -o OUT.safetensors",
    "inverse fit nowhere.py -o m.safetensors --run OUT",
    "train {recipe} --data nowhere -o OUT.safetensors",
    "train {recipe} --data nowhere --run OUT",
    "digits --model nowhere -o OUT.png",
    "digits --model nowhere --separate -o OUT",
    "digits restyle nowhere.png -o OUT.png",
    "colorize a.png --model nowhere -o OUT",
    "colorize a.png --model nowhere -o out --report OUT.jsonl",
]
needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that takes no files, even of root")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", [pytest.param("/proc/new", marks=needs_proc), "a.png/new", "album/nul", "a:b"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    cinn: Callable,
    draw: Callable,
    tiny_digits_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    place: str,
) -> None:
    monkeypatch.setattr(files, "WINDOWS", True)
    draw("a.png")
    draw("album/b.png")
    before = {*Path().rglob("*")}
    known = {"digits": tiny_digits_checkpoint, "recipe": DIGITS}
    result = cinn(*(word.format(**known).replace("OUT", place) for word in command.split()))
    assert (result.code, result.out) == (1, "")
    assert "cannot be saved" in result.err or "cannot be made" in result.err, result.err
    assert place in result.err and len(result.err.splitlines()) == 1
    assert ("Windows reserves the name" in result.err) == (place in ("album/nul", "a:b"))
    assert {*Path().rglob("*")} == before


def test_figures_are_shown_where_their_file_cannot_be_written_after_all(
    cinn: Callable, tiny_digits_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate_digits(*_: object, **settings: object) -> Evaluation:
        shutil.rmtree("figures")
        return Evaluation({"bits_per_dim": 1.25}, 10, [], data=["MNIST"])

    evaluation = ModuleType("cinn_app.systems.digits.evaluation")
    vars(evaluation)["evaluate_digits"] = evaluate_digits
    monkeypatch.setitem(sys.modules, evaluation.__name__, evaluation)
    Path("figures").mkdir()
    result = cinn("evaluate", tiny_digits_checkpoint, "--json", "figures/a.json")
    assert result.code == 1 and "1.25" in result.out and "Wrote" not in result.out
    assert result.err == "Error: figures/a.json cannot be saved, since there is no folder figures: create it first.\n"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_devices_and_links_in_a_circle_are_no_outputs(cinn: Callable) -> None:
    Path("loop.csv").symlink_to("loop.csv")
    Path("null.csv").symlink_to(os.devnull)
    for name in ("loop.csv", "null.csv"):
        result = cinn("inverse", "sample", "nowhere", "--observe", "1", "-o", name)
        assert result.code == 1 and result.err.startswith(f"Error: {name} cannot be saved (")
        assert len(result.err.splitlines()) == 1
