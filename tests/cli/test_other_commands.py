"""`cinn models`, `evaluate`, `app` and `train`: their outputs and refusals."""

import json
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from torchvision.datasets import MNIST

from cinn_app import DigitGenerator, checkpoints
from cinn_app.cli import console
from cinn_app.evaluation import Evaluation
from cinn_app.recipes import Recipe
from cinn_app.systems.digits.data import FILES


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the cells of tables on one line."""
    monkeypatch.setattr(console.out, "width", 300)


@pytest.fixture
def installed(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed models that has the tiny one."""
    folder = Path("installed")
    folder.mkdir()
    shutil.copy(tiny_checkpoint, folder)
    monkeypatch.setattr(checkpoints, "shipped_checkpoints", lambda: folder)
    return folder


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    """Replace a module that is slow to import."""
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def test_models_lists_the_installed_models(cinn: Callable, installed: Path) -> None:
    result = cinn("models")
    assert (result.code, result.err) == (0, "")
    for words in ("tiny", "Random colours, for the tests", "6.2", "Bits per dimension, held out: 5.25", "CC0-1.0"):
        assert words in result.out
    assert result.out.endswith("Pictures that you make with them are your own.\n")


def test_models_lists_a_damaged_model_and_the_others(cinn: Callable, installed: Path) -> None:
    (installed / "broken.safetensors").write_bytes((installed / "tiny.safetensors").read_bytes()[:3000])
    result = cinn("models")
    assert result.code == 1
    assert "broken.safetensors is damaged" in result.out and "Random colours" in result.out


def test_models_without_any(cinn: Callable, installed: Path) -> None:
    (installed / "tiny.safetensors").unlink()
    assert cinn("models") == (0, "No models are installed in installed: make one with 'cinn train'.\n", "")


def test_an_installed_model_is_found_by_its_name(cinn: Callable, installed: Path, draw: Callable) -> None:
    draw("a.png")
    assert cinn("colorize", "a.png", "-o", "out", "--model", "tiny").code == 0


def test_evaluate_shows_figures_and_writes_them(cinn: Callable, draw: Callable, tiny_checkpoint: Path) -> None:
    draw("photos/a.png", mode="RGB", size=(40, 30))
    draw("photos/b.jpg", mode="RGB", size=(30, 40))
    draw("photos/gray.png")
    result = cinn("evaluate", tiny_checkpoint, "--data", "photos", "--json", "figures.json", "--samples", 2)
    assert result.code == 0
    assert "tiny, on 2 pictures" in result.out
    assert "Error of the best of 2 samples, as a share of gray" in result.out
    headings = ("Likelihood", "Distance from the true colours", "How samples differ", "Colourfulness", "Calibration")
    places = [result.out.index(heading) for heading in headings]
    assert places == sorted(places) and "More" not in result.out
    judged = [line for line in result.err.splitlines() if "efficientnet-lite2" not in line]  # where it is not installed
    assert result.err.count("gray.png") == len(judged) == 1
    written = json.loads(Path("figures.json").read_text())
    assert (written["recipe"], written["data"], written["pictures"], written["samples"]) == ("tiny", ["photos"], 2, 2)
    assert 0 < written["figures"]["ratio_best_of_2"] <= written["figures"]["ratio_one_sample"]
    assert written["temperature"] is None and len(written["ranks"]["pixels_a"]) == 40


def test_evaluate_takes_a_temperature(cinn: Callable, draw: Callable, tiny_checkpoint: Path) -> None:
    draw("photos/a.png", mode="RGB", size=(40, 30))
    spread = []
    for temperature in ("0,0,0,0,0", 1):
        arguments = ("--data", "photos", "--json", "figures.json", "--samples", 2, "--temperature", temperature)
        assert cinn("evaluate", tiny_checkpoint, *arguments).code == 0
        spread.append(json.loads(Path("figures.json").read_text())["figures"]["deviation"])
    assert spread[0] < 0.1 < spread[1]
    result = cinn("evaluate", tiny_checkpoint, "--data", "photos", "--temperature", "0,1")
    assert result.code == 2 and "2 temperatures were given" in result.err


