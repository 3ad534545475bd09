"""Classifier two-sample test (C2ST): how often a trained classifier tells two sets of samples apart."""

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["c2st"]

FOLDS = 5
#: The classifier has two hidden layers, each this many times as wide as a sample.
WIDTH_FACTOR = 10
BATCH, LEARNING_RATE, WEIGHT_DECAY = 200, 1e-3, 1e-4
#: Training ends when the loss has not fallen by TOLERANCE for more than PATIENCE epochs in a row.
TOLERANCE, PATIENCE, MAXIMUM_EPOCHS = 1e-4, 10, 10_000


def c2st(truth: Tensor, samples: Tensor, seed: int = 1) -> Tensor:
    r"""Return the accuracy of a classifier that tells two sets of samples apart: 0.5 if they are of one distribution.

    The definition is that of the benchmark of simulation-based inference, Lueckmann et al. 2021 (arXiv 2101.04653):
    both sets are standardised by the mean and the standard deviation of ``truth``; the classifier has two hidden layers
    of :math:`10 D` rectified units; its accuracy is that on held-out samples, averaged over five folds. Adam, initial
    weights, batches, weight decay and the rule that ends the training are those of scikit-learn's ``MLPClassifier``.
    All classifiers of all pairs are trained side by side.

    Lopez-Paz and Oquab 2017 (arXiv 1610.06545).

    Args:
        truth: ``(n, D)``, or ``(pairs, n, D)`` to compare several pairs.
        samples: of the same shape.
        seed: of folds, initial weights and batches.

    Returns:
        Accuracies in 0..1, a scalar or ``(pairs,)``.

    Examples:
        >>> import torch
        >>> same = torch.randn(2, 500, 1, generator=torch.Generator().manual_seed(0))
        >>> 0.4 < c2st(same[0], same[1]) < 0.6
        tensor(True)
        >>> bool(c2st(same[0], same[1] + 10) > 0.99)
        True
    """
    if truth.dim() == 2:
        return c2st(truth[None], samples[None], seed)[0]
    generator = torch.Generator().manual_seed(seed)
    mean, deviation = truth.mean(1, keepdim=True), truth.std(1, keepdim=True)
    x = torch.cat([truth, samples], dim=1).sub(mean).div(deviation).float()
    labels = torch.cat([torch.zeros(truth.shape[1]), torch.ones(samples.shape[1])])
    folds = torch.randperm(len(labels), generator=generator).tensor_split(FOLDS)
    accuracies = []
    for length in sorted({len(fold) for fold in folds}):  # folds of one length are trained side by side
        held_out = torch.stack([fold for fold in folds if len(fold) == length])
        kept = torch.stack([torch.cat([f for f in folds if f is not fold]) for fold in folds if len(fold) == length])
        train, test = x[:, kept].flatten(0, 1), x[:, held_out].flatten(0, 1)
        pairs = len(x)
        correct = _accuracies(train, labels[kept].repeat(pairs, 1), test, labels[held_out].repeat(pairs, 1), generator)
        accuracies.append(correct.unflatten(0, (pairs, -1)))
    return torch.cat(accuracies, dim=1).mean(1)


def _accuracies(x: Tensor, labels: Tensor, test_x: Tensor, test_labels: Tensor, generator: torch.Generator) -> Tensor:
    """Train a classifier on each of the sets ``(sets, n, D)``; return the accuracy on each of the test sets."""
    sets, count, dims = x.shape
    sizes = [dims, WIDTH_FACTOR * dims, WIDTH_FACTOR * dims, 1]
    parameters: list[Tensor] = []
    for inner, outer in itertools.pairwise(sizes):
        bound = math.sqrt(6 / (inner + outer))
        parameters += [
            bound * (2 * torch.rand(sets, *shape, generator=generator) - 1) for shape in ((inner, outer), (1, outer))
        ]
    decays = [WEIGHT_DECAY, 0.0] * 3
    moments = [[torch.zeros_like(p), torch.zeros_like(p)] for p in parameters]
    running = torch.arange(sets)  # the sets whose classifiers are still in training
    best, waited = torch.full((sets,), math.inf), torch.zeros(sets, dtype=torch.int64)
    accuracy = torch.empty(sets)
    step = 0
    for _ in range(MAXIMUM_EPOCHS):
        losses = torch.zeros(len(running))
        for rows in torch.randperm(count, generator=generator).split(BATCH):
            step += 1
            for p in parameters:
                p.requires_grad_()
            loss = functional.binary_cross_entropy_with_logits(
                _logits(parameters, x[:, rows]), labels[:, rows], reduction="none"
            ).mean(1)
            gradients = torch.autograd.grad(loss.sum(), parameters)
            rate = LEARNING_RATE * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            with torch.no_grad():
                losses += loss * len(rows)
                for p, gradient, decay, (first, second) in zip(parameters, gradients, decays, moments, strict=True):
                    if decay:
                        losses += 0.5 * decay * p.square().sum((1, 2))
                        gradient = gradient.add(p, alpha=decay / len(rows))
                    first.lerp_(gradient, 0.1)
                    second.lerp_(gradient.square(), 0.001)
                    p.addcdiv_(first, second.sqrt().add_(1e-8), value=-rate)
        losses /= count
        waited = torch.where(losses > best - TOLERANCE, waited + 1, 0)
        best = best.minimum(losses)
        done = waited > PATIENCE
        if done.any():
            with torch.no_grad():
                right = (_logits(parameters, test_x) > 0) == test_labels.bool()
            accuracy[running[done]] = right.float().mean(1)[done]
            going = ~done
            running, best, waited = running[going], best[going], waited[going]
            x, labels, test_x, test_labels = x[going], labels[going], test_x[going], test_labels[going]
            parameters = [p.detach()[going] for p in parameters]
            moments = [[m[going] for m in pair] for pair in moments]
            if not len(running):
                break
    return accuracy


def _logits(parameters: list[Tensor], x: Tensor) -> Tensor:
    """Run classifiers side by side: from ``(sets, n, D)`` to ``(sets, n)``."""
    for index in range(0, len(parameters), 2):
        x = torch.baddbmm(parameters[index + 1], x if index == 0 else x.relu(), parameters[index])
    return x.squeeze(-1)
