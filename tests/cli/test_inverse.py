"""`cinn inverse`: from a file with two functions to posteriors, and one sentence for what goes wrong."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from known_problems import COIN, LINE, untrained, write_problem

from cinn_app.checkpoints import load_checkpoint, save_checkpoint
from cinn_app.systems.inverse_problems.problem import builtin_problems


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    save_checkpoint(folder / "mine.safetensors", untrained(write_problem(folder, LINE)), half=False)
    return folder / "mine.safetensors"


def test_samples_are_written_as_tables_and_the_same_seed_gives_the_same(cinn: Callable, model: Path) -> None:
    result = cinn("inverse", "sample", model, "--observe", "-0.3,1.2,1", "-n", 50, "-o", "s.csv")
    assert result == (0, "Wrote 50 samples of one observation to s.csv.\n", "")
    lines = Path("s.csv").read_text().splitlines()
    assert lines[0] == "slope,offset" and len(lines) == 51
    cinn("inverse", "sample", model, "--observe", "-0.3,1.2,1", "-n", 50, "-o", "again.npy")
    cinn("inverse", "sample", model, "--observe", "-0.3,1.2,1", "-n", 50, "--seed", 1, "-o", "other.npy")
    first = np.loadtxt("s.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(first, np.load("again.npy"), rtol=1e-5)
    assert np.abs(first - np.load("other.npy")).max() > 0.1


def test_several_observations_give_one_table_and_far_ones_a_warning(cinn: Callable, model: Path) -> None:
    Path("o.csv").write_text("y3,y2,y1\n0,0,0\n99,0,0\n")
    result = cinn("inverse", "sample", model, "--observe", "o.csv", "-n", 20, "-o", "s.parquet", "--plot", "s.png")
    assert result.code == 0 and result.out == "Wrote 20 samples of each of 2 observations to s.parquet.\nWrote s.png.\n"
    assert result.err == "Observation 1: no simulation came near this; the answer is an extrapolation.\n"
    import pandas

    table = pandas.read_parquet("s.parquet")
    assert list(table.columns) == ["observation", "slope", "offset"] and table["observation"].sum() == 20
    assert Path("s.png").read_bytes().startswith(b"\x89PNG")


def test_no_output_replaces_what_is_read(cinn: Callable, model: Path) -> None:
    observed = "0,0,0\n"
    Path("o.csv").write_text(observed)
    result = cinn("inverse", "sample", model, "--observe", "o.csv", "-o", "o.csv")
    assert result.code == 1 and result.err == "Error: o.csv is read, and would be overwritten: name another output.\n"
    path = write_problem(Path.cwd(), LINE)
    source = path.read_text()
    result = cinn("inverse", "fit", path, "-o", path)
    assert result.code == 1 and result.err.endswith("is no name of a checkpoint: let it end in .safetensors.\n")
    result = cinn("inverse", "check", model, "--problem", path, "--json", path)
    assert result.code == 1 and result.err.endswith("is read, and would be overwritten: name another output.\n")
    assert Path("o.csv").read_text() == observed and path.read_text() == source


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--observe", "1,2", "-o", "s.csv"], 1, "has 2 values where this problem measures 3: give 3 numbers."),
        (["--observe", "1,2,x", "-o", "s.csv"], 1, "The observation '1,2,x' is neither numbers nor a file"),
        (["--observe", "text.csv", "-o", "s.csv"], 1, "Line 2 of text.csv has 'hello' where a number is needed"),
        (["--observe", "1,2,3", "-o", "s.txt"], 1, "s.txt does not end like a table"),
        (["--observe", "1,2,3", "-o", "none/s.csv"], 1, "there is no folder none"),
        (["--observe", "1,2,3", "-o", "s.csv", "--plot", "p.gif"], 1, "p.gif does not end like a plot"),
        (["--observe", "1,2,3", "-o", "s.csv", "-n", "0"], 2, "Invalid value"),
        (["--observe", "1,2,3", "-o", "s.csv", "-n", "30000000"], 2, "30,000,000 samples are more than the 20,000,000"),
        (["-o", "s.csv"], 2, "Missing option"),
    ],
)
def test_bad_input_of_sample_is_one_sentence_and_writes_nothing(
    cinn: Callable, model: Path, arguments: list[str], code: int, sentence: str
) -> None:
    Path("text.csv").write_text("1,2,3\n4,5,hello\n")
    result = cinn("inverse", "sample", model, *arguments)
    assert result.code == code and result.out == "" and sentence in result.err
    assert [path.name for path in Path().iterdir()] == ["text.csv"]


def test_a_model_of_another_system_or_of_none_is_refused(
    cinn: Callable, tiny_digits_checkpoint: Path, tmp_path: Path
) -> None:
    for given, sentence in (
        (tiny_digits_checkpoint, "The model tiny-digits is made for digits, not for inverse-problems: choose another."),
        ("nothing.safetensors", "There is no checkpoint at nothing.safetensors"),
    ):
        result = cinn("inverse", "sample", given, "--observe", "1,2,3", "-o", "s.csv")
        assert result.code == 1 and sentence in result.err and not Path("s.csv").exists()


def test_check_measures_and_says_in_words_what_it_means(cinn: Callable, model: Path) -> None:
    write_problem(Path(), LINE)
    options = ["--simulations", 200, "--samples", 50, "--plot", "c.png", "--json", "c.json"]
    result = cinn("inverse", "check", model, "--problem", "mine.py", *options)
    assert result.code == 0
    for label in ("Calibration error, mean over parameters: 0.", "Re-simulation error: ", "left unexplained: "):
        assert label in result.out
    assert "The posterior should not be trusted yet: train longer, or with more simulations." in result.err
    assert "Its parameters do not reproduce the measurements" in result.err  # it has learnt nothing
    written = json.loads(Path("c.json").read_text())
    assert (
        written["grade"] == "nothing" and written["checks"] == 200 and 0 < written["figures"]["calibration_error"] < 1
    )
    assert Path("c.png").read_bytes().startswith(b"\x89PNG")
    write_problem(Path(), LINE + "\n# a remark\n")
    assert (
        "mine.py has changed since the model was trained"
        in cinn("inverse", "check", model, "--problem", "mine.py", *options).err
    )
    measured = cinn("evaluate", model, "--data", "mine.py", "--checks", 100, "--samples", 20)
    assert measured.code == 0 and "mine, on 100 simulations" in measured.out and "Calibration error" in measured.out


def test_check_refuses_another_problem_and_asks_for_the_file(cinn: Callable, model: Path) -> None:
    write_problem(Path(), COIN, "coin")
    result = cinn("inverse", "check", model, "--problem", "coin.py", "--plot", "c.png")
    assert result.code == 1 and not Path("c.png").exists() and not Path("cache").exists()
    assert (
        "The model mine is of the problem mine, with the parameters slope, offset, but coin has chance: give the "
        "problem that it was trained on." in result.err
    )
    result = cinn("inverse", "check", model)
    assert result.code == 1 and "is of a problem that is not built in, mine.py: give its file" in result.err


@pytest.mark.parametrize(
    ("source", "arguments", "code", "sentence"),
    [
        (LINE, ["--simulations", 150], 1, "150 simulations are too few to learn a posterior from: make at least 200."),
        (LINE, ["--simulations", -1], 1, "-1 simulations are too few"),
        (LINE, ["-o", "none/m.safetensors"], 1, "there is no folder none"),
        (LINE, ["--objective", "magic"], 2, "Invalid value for '--objective'"),
        (LINE, ["--resume"], 1, "There is no state to resume in runs/m: start without --resume."),
        ("def prior(count, generator): return [[1]] * count", [], 1, "mine.py has no function simulate"),
        (LINE.replace("0.5 *", "1 / 0 *"), [], 1, "in simulate (ZeroDivisionError: division by zero, line 16)"),
        (LINE.replace("x[:, 1:]", "x[:, 1:].log()"), [], 1, "returned nan for y1 in"),
    ],
    ids=["few", "negative", "folder", "objective", "resume", "function", "exception", "nan"],
)  # fmt: skip
def test_bad_input_of_fit_is_one_sentence_and_writes_nothing(
    cinn: Callable, source: str, arguments: list[object], code: int, sentence: str
) -> None:
    write_problem(Path(), source)
    result = cinn("inverse", "fit", "mine.py", "-o", "m.safetensors", "--simulations", 300, *arguments)
    assert result.code == code and sentence in result.err, result.err
    assert not list(Path().rglob("*.safetensors")) and not Path("runs").exists()


def test_a_checkpoint_or_a_recipe_of_a_stranger_names_no_file_to_run(
    cinn: Callable, model: Path, as_toml: Callable
) -> None:
    evil = write_problem(Path(), "open('ran', 'w')\n" + LINE, "evil").absolute()
    checkpoint = load_checkpoint(model)
    record = {**checkpoint.details["problem"], "name": str(evil), "builtin": True}
    changed = dataclasses.replace(checkpoint, details={"problem": record})
    save_checkpoint(Path("evil.safetensors"), changed, half=False)
    recipe = checkpoint.recipe.model_dump()
    Path("evil.toml").write_text(as_toml({**recipe, "data": {**recipe["data"], "problem": str(evil)}}))
    for command in (["inverse", "check", "evil.safetensors"], ["train", "evil.toml", "-o", "m.safetensors"]):
        result = cinn(*command)
        assert result.code == 1 and f"There is no built-in problem {evil}: update" in result.err
    assert not Path("ran").exists()


def test_problems_are_listed(cinn: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from cinn_app.cli import console

    monkeypatch.setattr(console.out, "width", 300)
    result = cinn("inverse", "problems")
    assert result.code == 0 and all(name in result.out for name in builtin_problems())
    missing = cinn("inverse", "fit", "kinematic", "-o", "m.safetensors")
    assert missing.code == 1 and "There is no problem kinematic: give the path" in missing.err


@pytest.mark.slow
def test_fit_trains_stops_and_resumes(cinn: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from cinn_app.systems.inverse_problems.training import InverseTraining
    from cinn_app.training.callbacks import StateSaver

    monkeypatch.setattr(StateSaver.__init__, "__defaults__", (0,))  # save at every step
    monkeypatch.setattr("cinn_app.devices._has_bfloat16", lambda device: True)
    write_problem(Path(), LINE)
    fit = ["inverse", "fit", "mine.py", "-o", "m.safetensors", "--simulations", 1000, "--device", "cpu"]
    loss, steps = InverseTraining.loss, 0

    def interrupted(self: InverseTraining, batch: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 6:
            raise KeyboardInterrupt
        return loss(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(InverseTraining, "loss", interrupted)
        stopped = cinn(*fit)
    assert stopped.code == 130 and "The fit was stopped: continue with --resume." in stopped.err
    assert not Path("m.safetensors").exists()
    again = cinn(*fit)
    assert again.code == 1 and "continue it with --resume" in again.err
    resumed = cinn(*fit, "--resume", "--max-minutes", 0)
    assert "Training on cpu in float32." in resumed.out  # a sharp posterior needs the digits
    assert resumed.code == 0 and "Wrote m.safetensors." in resumed.out and "Nats, held out: " in resumed.out
    checkpoint = load_checkpoint(Path("m.safetensors"))
    assert checkpoint.figures["steps"] == 6 and checkpoint.details["problem"]["parameters"][0]["name"] == "slope"
    assert cinn(*fit, "--max-minutes", 0).code == 0, "a finished fit cannot be started again"
    assert cinn("inverse", "sample", "m.safetensors", "--observe", "0,0,0", "-n", 5, "-o", "s.csv").code == 0