def test_evaluate_judges_old_prints(cinn: Callable, draw: Callable, tiny_checkpoint: Path) -> None:
    draw("photos/a.png", mode="RGB", size=(40, 30))
    options = ("--data", "photos", "--json", "figures.json", "--aged")
    result = cinn("evaluate", tiny_checkpoint, *options, "--samples", 2)
    assert result.code == 0 and "Old prints" in result.out and "Energy score of faded prints" in result.out
    figures = json.loads(Path("figures.json").read_text())["figures"]
    for kind in ("faded", "sepia", "mounted", "halftone", "scratched", "stamped"):
        assert figures[f"aged_ratio_{kind}"] == pytest.approx(figures[f"aged_energy_{kind}"] / figures["energy_score"])
    assert figures["aged_mount_chroma"] >= 0
    result = cinn("evaluate", tiny_checkpoint, *options, "--samples", 1)
    assert (result.code, result.out) == (1, "") and "at least 2 samples" in result.err


def test_evaluate_refuses_in_one_sentence(cinn: Callable, draw: Callable, tiny_checkpoint: Path) -> None:
    draw("a.png", mode="RGB")
    for arguments, word in (
        ([tiny_checkpoint, "--data", "nowhere"], "no data at nowhere"),
        ([tiny_checkpoint, "--data", "a.png", "--json", "no/folder.json"], "there is no folder no"),
        (["painter", "--data", "a.png"], "no checkpoint at painter"),
    ):
        result = cinn("evaluate", *arguments)
        assert (result.code, result.out) == (1, "")
        assert word in result.err and len(result.err.splitlines()) == 1
    result = cinn("evaluate", tiny_checkpoint)
    assert (result.code, result.out) == (2, "") and "--data is missing" in result.err


def test_evaluate_measures_digits_on_mnist(
    cinn: Callable, monkeypatch: pytest.MonkeyPatch, tiny_digits_checkpoint: Path, drawn_mnist: Path
) -> None:
    calls: list[tuple[object, ...]] = []

    def evaluate_digits(
        generator: DigitGenerator, data: list[Path], *, cache: Path, limit: int | None, progress: object
    ) -> Evaluation:
        calls.append((generator.recipe.name, data, cache, limit))
        figures = {"bits_per_dim": 1.25, "bayes_accuracy": 0.98765, "round_trip_error": 2e-6}
        return Evaluation(figures, 10_000, [], data=["MNIST"])

    stand_in(monkeypatch, "cinn_app.systems.digits.evaluation", evaluate_digits=evaluate_digits)
    result = cinn("evaluate", tiny_digits_checkpoint, "--json", "figures.json")
    assert (result.code, result.err) == (0, "")
    for words in ("tiny-digits, on 10,000 pictures", "Bits per dimension", "Bayes' rule", "0.988", "2e-06"):
        assert words in result.out
    written = json.loads(Path("figures.json").read_text())
    assert (written["recipe"], written["data"], written["pictures"]) == ("tiny-digits", ["MNIST"], 10_000)
    assert written["figures"]["bits_per_dim"] == 1.25 and "samples" not in written
    assert cinn("evaluate", tiny_digits_checkpoint, "--data", drawn_mnist, "--limit", 9).code == 0
    assert calls == [("tiny-digits", [], Path("cache"), None), ("tiny-digits", [drawn_mnist], Path("cache"), 9)]
    for arguments in (["--samples", 8], ["--temperature", 1]):
        assert cinn("evaluate", tiny_digits_checkpoint, *arguments).code == 2


