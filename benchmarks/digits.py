"""Measure the digits: readability, diversity, memorisation, likelihood, and FrEIA's network beside ours.

    python benchmarks/digits.py --data FOLDER [--model digits] [--minutes 20] [--json FILE]

A classifier that was trained on real digits alone recognises the generated ones; it is kept in the cache folder. With
--minutes, our recipe and FrEIA's network (with either noise, see digit_freia.py) are trained one after the other for
that time each; 0 leaves that out. Bits per dimension are of uniformly dequantised test digits, the same ones for every
network, all Jacobians counted. Samples at one temperature come from the same latents for every network.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from digit_classifier import (
    CHUNK,
    DigitClassifier,
    classify,
    load_classifier,
    nearest_distances,
    spread_within_classes,
)
from digit_freia import train_freia
from digit_tables import CLOSEST, TEMPERATURES, Figures, nearness_table, sample_table, summary_table
from rich.console import Console
from torch import Tensor

from cinn_app import DigitGenerator
from cinn_app.cli.bars import rich_progress
from cinn_app.devices import choose_device, resolve_precision
from cinn_app.files import atomic_write
from cinn_app.recipes import load_recipe
from cinn_app.systems.digits.data import Digits, load_mnist
from cinn_app.systems.digits.model import CLASSES, DIMS, bits_per_dim, dequantise
from cinn_app.training.run import train

RECIPE = Path(__file__).parents[1] / "models" / "digits.toml"


class Network(NamedTuple):
    """A network to measure.

    Attributes:
        encode: pictures in 0..1 ``(batch, 1, 28, 28)`` and labels to latents and ``log p(x | y)`` in nats.
        decode: latents ``(batch, 784)`` and labels to uint8 pictures ``(batch, 28, 28)``.
        parameters: number of trained ones.
    """

    encode: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    decode: Callable[[Tensor, Tensor], Tensor]
    parameters: int


class Bench(NamedTuple):
    """What all networks are measured with: the classifier, the real digits, samples per class, and the device."""

    classifier: DigitClassifier
    train: Digits
    test: Digits
    samples: int
    device: torch.device

    def labels(self) -> Tensor:
        """Return the labels of the samples, equally many of each class."""
        return torch.arange(CLASSES).repeat_interleave(self.samples)


def ours(generator: DigitGenerator) -> Network:
    """Wrap a generator of this project as a network to measure."""
    return Network(generator.model.encode, generator.decode, count_weights(generator.model))


def count_weights(model: torch.nn.Module) -> int:
    """Count the trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@torch.inference_mode()
def likelihood(network: Network, bench: Bench) -> float:
    """Return the bits per dimension of the test digits, dequantised with the same noise for every network."""
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    with rich_progress("Measuring the likelihood", len(bench.test.images)) as advance:
        for images, labels in zip(bench.test.images.split(CHUNK), bench.test.labels.split(CHUNK), strict=True):
            x = dequantise(images, torch.rand(images.shape, generator=generator)).to(bench.device)
            total += bits_per_dim(network.encode(x, labels.to(bench.device))[1]).sum().item()
            advance(len(images))
    return total / len(bench.test.images)


def draw(network: Network, bench: Bench, temperature: float) -> tuple[Tensor, float]:
    """Draw samples of every class, uint8 ``(count, 28, 28)``; return them and their number per second."""
    labels = bench.labels()
    latents = temperature * torch.randn(len(labels), DIMS, generator=torch.Generator().manual_seed(1))
    images, begun = [], time.perf_counter()
    with rich_progress(f"Drawing at temperature {temperature}", len(labels)) as advance:
        for z, y in zip(latents.split(CHUNK), labels.split(CHUNK), strict=True):
            images.append(network.decode(z, y))
            advance(len(z))
    return torch.cat(images), len(labels) / (time.perf_counter() - begun)


def measure(network: Network, bench: Bench) -> tuple[Figures, dict[float, Tensor]]:
    """Measure likelihood, readability, diversity and speed; return the samples, too, by temperature."""
    figures: Figures = {"parameters": network.parameters, "bits_per_dim": likelihood(network, bench)}
    truth = classify(bench.classifier, bench.test.images)
    true_spread = spread_within_classes(truth.features, bench.test.labels)
    drawn = {}
    for temperature in TEMPERATURES:
        drawn[temperature], rate = draw(network, bench, temperature)
        found, labels = classify(bench.classifier, drawn[temperature]), bench.labels()
        correct = found.labels == labels
        figures[f"T={temperature}"] = {
            "readable": correct.float().mean().item(),
            "spread": spread_within_classes(found.features, labels) / true_spread,
            "spread_of_readable": spread_within_classes(found.features[correct], labels[correct]) / true_spread,
            "samples_per_second": rate,
        }
    return figures, drawn


