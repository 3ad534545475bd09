"""Ablations of our colorizer: variants of one change each, with the same data, schedule and minutes.

    python benchmarks/colorization_ablations.py --data train.tar --held-out val.tar --minutes 100 --json FILE

The variants: the whole recipe, with the pretrained encoder frozen; the encoder learning along; the encoder from scratch
(random weights, and all of it learns); cells of a grid in place of segments; and of the details' flows: no conditional
affine; no mixing, the couplings moving either half in turn; half and twice the couplings; and learning from all of each
batch instead of a share. Each is trained in the loop of the baselines, measured as a colorizer, and resumed: variants
that have had their minutes are only measured. A variant with slower steps takes fewer of them; the table has the views
per second.
"""

import argparse
import sys
from collections.abc import Sequence

from colorization.ablations import VARIANTS
from colorization.running import common_options, train_and_measure
from colorization.tables import Figures, ablation_table

from cinn_app.errors import CinnError


def run(options: argparse.Namespace) -> dict[str, Figures]:
    """Train and measure the variants."""
    found: dict[str, Figures] = {}
    train_and_measure(VARIANTS, options, found, ablation_table)
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    return common_options(__doc__, "variant", VARIANTS, "runs/ablations").parse_args(arguments)


if __name__ == "__main__":
    try:
        run(parse())
    except CinnError as error:
        sys.exit(f"Error: {error}")