def test_evaluate_downloads_no_mnist_into_the_folders_of_users(
    cinn: Callable, monkeypatch: pytest.MonkeyPatch, tiny_digits_checkpoint: Path
) -> None:
    monkeypatch.setattr(MNIST, "download", lambda _: pytest.fail("a download was begun"))
    Path("empty").mkdir()
    Path("half/MNIST/raw").mkdir(parents=True)
    for name in FILES[:3]:
        Path("half/MNIST/raw", name).touch()
    for folder, missing in (("empty", f"{FILES[0]}, {FILES[1]}, {FILES[2]} and {FILES[3]}"), ("half", FILES[3])):
        before = list(Path(folder).rglob("*"))
        result = cinn("evaluate", tiny_digits_checkpoint, "--data", folder)
        assert (result.code, result.out) == (1, "")
        raw = Path(folder, "MNIST", "raw")
        assert result.err == (
            f"Error: MNIST is not in {folder}, where {raw} should hold {missing}: give the folder that holds "
            "MNIST/raw, or leave --data out to have MNIST downloaded once.\n"
        )
        assert list(Path(folder).rglob("*")) == before
    assert "MNIST is not in nowhere" in cinn("evaluate", tiny_digits_checkpoint, "--data", "nowhere").err
    assert not Path("nowhere").exists()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The arguments of each call that would serve the studio."""
    served: list[tuple[Any, ...]] = []
    stand_in(monkeypatch, "cinn_app.studio.serving", serve=lambda *where, **how: served.append((*where, how)))
    return served


def test_app_serves_at_the_address_given(cinn: Callable, served: list[tuple[Any, ...]]) -> None:
    assert cinn("app").code == 0
    assert cinn("app", "--host", "0.0.0.0", "--port", 8000, "--model", "tiny").code == 0
    assert cinn("app", "--root-path", "/studio", "--max-upload", 20, "--device", "cuda:1").code == 0
    usual = {"login": None, "root_path": "", "max_upload": 500, "mcp": False, "device": "auto"}
    assert served == [
        ("127.0.0.1", 7860, None, usual),
        ("0.0.0.0", 8000, "tiny", usual),
        ("127.0.0.1", 7860, None, {**usual, "root_path": "/studio", "max_upload": 20, "device": "cuda:1"}),
    ]
    assert cinn("app", "--port", 70000).code == 2


def test_app_takes_the_password_in_three_ways(
    cinn: Callable, served: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("login.txt").write_text("anna:from:a file\n")
    assert cinn("app", "--auth", "anna:s3:cret").code == 0
    assert cinn("app", "--auth", "@login.txt").code == 0
    monkeypatch.setenv("CINN_AUTH", "anna:from the environment")
    assert cinn("app").code == 0
    passwords = [how["login"] for *_, how in served]
    assert passwords == [("anna", "s3:cret"), ("anna", "from:a file"), ("anna", "from the environment")]

    served.clear()
    Path("notepad.txt").write_text("anna:s3cret", "utf-16-le")
    for wrong, why in (
        ("anna", "as USER:PASSWORD"),
        (":s3cret", "as USER:PASSWORD"),
        ("@nowhere", "cannot be read"),
        ("@notepad.txt", "notepad.txt cannot be read: name a text file in UTF-8"),
    ):
        result = cinn("app", "--auth", wrong)
        assert result.code == 2
        assert why in " ".join(result.err.replace("│", " ").split())
    assert not served


def test_app_refuses_in_one_sentence(cinn: Callable) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cinn("app", "--port", port)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"Error: Port {port} is in use") and len(result.err.splitlines()) == 1
    result = cinn("app", "--port", port, "--model", "painter")
    assert result.code == 1
    assert result.err.startswith("Error: There is no checkpoint at painter") and len(result.err.splitlines()) == 1


RECIPE = Path(__file__).parents[2] / "models" / "colorize.toml"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each call that would train."""
    calls: list[dict[str, Any]] = []

    def train(
        recipe: Recipe, sources: list[Path], output: Path, run: Path, cache: Path, device: str, **options: Any
    ) -> SimpleNamespace:
        del options["progress"]
        calls.append({"sources": sources, "output": output, "run": run, "cache": cache, "device": device, **options})
        return SimpleNamespace(figures={"steps": 9000, "held_out_bits_per_dim": 3.1})

    stand_in(monkeypatch, "cinn_app.training.run", train=train)
    return calls


