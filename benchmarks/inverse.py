"""The field's benchmark of posteriors: ours and the default of the package `sbi` on the same simulations.

    python benchmarks/inverse.py [--simulations 10000] [--only two_moons] [--method ours] [--run runs/inverse]
    python benchmarks/inverse.py --check

Five problems of Lueckmann et al. 2021 (arXiv 2101.04653), with the reference posteriors of ten observations each. The
figure is the accuracy of a classifier that tells samples from the reference (C2ST, 0.5 is perfect), averaged over the
observations. Ours is what `cinn inverse fit` makes of a problem file at its defaults. Times are those of the processor
on one thread, so other work on the machine hardly matters. References and `sbi` are fetched into --cache once. Every
finished part is kept in --run as JSON, with the samples, and not done again. --check draws the benchmark's observations
from their seeds with our simulators.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inverse_parts.references import PROBLEMS, References, fetch_references, load, read_references, reproduced
from inverse_parts.rival import make_environment, run_npe
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cinn_app import InverseProblem
from cinn_app.files import atomic_write
from cinn_app.metrics.c2st import c2st
from cinn_app.systems.inverse_problems.problem import Problem
from cinn_app.systems.inverse_problems.recipe import default_recipe
from cinn_app.systems.inverse_problems.simulations import simulated
from cinn_app.training.run import train

#: What sbibm's authors published for NPE, by the number of simulations, in the order of the problems.
PUBLISHED = {
    1_000: (0.725, 0.975, 0.731, 0.696, 0.863),
    10_000: (0.606, 0.901, 0.661, 0.553, 0.678),
    100_000: (0.542, 0.831, 0.555, 0.509, 0.559),
}
SAMPLES = 10_000


def ours(problem: Problem, references: References, options: argparse.Namespace) -> dict[str, Any]:
    """Train the default model and sample the posteriors: samples, and seconds of training and of sampling."""
    sizes = len(problem.parameters), len(problem.measurements)
    recipe = default_recipe(problem.name, problem.title, *sizes, options.simulations, seed=options.seed)
    folder = options.run / "models" / f"{problem.name}-{options.simulations}-{options.seed}"
    model = folder.with_suffix(".safetensors")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped, whose seconds nobody knows
    begun = time.process_time()
    train(recipe, [Path(problem.source)], model, folder, options.cache, "cpu")
    trained = time.process_time()
    posterior = InverseProblem.load(model).posterior(references.observed)
    samples = posterior.sample((SAMPLES,), torch.Generator().manual_seed(options.seed)).movedim(0, 1)
    return {"samples": samples, "seconds": [trained - begun, time.process_time() - trained]}


def theirs(problem: Problem, references: References, options: argparse.Namespace) -> dict[str, Any]:
    """Do the same with `sbi`."""
    simulations = simulated(problem, options.simulations, options.seed, options.cache)
    made = run_npe(make_environment(options.cache / "sbi"), problem, simulations, references.observed, SAMPLES)
    return {"samples": torch.from_numpy(made["samples"]), "seconds": made["seconds"].tolist()}


METHODS = {"ours": ours, "sbi": theirs}


def judged(name: str, method: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the accuracies of all observations, and the seconds of a method on a problem; done before or now."""
    place = options.run / f"{name}-{method}-{options.simulations}-{options.seed}.json"
    kept = place.with_suffix(".npy")
    if place.exists():
        content: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if "c2st" in content or options.only_samples:
            return content
    references = read_references(fetch_references(options.cache), name)
    if not place.exists():
        simulated(load(name), options.simulations, options.seed, options.cache)  # which neither method's time includes
        made = METHODS[method](load(name), references, options)
        with atomic_write(kept) as file:
            np.save(file, made.pop("samples").numpy())
        content = made
    if not options.only_samples:
        samples: Tensor = torch.from_numpy(np.load(kept))
        content["c2st"] = c2st(references.samples, samples).tolist()
    with atomic_write(place) as file:
        file.write(json.dumps(content).encode())
    return content


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=10_000, help="for each problem, 10,000 by default")
    parser.add_argument("--only", action="append", choices=PROBLEMS, help="a problem, repeatable; all by default")
    parser.add_argument("--method", action="append", choices=METHODS, help="repeatable; both by default")
    parser.add_argument("--seed", type=int, default=0, help="of simulations and weights")
    parser.add_argument("--only-samples", action="store_true", help="train and sample, and leave C2ST for later")
    parser.add_argument("--run", type=Path, default=Path("runs/inverse"), help="folder of results")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder of downloads and simulations")
    parser.add_argument("--check", action="store_true", help="check the simulators by the published observations")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.cache.mkdir(parents=True, exist_ok=True)
    options.run.mkdir(parents=True, exist_ok=True)
    console = Console()
    names = options.only or list(PROBLEMS)
    if options.check:
        for name in names:
            references = read_references(fetch_references(options.cache), name)
            count = reproduced(load(name), references)
            console.print(f"{PROBLEMS[name]}: {count} of {len(references.seeds)} observations drawn from their seeds")
        return
    methods = options.method or list(METHODS)
    table = Table(title=f"{options.simulations:,} simulations: C2ST, and seconds of training and of ten posteriors")
    for column in ("problem", *methods, "published NPE"):
        table.add_column(column)
    for number, name in enumerate(PROBLEMS):
        if name in names:
            cells = [_cell(judged(name, method, options)) for method in methods]
            published = PUBLISHED.get(options.simulations)
            table.add_row(PROBLEMS[name], *cells, f"{published[number]:.3f}" if published else "-")
    console.print(table)


def _cell(content: dict[str, Any]) -> str:
    accuracy = f"{np.mean(content['c2st']):.3f}" if "c2st" in content else "-"
    return f"{accuracy}  ({content['seconds'][0]:.0f} s, {content['seconds'][1]:.1f} s)"


if __name__ == "__main__":
    main()
