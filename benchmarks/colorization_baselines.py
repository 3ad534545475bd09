"""Seven other ways to colour photographs beside ours: same data, encoder, decoder, schedule and minutes.

    python benchmarks/colorization_baselines.py --data train.tar --held-out val.tar --minutes 100 --json FILE

The families: gray; regression; soft classification (Zhang et al. 2016); a conditional VAE; a VAE with a
mixture-density prior (after Deshpande et al. 2017); a conditional GAN (pix2pix); colour queries (after DDColor); and
the flow of our recipe, trained in the same loop and measured as a colorizer. Each is trained for --minutes, one after
the other. A stopped call resumes where it was, and families that have had their minutes are only measured; delete the
folder --run to start again. Pictures and features are packed in the cache as by `cinn train`, or found there.

Every family predicts as our colorizer does: its single answer, or the centre of its samples (from the prior's mean, or
the code 0), is predicted at the larger sizes in both orientations. Samples depart from it as they do from the centre at
the working size.

The figure that counts is the energy score, which comes first in the table; docs/figures.md defines it.

--model adds a row with a finished checkpoint, which may have been trained for another time.
"""

import argparse
import sys
from collections.abc import Sequence

from colorization.classification import SoftClassification
from colorization.flow import Flow
from colorization.gan import ConditionalGAN
from colorization.painter import BaselinePainter
from colorization.queries import ColourQueries
from colorization.regression import Gray, Regression
from colorization.running import Family, common_options, measure, read_recipe, train_and_measure, wide_console
from colorization.tables import Figures, baseline_table, published_table
from colorization.vae import ConditionalVAE, MixtureDensityVAE

from cinn_app import Colorizer
from cinn_app.errors import CinnError

FAMILIES: dict[str, Family] = {
    "regression": Regression,
    "classification": SoftClassification,
    "cvae": ConditionalVAE,
    "vae-mdn": MixtureDensityVAE,
    "cgan": ConditionalGAN,
    "queries": ColourQueries,
    "flow": Flow,
}


def run(options: argparse.Namespace) -> dict[str, Figures]:
    """Measure gray and what is finished, then train and measure the families."""
    found = {"gray": measure("gray", BaselinePainter(Gray(), read_recipe(options).sizes), options)}
    if options.model:
        found[options.model] = measure(options.model, Colorizer.load(options.model, options.device), options)
    train_and_measure(FAMILIES, options, found, baseline_table)
    wide_console().print(published_table())
    for note in found["gray"]["notes"]:
        wide_console().print(note)
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = common_options(__doc__, "family", FAMILIES, "runs/baselines")
    parser.add_argument("--model", help="a shipped model's name or a checkpoint's path, to be measured, too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        run(parse())
    except CinnError as error:
        sys.exit(f"Error: {error}")
