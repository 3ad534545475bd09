"""Evaluation of a digit generator on MNIST's test set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cinn_app.errors import DataError
from cinn_app.evaluation import Evaluation, evenly_spread
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.digits.data import load_mnist, require_mnist
from cinn_app.systems.digits.generator import DigitGenerator
from cinn_app.systems.digits.model import bits_per_dim, dequantise

__all__ = ["evaluate_digits"]

BATCH = 250


@torch.inference_mode()
def evaluate_digits(
    generator: DigitGenerator,
    data: Sequence[Path] = (),
    *,
    cache: Path = Path("cache"),
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measure likelihood, classification and invertibility on the 10,000 test digits.

    Figures:

    * ``bits_per_dim``: of the grays given the true label, dequantised with uniform noise, once per picture;
    * ``bayes_accuracy``: share of digits whose true label :meth:`DigitGenerator.classify` finds most probable;
    * ``round_trip_error``: the largest absolute difference, over all pixels of all pictures in 0..1, between a
      dequantised picture and its decoded latent, in float32.

    Args:
        generator: what to measure.
        data: the folder that holds ``MNIST/raw``; without one MNIST is downloaded into the cache.
        cache: folder for downloads.
        limit: the most pictures to measure, spread evenly.
        progress: shows the advance.

    Raises:
        DataError: if MNIST is damaged, or is missing and cannot be downloaded.
    """
    if len(data) > 1:
        raise DataError("Digits are measured on MNIST alone: give one --data, the folder of MNIST/raw.")
    if data:
        require_mnist(data[0])
    test = load_mnist(data[0] if data else cache, train=False)
    images, labels = test.batch(np.array(evenly_spread(len(test.labels), limit)))
    noise = torch.Generator().manual_seed(0)
    model, device = generator.model, generator.device
    bits, correct, error = 0.0, 0, 0.0
    with progress("Reading the test digits", len(labels)) as advance:
        for batch, truth in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            x, y = dequantise(batch, torch.rand(batch.shape, generator=noise)).to(device), truth.to(device)
            z, log_prob = model.encode(x, y)
            bits += float(bits_per_dim(log_prob).sum())
            error = max(error, float((model.decode(z, y)[0] - x).abs().max()))
            correct += int((generator.classify(batch).argmax(1) == truth).sum())
            advance(len(truth))
    figures = {
        "bits_per_dim": bits / len(labels),
        "bayes_accuracy": correct / len(labels),
        "round_trip_error": error,
    }
    return Evaluation(figures, len(labels), [], data=["MNIST"])
