"""What the scripts share: their options, their data, and training and measuring one family after the other."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cinn_app.cli.bars import rich_progress
from cinn_app.data.pack import split_held_out
from cinn_app.devices import choose_device, resolve_precision
from cinn_app.errors import RecipeError
from cinn_app.files import atomic_write
from cinn_app.nn.efficientnet import ImageEncoder, load_pretrained_encoder
from cinn_app.recipes import load_recipe
from cinn_app.systems.colorization.comparison import Painter
from cinn_app.systems.colorization.evaluation import evaluate_colorizer
from cinn_app.systems.colorization.recipe import ColorizationRecipe
from cinn_app.systems.colorization.training import prepare_views
from cinn_app.training.trainable import Setup
from colorization.baseline import Baseline
from colorization.tables import Figures
from colorization.training import train_baseline

RECIPE = Path(__file__).parents[2] / "models" / "colorize-small.toml"
#: Views from which the prior of colours is counted.
PRIOR_VIEWS = 1024

#: Makes one of those that are compared: from the pretrained encoder, the recipe, and chroma of what is learnt from.
Family = Callable[[ImageEncoder, ColorizationRecipe, Tensor], Baseline]


def common_options(
    description: str | None, one: str, families: Mapping[str, Family], run: str
) -> argparse.ArgumentParser:
    """Return the options that every comparison has.

    Args:
        description: of the script.
        one: what it calls each of those that it compares; the option that chooses among them is called so.
        families: by their names.
        run: the folder where states are kept if no other is named.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="pictures to learn from, repeatable")
    parser.add_argument("--held-out", type=Path, action="append", required=True, help="to measure on, likewise")
    parser.add_argument("--minutes", type=minutes, required=True, help=f"of training for each {one}, in all")
    chosen = f"only this {one}, repeatable; by default all: {', '.join(map(repr, families))}"
    parser.add_argument(f"--{one}", dest="chosen", metavar="NAME", action="append", choices=families, help=chosen)
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="sizes, data and schedule; by default ours")
    parser.add_argument("--samples", type=int, default=8, help="per picture")
    parser.add_argument("--limit", type=int, help="the largest number of pictures to measure on, spread evenly")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for packed pictures and features")
    parser.add_argument("--run", type=Path, default=Path(run), help="folder for states to go on from")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    return parser


def minutes(text: str) -> float:
    """Read how long to train."""
    number = float(text)
    if not number > 0:  # refuses not-a-number, too
        raise argparse.ArgumentTypeError("must be more than 0.")
    return number


def read_recipe(options: argparse.Namespace) -> ColorizationRecipe:
    """Read the recipe that was asked for.

    Raises:
        RecipeError: if it is damaged, or not a colorizer's.
    """
    recipe = load_recipe(options.recipe)
    if not isinstance(recipe, ColorizationRecipe):
        raise RecipeError(f"The recipe {options.recipe} is not of a colorizer: give one like {RECIPE.name}.")
    return recipe


def measure(name: str, painter: Painter, options: argparse.Namespace) -> Figures:
    """Measure one family, through the code of `cinn evaluate`."""
    Console(stderr=True).print(f"Measuring {name}")
    evaluation = evaluate_colorizer(
        painter, options.held_out, samples=options.samples, limit=options.limit, progress=rich_progress
    )
    return dataclasses.asdict(evaluation)


def train_and_measure(
    families: Mapping[str, Family],
    options: argparse.Namespace,
    found: dict[str, Figures],
    table: Callable[[dict[str, Figures], int], Table],
) -> None:
    """Train and measure one family after the other; after each, print the table and rewrite the file.

    Args:
        families: by their names.
        options: of the command line.
        found: what has been measured already, by name; the families' figures are added.
        table: makes the table of the figures, which are of a number of samples.
    """
    recipe, device = read_recipe(options), choose_device(options.device)
    encoder = load_pretrained_encoder(recipe.architecture.encoder)
    precision = resolve_precision("auto", device)
    setup = Setup(options.data, options.cache, device, precision, progress=rich_progress)
    views = prepare_views(recipe, encoder, setup)
    learnt, _ = split_held_out(views.pack.groups, recipe.data.held_out)
    counted = np.random.default_rng(recipe.data.seed).permutation(learnt)[:PRIOR_VIEWS]
    for name in options.chosen or families:
        torch.manual_seed(recipe.training.seed)
        baseline = families[name](encoder, recipe, views.batch(counted).ab).to(device)
        trained = train_baseline(name, baseline, views, learnt, options.minutes, options.run)
        found[name] = measure(name, trained.baseline.painter(), options)
        found[name]["training"] = {
            "steps": trained.steps,
            "minutes": trained.seconds / 60,
            "views_per_second": trained.steps * recipe.training.batch_size / trained.seconds,
            "loss_of_first_steps": trained.losses[0],
            "loss_of_last_steps": trained.losses[1],
        }
        wide_console().print(table(found, options.samples))
        if options.json:
            with atomic_write(options.json) as file:
                file.write(json.dumps(found, indent=2).encode() + b"\n")


def wide_console() -> Console:
    """Return where tables are printed: as wide as they are where that is a file."""
    return Console(width=None if sys.stdout.isatty() else 220)
