r"""Principal axes of the handwriting: what pictures hang on, in order, and named after what they do.

The latents of a good flow are nearly white, so their own principal components say little: every direction has about the
same variance. What differs is how much of a picture a direction moves. So the axes are the directions :math:`u_k` of
the coarse latent that most of the pictures' variance hangs on, one after the other: the left singular vectors of

.. math:: C = \mathrm{E}[(z - \bar z_y) (x - \bar x_y)^T] = U S V^T

over real digits and their latents, each less the mean of its class. They are principal components of pictures, seen
from the latent: for a normal latent :math:`C` is the decoder's mean Jacobian (Stein's lemma), and :math:`S_k^2` is the
variance that moving along :math:`u_k` explains.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cinn_app.data.mnist import Digits
from cinn_app.metrics.strokes import measure_strokes
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.digits.model import AXES, CLASSES, COARSE_DIMS, DIMS, DigitModel, dequantise, quantise

__all__ = ["FoundAxes", "find_axes"]

BATCH = 500
#: Handwritings, per class, that are moved to see what an axis does; how far they are moved, and how far apart they are.
TRIALS, STEP, TEMPERATURE = 12, 2.0, 0.5
#: Standard deviations by which an axis must move what it is named after.
NOTABLE = 0.5


class FoundAxes(NamedTuple):
    """The principal axes within each class, and last those over all classes.

    Attributes:
        directions: unit vectors, ``(11, AXES, 784)``.
        shares: of the variance of pictures within a class that each explains, ``(11, AXES)``.
        names: what each does, 11 lists.
    """

    directions: Tensor
    shares: Tensor
    names: list[list[str]]


@torch.inference_mode()
def find_axes(model: DigitModel, digits: Digits, progress: Progress = no_progress) -> FoundAxes:
    """Find and name the axes.

    Args:
        model: trained.
        digits: real ones, of all classes.
        progress: shows how it gets on.
    """
    latents = _encode(model, digits, progress)
    pictures = digits.images.flatten(1).float() / 255
    for label in range(CLASSES):
        one = digits.labels == label
        latents[one] -= latents[one].mean(0)
        pictures[one] -= pictures[one].mean(0)
    spread = {name: _within(values, digits.labels) for name, values in measure_strokes(digits.images).items()}
    directions, shares = torch.zeros(CLASSES + 1, AXES, DIMS), torch.zeros(CLASSES + 1, AXES)
    names = []
    with progress("Looking at what the axes do", CLASSES + 1) as advance:
        for row in range(CLASSES + 1):
            classes = range(CLASSES) if row == CLASSES else [row]
            chosen = torch.isin(digits.labels, torch.tensor(list(classes)))
            covariance = latents[chosen].T @ pictures[chosen] / chosen.sum()
            left, strength, _ = torch.linalg.svd(covariance, full_matrices=False)
            directions[row, :, :COARSE_DIMS] = left.T[:AXES]
            variance = (latents[chosen] @ left[:, :AXES]).square().mean(0)
            explained = torch.where(variance > 1e-6, strength[:AXES].square() / variance, 0.0)  # few digits span little
            shares[row] = explained / pictures[chosen].square().sum(1).mean()
            signs, told = _name(model, directions[row], list(classes), spread)
            directions[row] *= signs[:, None]
            names.append(told)
            advance(1)
    return FoundAxes(directions, shares, names)


def _encode(model: DigitModel, digits: Digits, progress: Progress) -> Tensor:
    """Return the coarse latents of digits under their labels, ``(count, 196)``."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    latents = []
    with progress("Encoding the test digits", len(digits.labels)) as advance:
        for images, labels in zip(digits.images.split(BATCH), digits.labels.split(BATCH), strict=True):
            x = dequantise(images, torch.rand(images.shape, generator=generator))
            latents.append(model.encode(x.to(device), labels.to(device))[0][:, :COARSE_DIMS].cpu())
            advance(len(labels))
    return torch.cat(latents)


def _within(values: Tensor, labels: Tensor) -> Tensor:
    """Return the standard deviation within classes, ``()``."""
    variances = [values[labels == label].var() for label in range(CLASSES) if (labels == label).sum() > 1]
    return torch.stack(variances).mean().sqrt()


def _name(
    model: DigitModel, directions: Tensor, classes: list[int], spread: Mapping[str, Tensor]
) -> tuple[Tensor, list[str]]:
    """Tell what axes do, each in other words, and which way round.

    All axes are moved both ways, and the change of every measure is counted in standard deviations of real digits. In
    order, each axis is named after what it changes most of the measures that are left.

    Returns:
        For each axis 1 or -1, by which it is to be turned so that its measure grows, and its name.
    """
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    trials = TEMPERATURE * torch.randn(TRIALS, DIMS, generator=generator)
    labels = torch.tensor(classes).repeat_interleave(TRIALS)
    ends = []
    for step in (STEP, -STEP):
        moved = (trials[None, None] + step * directions[:, None, None]).expand(-1, len(classes), -1, -1).flatten(1, 2)
        images = [quantise(model.decode(z.to(device), labels.to(device))[0]).cpu() for z in moved]
        ends.append(measure_strokes(torch.cat(images)))
    upper, lower = ends
    effects = torch.stack(
        [
            (upper[name] - lower[name]).unflatten(0, (len(directions), -1)).mean(1) / spread[name].clamp(min=1e-9)
            for name in spread
        ],
        dim=1,
    )
    signs, names, free = torch.ones(len(directions)), [], dict(zip(spread, effects.T, strict=True))
    for axis in range(len(directions)):
        name = max(free, key=lambda known: float(free[known][axis].abs()))
        if free[name][axis].abs() < NOTABLE:
            names.append(f"shape {axis + 1}")
        else:
            signs[axis] = free.pop(name)[axis].sign()
            names.append(name)
    return signs, names
