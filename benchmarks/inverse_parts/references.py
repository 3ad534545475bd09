"""Observations and reference posteriors of the field's benchmark, from the package `sbibm`: read, never imported.

Lueckmann et al. 2021 (arXiv 2101.04653). `problems/` has the simulators, written from the published definitions.
"""

import bz2
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cinn_app.systems.inverse_problems.problem import Problem, load_problem

__all__ = ["OBSERVATIONS", "PROBLEMS", "References", "fetch_references", "load", "reproduced"]

PACKAGE = "sbibm==1.1.0"
FOLDER = Path(__file__).parent / "problems"
#: In the order of the table, with their names there.
PROBLEMS = {
    "two_moons": "two moons",
    "slcp": "SLCP",
    "gaussian_mixture": "Gaussian mixture",
    "gaussian_linear_uniform": "Gaussian linear uniform",
    "bernoulli_glm": "Bernoulli GLM",
}
OBSERVATIONS = 10


class References(NamedTuple):
    """What the benchmark judges a problem by.

    Attributes:
        seeds: by which the benchmark drew parameters and observations.
        truth: parameters behind the observations, ``(10, D)``.
        observed: ``(10, M)``.
        samples: of the posteriors, ``(10, 10000, D)``.
    """

    seeds: list[int]
    truth: Tensor
    observed: Tensor
    samples: Tensor


def load(name: str) -> Problem:
    """Load the file of one of the problems."""
    return load_problem(FOLDER / f"{name}.py")


def fetch_references(cache: Path) -> Path:
    """Download the package, 18 MB, unless it is there; return the archive."""
    archives = list(cache.glob("sbibm-*.whl"))
    if not archives:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache), PACKAGE]
        subprocess.run(command, check=True)
        archives = list(cache.glob("sbibm-*.whl"))
    return archives[0]


def read_references(archive: Path, name: str) -> References:
    """Read what the archive has of a problem."""
    with zipfile.ZipFile(archive) as files:

        def table(observation: int, file: str) -> np.ndarray:
            content = files.read(f"sbibm/tasks/{name}/files/num_observation_{observation}/{file}")
            text = bz2.decompress(content) if file.endswith(".bz2") else content
            return np.loadtxt(text.decode().splitlines(), delimiter=",", skiprows=1, ndmin=2)

        def all_of(file: str) -> list[np.ndarray]:
            return [table(number, file) for number in range(1, OBSERVATIONS + 1)]

        seeds = [int(rows[0, 0]) for rows in all_of("observation_seed.csv")]
        truth, observed = (
            torch.from_numpy(np.concatenate(all_of(f"{file}.csv"))).float()
            for file in ("true_parameters", "observation")
        )
        samples = torch.from_numpy(np.stack(all_of("reference_posterior_samples.csv.bz2"))).float()
    return References(seeds, truth, observed, samples)


def reproduced(problem: Problem, references: References) -> int:
    """Return how many of the benchmark's observations, with their parameters, our simulator draws from their seeds.

    Both draw the same random numbers in the same order, so all that differs is rounding.
    """
    count = 0
    for number, seed in enumerate(references.seeds):
        generator = torch.Generator().manual_seed(seed)
        x = problem.prior(1, generator)
        y = problem.simulate(x, generator)
        same = [
            torch.allclose(drawn[0], published, rtol=1e-4, atol=1e-4)
            for drawn, published in ((x, references.truth[number]), (y, references.observed[number]))
        ]
        count += all(same)
    return count