def test_train_passes_its_options_on(cinn: Callable, trained: list[dict[str, Any]]) -> None:
    some = ("--data", "x.tar", "--data", "y", "--from", "a", "--from", "b", "--precision", "bfloat16")
    assert cinn("train", RECIPE, *some, "--max-minutes", 3, "--resume") == (
        0,
        "Wrote checkpoints/colorize.safetensors.\nBits per dimension, held out: 3.1\nTraining steps: 9,000\n",
        "",
    )
    assert trained == [
        {
            "sources": [Path("x.tar"), Path("y")],
            "output": Path("checkpoints/colorize.safetensors"),
            "run": Path("runs/colorize"),
            "cache": Path("cache"),
            "device": "auto",
            "precision": "bfloat16",
            "resume": True,
            "start_from": ["a", "b"],
            "max_minutes": 3.0,
        }
    ]


def test_train_needs_no_data_for_digits(cinn: Callable, trained: list[dict[str, Any]]) -> None:
    recipe = RECIPE.with_name("digits.toml")
    assert cinn("train", recipe).out.startswith("Wrote checkpoints/digits.safetensors.\n")
    assert cinn("train", recipe, "--data", "there").code == 0
    assert [call["sources"] for call in trained] == [[], [Path("there")]]


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_a_stopped_training_says_how_to_continue(
    cinn: Callable, monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    def train(*_: object, **options: object) -> None:
        raise raised

    stand_in(monkeypatch, "cinn_app.training.run", train=train)
    command = ("train", RECIPE, "--data", "x")
    assert cinn(*command) == (130, "", "Training was stopped: nothing was learnt yet, so start it again.\n")
    Path("runs/colorize").mkdir(parents=True)
    Path("runs/colorize/state.ckpt").touch()
    assert cinn(*command) == (130, "", "Training was stopped: continue with --resume.\n")


def test_train_replaces_neither_its_recipe_nor_its_data(cinn: Callable, trained: list[dict[str, Any]]) -> None:
    Path("mine.toml").write_bytes(RECIPE.read_bytes())
    Path("photos.tar").write_bytes(b"pictures")
    Path("recipe.safetensors").symlink_to("mine.toml")  # a link is followed when it is written
    Path("data.safetensors").hardlink_to("photos.tar")
    for output, sentence in (
        ("mine.toml", "is no name of a checkpoint: let it end in .safetensors."),
        ("photos.tar", "is no name of a checkpoint: let it end in .safetensors."),
        ("recipe.safetensors", "is read, and would be overwritten: name another output."),
        ("data.safetensors", "is read, and would be overwritten: name another output."),
    ):
        result = cinn("train", "mine.toml", "--data", "photos.tar", "-o", output)
        assert result == (1, "", f"Error: {output} {sentence}\n")
    assert trained == [] and Path("photos.tar").read_bytes() == b"pictures"


def test_train_refuses_in_one_sentence(cinn: Callable) -> None:
    Path("wrong.toml").write_text(RECIPE.read_text().replace("couplings", "cuplings"))
    Path("empty").mkdir()
    for arguments, word in (
        (["nowhere.toml", "--data", "x"], "no recipe at nowhere.toml"),
        (["wrong.toml", "--data", "x"], "cuplings"),
        ([RECIPE, "--data", "x", "--device", "abacus"], "device 'abacus' is unknown"),
        ([RECIPE.with_name("digits.toml"), "--data", "empty"], "MNIST is not in empty, where"),
    ):
        result = cinn("train", *arguments)
        assert (result.code, result.out) == (2 if "device" in word else 1, "")
        assert result.err.startswith("Error: ") and word in result.err and "Traceback" not in result.err
    assert "--data is missing" in cinn("train", RECIPE).err
    for arguments in ([RECIPE], [RECIPE, "--data", "x", "--max-minutes", "nan"], [RECIPE, "--data", "x", "--fast"]):
        assert cinn("train", *arguments).code == 2
