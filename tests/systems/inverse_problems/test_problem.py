"""Problem files: what they may say, and one sentence for each thing they do wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from known_problems import COIN, LINE, write_problem

from cinn_app.errors import ProblemError
from cinn_app.systems.inverse_problems.problem import Quantity, builtin_problems, load_problem

HEAD = "import torch\n"
PRIOR = "def prior(count, generator):\n    return torch.rand(count, 2, generator=generator)\n"
SIMULATE = "def simulate(x, generator):\n    return x + 1\n"


def test_a_file_says_what_its_quantities_are(tmp_path: Path) -> None:
    problem = load_problem(write_problem(tmp_path, LINE))
    assert (problem.name, problem.title, problem.is_builtin) == ("mine", "A line through three noisy points.", False)
    assert problem.parameters == (Quantity("slope", "m/s"), Quantity("offset"))
    assert [one.label for one in problem.measurements] == ["y1 (m)", "y2 (m)", "y3 (m)"]
    (chance,) = load_problem(write_problem(tmp_path, COIN, "coin")).parameters
    assert (chance.name, chance.low, chance.high) == ("chance", 0.0, 1.0)


def test_two_functions_are_enough_and_may_return_arrays_and_lists(tmp_path: Path) -> None:
    source = """
import numpy as np
def prior(count, generator):
    return np.random.rand(count, 2)
def simulate(x, generator):
    return [[float(a), 2] if a > 0.5 else [float(b), 3] for a, b in x]
"""
    problem = load_problem(write_problem(tmp_path, source))
    assert [one.name for one in problem.parameters + problem.measurements] == ["x1", "x2", "y1", "y2"]
    x, y = problem.draw(200, torch.Generator())
    assert x.dtype == y.dtype == torch.float32
    expected = torch.where(x[:, :1] > 0.5, torch.stack([x[:, 0], torch.full([200], 2.0)], 1), 0)
    assert torch.equal(y[x[:, 0] > 0.5], expected[x[:, 0] > 0.5])


def test_modules_beside_a_file_can_be_imported_and_a_file_is_run_again_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "my_simulator.py").write_text("SHIFT = 3\n")
    source = "from my_simulator import SHIFT\n" + HEAD + PRIOR + SIMULATE.replace("1", "SHIFT")
    first = load_problem(write_problem(tmp_path, source))
    assert float(first.simulate(torch.zeros(1, 2), torch.Generator())[0, 0]) == 3
    second = load_problem(write_problem(tmp_path, source.replace("+ SHIFT", "- SHIFT")))
    assert float(second.simulate(torch.zeros(1, 2), torch.Generator())[0, 0]) == -3
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def prior(count, generator:", r"^mine.py cannot be loaded \(SyntaxError: .*, line 1\): correct the file\.$"),
        (HEAD + "import no_such_module\n", r"cannot be loaded \(ModuleNotFoundError: .*no_such_module.*, line 2\)"),
        (HEAD + "raise SystemExit(3)\n", r"cannot be loaded \(SystemExit: 3, line 2\)"),
        (HEAD + PRIOR, r"^mine.py has no function simulate: a problem defines prior\(count, generator\) and"),
        (HEAD + "prior = simulate = 3\n", "has no function prior and no function simulate"),
        (
            HEAD + PRIOR + SIMULATE.replace("x + 1", "x[:, 5]"),
            r"failed in simulate \(IndexError: .*, line 5\): correct",
        ),
        (HEAD + PRIOR + "def simulate(x):\n    return x\n", r"failed in simulate \(TypeError: .* takes 1 positional"),
        (HEAD + PRIOR + SIMULATE.replace("x + 1", "x[:, 0]"), r"simulate .* the shape \(2,\) where \(2, M\) is needed"),
        (HEAD + PRIOR + SIMULATE.replace("x + 1", "x[:1]"), r"the shape \(1, 2\) where \(2, M\) is needed"),
        (HEAD + PRIOR.replace("count, 2", "count, 0") + SIMULATE, r"prior .* the shape \(2, 0\) where \(2, D\)"),
        (HEAD + PRIOR + SIMULATE.replace("x + 1", "None"), "simulate of mine.py returned NoneType: return a tensor"),
        (HEAD + PRIOR + SIMULATE.replace("x + 1", "x / 0"), r"simulate .* returned inf for y1 in 2 of 2 rows"),
        (HEAD + PRIOR + SIMULATE.replace("x + 1", "(x - 9).log()"), r"returned nan for y1 in 2 of 2 rows: return"),
        ("names = ['a']\n" + HEAD + PRIOR + SIMULATE, r"^names of mine.py is \['a'\] where 2 entries are needed"),
        ("names = ['a', 'a']\n" + HEAD + PRIOR + SIMULATE, "names of mine.py has the entry 'a', which is empty, too"),
        (
            "ranges = [None, (1, 0)]\n" + HEAD + PRIOR + SIMULATE,
            r"range of x2 in mine.py is \(1, 0\): give \(low, high",
        ),
        (
            "ranges = [(0, .01), None]\n" + HEAD + PRIOR + SIMULATE,
            r"drew 0\.\d+ for x1, outside its range of 0 to 0.01",
        ),
    ],
)
def test_what_a_file_does_wrong_is_one_sentence(tmp_path: Path, source: str, sentence: str) -> None:
    with pytest.raises(ProblemError, match=sentence) as raised:
        load_problem(write_problem(tmp_path, source))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            PRIOR.replace("(count, 2, ", "(count, 2 if count < 9 else 3, ") + SIMULATE,
            "prior .* returned 3 columns where",
        ),
        (PRIOR.replace("return ", "return 7 + 0 * ") + SIMULATE, "parameter x1 of mine.py is 7 in each of 200 simul"),
        (
            PRIOR + SIMULATE.replace("x + 1", "x.round() * torch.tensor([1, 0])"),
            "measurement y2 .* is 0 in each of 200",
        ),
        (PRIOR + SIMULATE.replace("x + 1", "x.where(x < 0.99, torch.nan)"), r"returned nan for y\d in \d+ of 200 rows"),
    ],
)
def test_what_shows_only_in_many_simulations(tmp_path: Path, source: str, sentence: str) -> None:
    problem = load_problem(write_problem(tmp_path, HEAD + source))
    with pytest.raises(ProblemError, match=sentence):
        problem.draw(200, torch.Generator().manual_seed(0))


def test_unknown_names_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=r"^There is no problem tisue: .* \(.*kinematics.*tissue\)\.$"):
        load_problem("tisue")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(ProblemError, match=r"text\.txt is no Python file"):
        load_problem(tmp_path / "text.txt")


@pytest.mark.parametrize("name", builtin_problems())
def test_built_in_problems_describe_themselves(name: str) -> None:
    problem = load_problem(name)
    assert problem.is_builtin and problem.name == problem.source == name and problem.title != name
    x, y = problem.draw(100, torch.Generator().manual_seed(0))
    again = problem.draw(100, torch.Generator().manual_seed(0))
    assert torch.equal(x, again[0]) and torch.equal(y, again[1]), "it draws from another generator"
    assert np.isfinite(y.numpy()).all()
