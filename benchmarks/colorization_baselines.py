"""Seven other ways to colour photographs beside ours: same data, frozen features, pyramid, schedule and minutes.

    python benchmarks/colorization_baselines.py --data train.tar --held-out val.tar --minutes 100 --json FILE

The families: gray; regression; soft classification (Zhang et al. 2016); a conditional VAE; a VAE with a
mixture-density prior (after Deshpande et al. 2017); a conditional GAN (pix2pix); colour queries (after DDColor); and
the flow of our recipe, trained in the same loop. Each is trained for so many minutes, one after the other. A call
that was stopped goes on where it was, and what has had its minutes is only measured; delete the folder --run to begin
anew. Pictures and features are packed in the cache as `cinn train` does, and found there where it did.

--model adds a row with a finished checkpoint, which may have had other minutes.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from colorization.baseline import Baseline
from colorization.classification import SoftClassification
from colorization.flow import Flow
from colorization.gan import ConditionalGAN
from colorization.painter import BaselinePainter
from colorization.queries import ColourQueries
from colorization.regression import Gray, Regression
from colorization.tables import Figures, baseline_table, published_table
from colorization.training import train_baseline
from colorization.vae import ConditionalVAE, MixtureDensityVAE
from rich.console import Console
from torch import Tensor

from cinn_app import Colorizer
from cinn_app.cli.bars import rich_progress
from cinn_app.data.features import cache_features
from cinn_app.data.pack import PackSettings, make_pack
from cinn_app.data.packed import PackedViews, split_held_out
from cinn_app.devices import choose_device, faster_autocast_dtype
from cinn_app.errors import CinnError
from cinn_app.files import atomic_write
from cinn_app.networks.encoder import ImageEncoder, load_pretrained_encoder
from cinn_app.recipes import ColorizationRecipe, load_recipe
from cinn_app.systems.colorization.comparison import Painter
from cinn_app.systems.colorization.evaluation import evaluate_colorizer

RECIPE = Path(__file__).parents[1] / "models" / "colorize.toml"
FAMILIES: dict[str, Callable[[ImageEncoder, ColorizationRecipe, Tensor], Baseline]] = {
    "regression": Regression,
    "classification": SoftClassification,
    "cvae": ConditionalVAE,
    "vae-mdn": MixtureDensityVAE,
    "cgan": ConditionalGAN,
    "queries": ColourQueries,
    "flow": Flow,
}
#: Views from which the prior of colours is counted.
PRIOR_VIEWS = 1024


def open_views(
    sources: Sequence[Path], cache: Path, encoder: ImageEncoder, recipe: ColorizationRecipe, device: torch.device
) -> PackedViews:
    """Pack pictures and cache features as our training does, or find both where it did."""
    data = recipe.data
    settings = PackSettings(data.size, data.views_sharp, data.views_enlarged, data.aged, data.seed)
    with rich_progress("Packing pictures", None) as advance:
        pack, report = make_pack(sources, cache, settings, advance)
    with rich_progress("Reading them with the encoder", report.views) as advance:
        return PackedViews(pack, cache_features(pack, encoder, device, faster_autocast_dtype(device), advance))


def measure(name: str, painter: Painter, options: argparse.Namespace) -> Figures:
    """Measure one family, through the code of `cinn evaluate`."""
    Console(stderr=True).print(f"Measuring {name}")
    evaluation = evaluate_colorizer(painter, options.held_out, options.samples, options.limit, progress=rich_progress)
    return dataclasses.asdict(evaluation)


def run(options: argparse.Namespace) -> dict[str, Figures]:
    """Train and measure one family after the other; the table is printed anew after each."""
    console = Console(width=None if sys.stdout.isatty() else 200)
    recipe = load_recipe(options.recipe)
    assert isinstance(recipe, ColorizationRecipe)
    device = choose_device(options.device)
    found = {"gray": measure("gray", BaselinePainter(Gray(), recipe.data.size), options)}
    if options.model:
        found[options.model] = measure(options.model, Colorizer.load(options.model, options.device), options)
    encoder = load_pretrained_encoder(recipe.architecture.encoder)
    views = open_views(options.data, options.cache, encoder, recipe, device)
    learnt, _ = split_held_out(views.groups, recipe.data.held_out)
    counted = np.random.default_rng(recipe.data.seed).permutation(learnt)[:PRIOR_VIEWS]
    for name in options.family or FAMILIES:
        torch.manual_seed(recipe.training.seed)
        baseline = FAMILIES[name](encoder, recipe, views.batch(counted).ab).to(device)
        trained = train_baseline(name, baseline, views, learnt, options.minutes, options.run)
        found[name] = measure(name, BaselinePainter(trained.baseline, recipe.data.size), options)
        found[name]["training"] = {
            "steps": trained.steps,
            "minutes": trained.seconds / 60,
            "loss_of_first_steps": trained.losses[0],
            "loss_of_last_steps": trained.losses[1],
        }
        console.print(baseline_table(found, options.samples))
        if options.json:
            with atomic_write(options.json) as file:
                file.write(json.dumps(found, indent=2).encode() + b"\n")
    console.print(published_table())
    for note in found["gray"]["notes"]:
        console.print(note)
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="pictures to learn from, repeatable")
    parser.add_argument("--held-out", type=Path, action="append", required=True, help="to measure on, likewise")
    parser.add_argument("--minutes", type=float, required=True, help="of training for each family, in all")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="only this one, repeatable; by default all")
    parser.add_argument("--model", help="a shipped model's name or a checkpoint's path, to be measured, too")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="sizes, data and schedule; by default ours")
    parser.add_argument("--samples", type=int, default=8, help="per picture")
    parser.add_argument("--limit", type=int, help="measure only on so many pictures, spread evenly")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for packed pictures and features")
    parser.add_argument("--run", type=Path, default=Path("runs/baselines"), help="folder for states to go on from")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    options = parser.parse_args(arguments)
    if not options.minutes > 0:  # refuses not-a-number, too
        parser.error("--minutes must be more than 0.")
    return options


if __name__ == "__main__":
    try:
        run(parse())
    except CinnError as error:
        sys.exit(f"Error: {error}")
