"""Runs the package `sbi` in an environment of its own, which is made at the first call."""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cinn_app.systems.inverse_problems.problem import Problem
from cinn_app.systems.inverse_problems.simulations import Simulations

__all__ = ["PACKAGE", "make_environment", "run_npe"]

PACKAGE = "sbi==0.27.0"
SCRIPT = Path(__file__).parent / "npe.py"
#: Draws from the prior, from which the covariance of one without ranges is computed.
DRAWS = 1_000_000


def make_environment(folder: Path) -> Path:
    """Return the Python of an environment with `sbi`; torch and what else is installed here is seen from there, too.

    So both methods run on the same torch, and nothing is downloaded twice.
    """
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    finished = folder / PACKAGE
    if not finished.exists():
        venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        scheme = "nt_venv" if os.name == "nt" else "posix_venv"
        packages = Path(sysconfig.get_path("purelib", scheme, {"base": str(folder), "platbase": str(folder)}))
        (packages / "parent.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
        finished.touch()
    return python


def run_npe(
    python: Path, problem: Problem, simulations: Simulations, observed: Tensor, count: int
) -> dict[str, np.ndarray]:
    """Train `sbi`'s default on simulations, and sample posteriors of observations; `npe.py` says what returns."""
    given = {"x": simulations.x, "y": simulations.y, "observed": observed}
    bounds = [(quantity.low, quantity.high) for quantity in problem.parameters]
    if all(None not in pair for pair in bounds):
        given |= dict(zip(("low", "high"), torch.tensor(bounds).T, strict=True))
    else:
        given["covariance"] = problem.prior(DRAWS, torch.Generator().manual_seed(0)).T.cov()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, count=count, **{name: value.numpy() for name, value in given.items()})
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [python.absolute(), SCRIPT.absolute(), source, target]
        subprocess.run(command, check=True, env=environment, cwd=folder)  # where `sbi` leaves its logs
        with np.load(target) as made:
            return dict(made)


if __name__ == "__main__":
    print(make_environment(Path(sys.argv[1])))
