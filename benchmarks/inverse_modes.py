"""Eight modes in three labellings: our flows, ablations of their losses, and six rivals, trained for equal times.

    python benchmarks/inverse_modes.py [--seconds 10] [--seed 0] [--only NAME] [--run DIR] [--pictures docs/images]

Every contestant learns from the same 20,000 simulations for as many seconds of the processor, with the same schedule
and averaging of the weights, and with as many weights where it samples (the larger GAN has four times as many). Each
is measured on 6,000 samples per labelling. What is trained is kept in the folder --run, and only measured again; then
come the table, the picture of all samples and that of the latent spaces. With --film SECONDS the flow learns once more
by likelihood, without labels, and a film shows how its latent space forms.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from eight_modes.contestant import Contestant, count_weights, train
from eight_modes.flows import Flow
from eight_modes.generators import ConditionalGAN, DropoutSampling, LargeConditionalGAN, MMDGenerator
from eight_modes.labellings import LABELLINGS, Labelling
from eight_modes.measuring import DRAWS, Scores, draw_all, label_error, measure
from eight_modes.pictures import Film, latent_picture, samples_picture, sheet
from eight_modes.vae import AutoregressiveVAE, ConditionalVAE
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cinn_app.files import atomic_write

SIMULATIONS, TESTED = 20_000, 5000
#: Of the points whose labels are predicted: no training has it.
TEST_SEED = 1_000_000

#: Makes a contestant for simulations: points ``(count, 2)`` and labels ``(count, M)``.
Maker = Callable[[Tensor, Tensor], Contestant]


def rival(kind: Callable[[int], Contestant]) -> Maker:
    """Return what makes a rival, which only has to know how many values a label has."""
    return lambda x, y: kind(y.shape[1])


OURS: dict[str, Maker] = {
    "flow, likelihood": partial(Flow, objective="likelihood"),
    "flow, both": partial(Flow, objective="both"),
    "INN, all losses": partial(Flow, objective="mmd"),
    "INN, L_y + L_z": partial(Flow, objective="mmd", prior_weight=0.0),
    "INN, L_x": partial(Flow, objective="mmd", fit_weight=0.0, latent_weight=0.0),
}
RIVALS: dict[str, Maker] = {
    "GAN": rival(ConditionalGAN),
    "larger GAN": rival(LargeConditionalGAN),
    "MMD generator": rival(MMDGenerator),
    "VAE": rival(ConditionalVAE),
    "VAE-IAF": rival(AutoregressiveVAE),
    "dropout": rival(DropoutSampling),
}
CONTESTANTS = OURS | RIVALS


def compete(name: str, labelling: Labelling, seconds: float, seed: int) -> tuple[dict[str, Any], Contestant]:
    """Train and measure a contestant; return its figures and samples, and itself."""
    x, y = labelling.simulate(SIMULATIONS, seed)
    torch.manual_seed(seed)
    trained = train(CONTESTANTS[name](x, y), x, y, seconds, seed)
    samples = draw_all(trained.contestant, labelling)
    error = label_error(trained.contestant, labelling, labelling.simulate(TESTED, TEST_SEED)[0])
    scores = measure(samples, labelling)._replace(label_error=error)
    result = {
        "scores": scores._asdict(),
        "weights": count_weights(trained.contestant.sampler),
        "steps": trained.steps,
        "seconds": seconds,
        "samples": samples,
    }
    return result, trained.contestant


def truth(labelling: Labelling) -> dict[str, Any]:
    """Return figures and samples of the true posterior: what sampling noise alone amounts to."""
    generator = torch.Generator().manual_seed(3)
    count = DRAWS // len(labelling.codes)
    samples = [labelling.posterior(label, count, generator) for label in range(len(labelling.codes))]
    return {"scores": measure(samples, labelling)._asdict(), "samples": samples}


def table(found: dict[str, dict[str, dict[str, Any]]]) -> Table:
    """Show a row per contestant, and in each cell the three labellings."""
    result = Table(title="Eight modes: " + " / ".join(LABELLINGS), title_justify="left")
    columns = ("MMD x 1000", "modes found", "in wrong modes", "stray", "label error", "weights", "steps")
    for number, column in enumerate(("contestant", *columns)):
        result.add_column(column, justify="right" if number else "left")
    for name, by_labelling in found.items():
        scores = [Scores(**figures["scores"]) for figures in by_labelling.values()]
        first = next(iter(by_labelling.values()))
        errors = [score.label_error for score in scores if score.label_error is not None]
        result.add_row(
            name,
            " / ".join(f"{1000 * score.mmd:.2f}" for score in scores),
            " / ".join(str(score.modes) for score in scores),
            " / ".join(f"{score.wrong:.1%}" for score in scores),
            " / ".join(f"{score.stray:.1%}" for score in scores),
            " / ".join(f"{error:.1%}" for error in errors) or "-",
            f"{first['weights']:,}" if "weights" in first else "-",
            " / ".join(f"{figures['steps']:,}" for figures in by_labelling.values()) if "steps" in first else "-",
        )
    return result


def film(path: Path, seconds: float) -> None:
    """Train the conditional flow without labels, and film its latent space."""
    labelling = LABELLINGS["none"]
    x, y = labelling.simulate(SIMULATIONS, seed=0)
    torch.manual_seed(0)
    recorded = Film(labelling)
    train(CONTESTANTS["flow, likelihood"](x, y), x, y, seconds, watch=recorded.watch)
    recorded.save(path)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of the processor, for each training")
    parser.add_argument("--seed", type=int, default=0, help="of simulations, weights and training")
    parser.add_argument("--only", metavar="NAME", action="append", choices=CONTESTANTS, help="repeatable")
    parser.add_argument("--labelling", action="append", choices=LABELLINGS, help="repeatable; by default all three")
    parser.add_argument("--run", type=Path, default=Path("runs/inverse-modes"), help="folder of what is trained")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures")
    parser.add_argument(
        "--film", metavar="SECONDS", type=float, help="of a training to film, into the pictures' folder"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Train what is not trained yet, print the table and draw."""
    options.run.mkdir(parents=True, exist_ok=True)
    labellings = {name: LABELLINGS[name] for name in options.labelling or LABELLINGS}
    found = {"the true posterior": {name: truth(labelling) for name, labelling in labellings.items()}}
    for name in options.only or CONTESTANTS:
        found[name] = {}
        for key, labelling in labellings.items():
            kept = options.run / f"{key}, {name}, {options.seed}.pt"
            if not kept.exists():
                result, contestant = compete(name, labelling, options.seconds, options.seed)
                print(key, name, result["scores"], file=sys.stderr, flush=True)
                if isinstance(contestant, Flow):
                    latent_picture(contestant, labelling.codes[0]).save(kept.with_suffix(".png"))
                torch.save(result, kept)
            found[name][key] = torch.load(kept)
    Console(width=None if sys.stdout.isatty() else 160).print(table(found))
    if options.pictures:
        columns = {name: [samples_picture(part["samples"]) for part in parts.values()] for name, parts in found.items()}
        sheet(columns, list(labellings)).save(options.pictures / "eight-modes.png", optimize=True)
        latents = {
            name: [Image.open(options.run / f"{key}, {name}, {options.seed}.png") for key in labellings]
            for name in found
            if name in OURS
        }
        sheet(latents, list(labellings)).save(options.pictures / "eight-modes-latents.png", optimize=True)
        if options.film:
            film(options.pictures / "eight-modes.webp", options.film)
    if options.json:
        figures = {
            name: {key: {k: v for k, v in part.items() if k != "samples"} for key, part in parts.items()}
            for name, parts in found.items()
        }
        with atomic_write(options.json) as file:
            file.write(json.dumps(figures, indent=2).encode() + b"\n")


if __name__ == "__main__":
    run(parse())
