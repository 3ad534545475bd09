"""The examples run: the training of a flow, which can be interrupted, and the notebooks."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from PIL import Image

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def train_flow() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_flow", EXAMPLES / "train_flow.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_training_of_a_flow_learns_and_draws(
    train_flow: ModuleType, drawn_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--data", str(drawn_mnist), "--out", str(tmp_path)]
    train_flow.main([*folders, "--steps", "16", "--batch", "16", "--save-every", "8"])
    progress = re.findall(r"(\d+\.\d\d) bits/dim +(\d+\.\d\d) on test digits", capsys.readouterr().out)
    assert len(progress) == 2
    for bits in zip(*progress, strict=True):
        assert float(bits[-1]) < float(bits[0]) - 0.05
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.size == (600, 600)
        assert picture.getextrema() == (0, 255)


def test_an_interrupted_training_of_a_flow_goes_on_as_if_it_had_not_been(
    train_flow: ModuleType, drawn_mnist: Path, tmp_path: Path
) -> None:
    options = ["--data", str(drawn_mnist), "--steps", "4", "--batch", "8"]
    train_flow.main([*options, "--out", str(tmp_path / "whole")])
    train_flow.main([*options, "--out", str(tmp_path / "parts"), "--stop", "2"])
    train_flow.main([*options, "--out", str(tmp_path / "parts"), "--resume"])
    whole, parts = (torch.load(tmp_path / name / "state.pt", weights_only=True) for name in ("whole", "parts"))
    assert parts["step"] == whole["step"] == 4
    assert torch.equal(parts["generator"], whole["generator"])
    torch.testing.assert_close(parts["model"], whole["model"], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(parts["optimiser"]["state"], whole["optimiser"]["state"], atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--resume"], "nothing to resume"), (["--data", "{out}/nowhere"], "MNIST"), (["--stop", "1"], "of 4 steps")],
)
def test_what_the_training_of_a_flow_cannot_do_is_one_sentence(
    train_flow: ModuleType,
    drawn_mnist: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
    basis = ["--data", str(drawn_mnist), "--out", str(tmp_path), "--batch", "2"]
    if message == "of 4 steps":
        train_flow.main([*basis, "--steps", "4", "--stop", "1"])
        options = ["--resume", "--steps", "5"]
    with pytest.raises(SystemExit):
        train_flow.main([*basis, *[option.format(out=tmp_path) for option in options]])
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_the_training_of_a_flow_fits_on_a_few_screens() -> None:
    assert len((EXAMPLES / "train_flow.py").read_text(encoding="utf-8").splitlines()) <= 300


# ---- notebooks -----------------------------------------------------------------------------------------------------

NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def pictures(notebook: nbformat.NotebookNode) -> list[int]:
    """Return how many pictures each cell of code shows."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        sum(any(kind.startswith("image/") for kind in out.get("data", ())) for out in cell.outputs) for cell in cells
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_its_pictures(path: Path) -> None:
    kept = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(r"^STEPS = \d+$", "STEPS = 20", cell.source, flags=re.MULTILINE)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    assert pictures(notebook) == pictures(kept)
    assert sum(pictures(notebook)) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_as_it_ran_from_top_to_bottom(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [out for cell in code for out in cell.outputs]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    assert path.stat().st_size < 500_000
