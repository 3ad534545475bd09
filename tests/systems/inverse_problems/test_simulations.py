"""Simulations on disk: the same ones whatever the number of processes, and only those made that are missing."""

from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch
from known_problems import LINE, write_problem

from cinn_app.errors import DataError, ProblemError
from cinn_app.systems.inverse_problems import simulations
from cinn_app.systems.inverse_problems.problem import load_problem
from cinn_app.systems.inverse_problems.simulations import simulated

CARELESS = """
import random
import numpy as np
import torch
def prior(count, generator):
    return np.random.randn(count, 1)
def simulate(x, generator):
    return x + torch.randn(len(x), 1) + random.random()
"""

#: In a process of its own the chunk of 300 goes on for minutes, and the one of 500 fails as soon as that has begun.
WAITING = """
import multiprocessing, pathlib, time
import torch
def prior(count, generator):
    return torch.randn(count, 1, generator=generator)
def simulate(x, generator):
    begun = pathlib.Path(__file__).with_suffix(".begun")
    if multiprocessing.parent_process() and len(x) == 300:
        begun.touch()
        time.sleep(600)
    if multiprocessing.parent_process() and len(x) == 500:
        while not begun.exists():
            time.sleep(0.01)
        raise ZeroDivisionError
    return x
"""


def test_simulations_depend_on_seed_and_place_alone(tmp_path: Path) -> None:
    problem = load_problem(write_problem(tmp_path, LINE))
    many, few, other = simulated(problem, 1200), simulated(problem, 500), simulated(problem, 500, seed=1)
    assert torch.equal(many.x[:500], few.x) and torch.equal(many.y[:500], few.y)
    assert not torch.equal(many.x[500:1000], few.x) and not torch.equal(other.x, few.x)
    assert many.x.std(0) == pytest.approx([1, 1], abs=0.1)  # the prior's


def test_functions_that_use_global_generators_are_reproducible_and_leave_them_alone(tmp_path: Path) -> None:
    problem = load_problem(write_problem(tmp_path, CARELESS))
    torch.manual_seed(5)
    first, after = simulated(problem, 100), torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(simulated(problem, 100).y, first.y)


def test_only_what_is_missing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = load_problem(write_problem(tmp_path, LINE))
    whole = simulated(problem, 1600, cache=tmp_path)
    files = sorted((tmp_path / "simulations").rglob("*.npy"))
    assert [file.name for file in files] == ["000000-500.npy", "000001-500.npy", "000002-500.npy", "000003-100.npy"]
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:100])
    np.save(files[3], np.zeros((100, 3), np.float32))
    made = list[int]()
    chunk = simulations._chunk
    monkeypatch.setattr(simulations, "_chunk", lambda *args: made.append(args[2]) or chunk(*args))
    again = simulated(problem, 1600, cache=tmp_path)
    assert made == [1, 2, 3]
    assert torch.equal(again.x, whole.x) and torch.equal(again.y, whole.y)


def test_a_changed_problem_has_other_simulations(tmp_path: Path) -> None:
    first = simulated(load_problem(write_problem(tmp_path, LINE)), 100, cache=tmp_path)
    changed = load_problem(write_problem(tmp_path, LINE.replace("0.5", "5.0")))
    assert simulated(changed, 100, cache=tmp_path).y.std() > 2 * first.y.std()


def test_a_failure_keeps_what_was_made_before(tmp_path: Path) -> None:
    source = LINE.replace("return x", "if x[0, 0] == LATER:\n        raise ValueError('broken')\n    return x")
    later = simulated(load_problem(write_problem(tmp_path, LINE)), 600).x[500, 0].item()
    problem = load_problem(write_problem(tmp_path, source.replace("LATER", repr(later))))
    with pytest.raises(ProblemError, match=r"mine.py failed in simulate \(ValueError: broken, line \d+\): correct"):
        simulated(problem, 1500, cache=tmp_path)
    assert [file.name for file in (tmp_path / "simulations").rglob("*.npy")] == ["000000-500.npy"]


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    problem = load_problem(write_problem(tmp_path, LINE))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be kept in .* \(Not a directory\): make room"):
        simulated(problem, 100, cache=tmp_path / "file")


@pytest.mark.slow
def test_processes_make_the_same_simulations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "WORTH_PROCESSES", 0)
    problem = load_problem(write_problem(tmp_path, LINE))
    alone, together = simulated(problem, 2000), simulated(problem, 2000, jobs=2)
    assert torch.equal(alone.x, together.x) and torch.equal(alone.y, together.y)


@pytest.mark.slow
def test_processes_that_still_simulate_end_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "WORTH_PROCESSES", 0)
    problem = load_problem(write_problem(tmp_path, WAITING))
    with pytest.raises(ProblemError, match="ZeroDivisionError"):
        simulated(problem, 1300, jobs=2)  # the last chunk has 300
    assert not active_children()
