"""Measure the shipped models of inverse problems beside rejection sampling, and draw the pictures of their pages.

    python benchmarks/inverse_problems.py [--models kinematics tissue star-cluster] [--observations 10]
        [--simulations 1000000] [--output docs/images]

The re-simulation error is the distance of an observation from simulations with drawn parameters: root mean square over
samples, measurements and observations, in standard deviations of the measurements over the prior. Rejection sampling
keeps the nearest thousand of many simulations of each observation. An exact posterior has the error of the true
parameters. Calibration is measured by `cinn inverse check`.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from cinn_app import InverseProblem
from cinn_app.systems.inverse_problems.evaluation import problem_of
from cinn_app.systems.inverse_problems.plots import marginals, pair_plot
from cinn_app.systems.inverse_problems.problem import Problem
from cinn_app.systems.inverse_problems.problems import kinematics
from cinn_app.systems.inverse_problems.rejection import rejection_sample

#: Samples of each posterior that are re-simulated, and that rejection sampling keeps.
KEPT = 1000
#: Samples and observations of the timings and of the pictures.
SAMPLES, MANY, SHOWN = 5000, 100, 3
ARMS = 80


class Measured(NamedTuple):
    """Re-simulation errors, and seconds of one core for one posterior and for a hundred."""

    ours: float
    rejection: float
    truth: float
    one: float
    many: float


def resimulation_errors(problem: Problem, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Return mean squared distances, ``(M,)``, of an observation from simulations with parameters ``(count, D)``."""
    return (problem.simulate(x, generator) - y).square().mean(0)


def measure(inverse: InverseProblem, problem: Problem, observations: int, simulations: int) -> Measured:
    """Compare a model with rejection sampling on fresh observations."""
    generator = torch.Generator().manual_seed(2**31)
    x, y = problem.draw(observations, generator)
    scale = problem.draw(2000, generator)[1].std(0)
    errors = torch.zeros(3, len(problem.measurements))
    for number in range(observations):
        ours = inverse.posterior(y[number]).sample((KEPT,), generator)
        reference = rejection_sample(problem, y[number], KEPT, simulations, scale, seed=number).x
        truth = x[number].expand(KEPT, -1)
        for row, drawn in enumerate((ours, reference, truth)):
            errors[row] += resimulation_errors(problem, drawn, y[number], generator) / observations
    distances = (errors / scale**2).mean(1).sqrt().tolist()
    seconds(inverse, y[:1])  # the first call is slower
    return Measured(*distances, seconds(inverse, y[:1]), seconds(inverse, problem.draw(MANY, generator)[1]))


def seconds(inverse: InverseProblem, y: Tensor) -> float:
    """Return the seconds of the processor for 5,000 samples of each observation; other programs do not count."""
    start = time.process_time()
    inverse.posterior(y).sample((SAMPLES,))
    return time.process_time() - start


def draw_pictures(inverse: InverseProblem, problem: Problem, folder: Path) -> list[Path]:
    """Draw marginals of some observations with their truth, pairs of the first, and the arms of kinematics."""
    generator = torch.Generator().manual_seed(11)
    x, y = problem.draw(SHOWN, generator)
    samples = inverse.posterior(y).sample((SAMPLES,), generator).movedim(0, 1)
    prior = problem.prior(SAMPLES, generator)
    labels = [f"observation {number}" for number in range(1, SHOWN + 1)]
    figures = {
        "marginals": marginals(samples, problem.parameters, prior, x, labels),
        "pairs": pair_plot(samples[0], problem.parameters, prior, x[0]),
    }
    if problem.name == "kinematics":
        figures["arms"] = arms(samples, x, y)
    files = [folder / f"{inverse.recipe.name}-{kind}.png" for kind in figures]
    for file, figure in zip(files, figures.values(), strict=True):
        figure.savefig(file, dpi=90)
    return files


def arms(samples: Tensor, truth: Tensor, y: Tensor) -> Figure:
    """Draw arms that reach each observed point ``(B, 2)``, and the true ones."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    for axis, drawn, true, (across, up) in zip(figure.subplots(1, len(y)), samples, truth, y.tolist(), strict=True):
        for arm in kinematics.sketch(drawn[:ARMS]).tolist():
            axis.plot(*zip(*arm, strict=True), color="#00796b", alpha=0.2, linewidth=1)
        (arm,) = kinematics.sketch(true[None]).tolist()
        axis.plot(*zip(*arm, strict=True), "--", color="#c62828", linewidth=2)
        axis.plot(across, up, "o", color="black", markersize=9, fillstyle="none", markeredgewidth=2)
        axis.set_aspect("equal")
        axis.set(xlim=(-0.5, 2.1), ylim=(-1.7, 1.7), xlabel="across (m)", ylabel="up (m)")
    return figure


def main() -> None:
    """Print a row for each model, and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["kinematics", "tissue", "star-cluster"])
    parser.add_argument("--observations", type=int, default=10, help="fresh observations to measure with")
    parser.add_argument("--simulations", type=int, default=1_000_000, help="of rejection sampling, per observation")
    parser.add_argument("--output", type=Path, default=Path("docs/images"), help="the folder to write pictures into")
    options = parser.parse_args()
    print("Re-simulation errors, and seconds of the processor for 5,000 samples of one observation and of 100")
    print("model          ours    rejection  true parameters  one    100")
    for name in options.models:
        inverse = InverseProblem.load(name)
        problem = problem_of(inverse)
        ours, rejection, truth, one, many = measure(inverse, problem, options.observations, options.simulations)
        print(f"{name:13}  {ours:.4f}  {rejection:.4f}     {truth:.4f}           {one:.3f}  {many:.2f}")
        for file in draw_pictures(inverse, problem, options.output):
            print(f"  {file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
