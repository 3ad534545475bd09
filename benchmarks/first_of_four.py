"""Which of four colourings should be first? Measures compared by how near to the truth their first ones are.

    python benchmarks/first_of_four.py --data photos/val.tar [--limit 60]

Of each photograph sixteen colourings are drawn and four are chosen, as the studio does, with one measure after another
in place of `best_first`. Errors are root mean square differences of ab from the truth at the network's size.
"""

import argparse
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cinn_app import Colorizer
from cinn_app.data.sources import image_names, iterate_images
from cinn_app.evaluation import evenly_spread
from cinn_app.imaging import read_photograph
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.metrics import rmse
from cinn_app.systems.colorization.selection import CANDIDATES, Order, best_first, choose_diverse

SHOWN = 4
#: The columns of the table.
COLUMNS = ("nearest", "rank", "error", "nearest in hue", "chroma, of the four", "chroma, of the truth", "palest")


class Picture(NamedTuple):
    """Colourings of one photograph, the single best guess, and the truth."""

    candidates: Sequence[Colouring]
    guess: Colouring
    truth: Colouring


def chroma(ab: Tensor) -> Tensor:
    """Return the mean chroma of each colouring ``(..., 2, height, width)``."""
    return ab.norm(dim=-3).mean((-2, -1))


def measures(picture: Picture) -> Mapping[str, Callable[[Colouring], float]]:
    """Return what orders colourings of a photograph, the smallest first."""
    others = [one.ab for one in picture.candidates]
    return {
        "the palest": lambda one: float(chroma(one.ab)),
        "the likeliest": lambda one: -one.log_prob,
        "nearest to the best guess": lambda one: float(rmse(one.ab, picture.guess.ab)),
        "nearest to all draws": lambda one: float(torch.stack([rmse(one.ab, other) for other in others]).mean()),
    }


def judge(four: Sequence[Colouring], truth: Tensor) -> dict[str, tuple[float, float]]:
    """Compare the first of four colourings with all of them: numerators and denominators of :data:`COLUMNS`."""
    ab = torch.stack([one.ab for one in four])
    vividness, true = chroma(ab), float(chroma(truth))
    errors = rmse(ab, truth)
    in_hue = rmse(ab * (true / vividness.clamp(min=1e-3))[:, None, None, None], truth)
    pairs: tuple[tuple[Tensor | float, Tensor | float], ...] = (
        (errors.argmin() == 0, 1),
        (1 + (errors < errors[0]).sum(), 1),
        (errors[0], errors.mean()),
        (in_hue.argmin() == 0, 1),
        (vividness[0], vividness.mean()),
        (vividness[0], true),
        (vividness.argmin() == 0, 1),
    )
    return {name: (float(above), float(below)) for name, (above, below) in zip(COLUMNS, pairs, strict=True)}


def order_by(measure: Callable[[Colouring], float]) -> Order:
    """Return what puts the smallest first."""
    return lambda some, _: sorted(some, key=measure)


def compare(pictures: Sequence[Picture]) -> dict[str, dict[str, float]]:
    """Return the figures of each measure; parts are averaged over photographs before they are divided."""
    found: dict[str, list[dict[str, tuple[float, float]]]] = {}
    for picture in pictures:
        for name, measure in measures(picture).items():
            four = choose_diverse(picture.candidates, SHOWN, order_by(measure))
            found.setdefault(name, []).append(judge(four, picture.truth.ab))
        four = choose_diverse(picture.candidates, SHOWN, best_first)
        found.setdefault("best_first", []).append(judge(four, picture.truth.ab))
    averages = {name: {key: np.mean([one[key] for one in all_], 0) for key in COLUMNS} for name, all_ in found.items()}
    return {name: {key: float(pair[0] / pair[1]) for key, pair in one.items()} for name, one in averages.items()}


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Format the figures as Markdown."""
    lines = ["| first is | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    lines += [f"| {name} | " + " | ".join(f"{one[key]:.2f}" for key in COLUMNS) + " |" for name, one in found.items()]
    return "\n".join(lines)


def main() -> None:
    """Draw, compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="colour photographs, repeatable")
    parser.add_argument("--limit", type=int, default=60, help="photographs, spread evenly")
    parser.add_argument("--model", default="colorize")
    options = parser.parse_args()
    colorizer = Colorizer.load(options.model)
    numbers = evenly_spread(len(image_names(options.data)), options.limit)
    pictures = []
    for number, image in zip(numbers, iterate_images(options.data, set(numbers)), strict=True):
        encoded = colorizer.encode_photograph(read_photograph(io.BytesIO(image.content), keep_colour=True))
        drawn = colorizer.colorize(encoded, CANDIDATES * SHOWN, seed=number)
        pictures.append(Picture(drawn, colorizer.best_guess(encoded), colorizer.encode(encoded)))
    print(table(compare(pictures)))


if __name__ == "__main__":
    main()