def memorisation(drawn: dict[float, Tensor], bench: Bench) -> Figures:
    """Compare the distances of samples and of test digits from training digits.

    The fair comparison takes as many training digits as there are test digits: samples of a network that has memorised
    nothing are nearer to either as often.
    """
    real = nearest_distances(bench.test.images, bench.train.images, bench.device)
    threshold, closest = torch.quantile(real, CLOSEST).item(), real.min().item()
    figures: Figures = {"threshold": threshold, "closest_of_test": closest, "median_of_test": real.median().item()}
    for temperature, images in drawn.items():
        near = nearest_distances(images, bench.train.images, bench.device)
        some = nearest_distances(images, bench.train.images[: len(real)], bench.device)
        unseen = nearest_distances(images, bench.test.images, bench.device)
        figures[f"T={temperature}"] = {
            "closest": near.min().item(),
            "median": near.median().item(),
            "below_threshold": (near < threshold).float().mean().item(),
            "below_closest_of_test": int((near < closest).sum()),
            "nearer_to_training_than_to_test": (some < unseen).float().mean().item(),
        }
    return figures


def side_by_side(minutes: float, bench: Bench, data: Path) -> dict[str, Figures]:
    """Train our recipe and FrEIA's network, each for a number of minutes, and measure them."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        run, begun = Path(folder), time.monotonic()
        checkpoint = train(
            load_recipe(RECIPE), [data], run / "digits.safetensors", run, run, str(bench.device), max_minutes=minutes
        )
        seconds = min(60 * minutes, time.monotonic() - begun)  # without what follows the training
    found["ours"] = measure(ours(DigitGenerator(checkpoint, bench.device)), bench)[0]
    found["ours"]["training_images_per_second"] = checkpoint.figures["views_seen"] / seconds
    for noise in ("uniform", "gaussian"):
        network, rate = train_freia(bench.train, noise, minutes, bench.device)
        name = f"FrEIA, {noise} noise"
        found[name] = measure(Network(network.encode, network.decode, count_weights(network)), bench)[0]
        found[name]["training_images_per_second"] = rate
    return found


def main() -> None:
    """Measure, and print the tables as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits", help="a shipped model's name or a checkpoint's path")
    parser.add_argument("--data", type=Path, default=Path("cache"), help="folder with MNIST/raw, downloaded if missing")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder where the classifier is kept")
    parser.add_argument("--samples", type=int, default=1000, help="per class")
    parser.add_argument("--minutes", type=float, default=20.0, help="of each training side by side; 0 leaves it out")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    options = parser.parse_args()

    console = Console(width=None if sys.stdout.isatty() else 160)
    device = choose_device(options.device)
    digits, test = load_mnist(options.data, train=True), load_mnist(options.data, train=False)
    generator = DigitGenerator.load(options.model, options.device)
    classifier = load_classifier(options.cache / "digit-classifier.pt", digits, device)
    bench = Bench(classifier, digits, test, options.samples, device)
    report: Figures = {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "training_precision": str(resolve_precision("auto", device)),
        "samples_per_class": options.samples,
        "minutes": options.minutes,
        "classifier_accuracy": (classify(classifier, test.images).labels == test.labels).float().mean().item(),
        "side_by_side": {},
    }
    console.print(report)
    report["model"], drawn = measure(ours(generator), bench)
    console.print(sample_table("The model", {options.model: report["model"]}))
    report["memorisation"] = memorisation(drawn, bench)
    console.print(nearness_table(report["memorisation"]))
    if options.minutes:
        report["side_by_side"] = side_by_side(options.minutes, bench, options.data)
        console.print(sample_table(f"After {options.minutes:g} minutes of training each", report["side_by_side"]))
    console.print(summary_table(report))
    if options.json:
        with atomic_write(options.json) as file:
            file.write(json.dumps(report, indent=2).encode())


if __name__ == "__main__":
    main()
