r"""Principal axes of the handwriting: the directions of the latent that change pictures most, named after what changes.

The latents of a good flow are nearly white, so their own principal components say little: all directions have about the
same variance. Directions differ in how much they change a picture. So the axes are the directions :math:`u_k` of the
coarse latent that explain most of the pictures' variance: the left singular vectors of

.. math:: C = \mathrm{E}[(z - \bar z_y) (x - \bar x_y)^T] = U S V^T

over real digits :math:`x` and their latents :math:`z`, each minus the mean of its class :math:`y`. For a normal latent
:math:`C` is the mean Jacobian of the decoder (Stein's lemma), and :math:`S_k^2` is the variance that :math:`u_k`
explains.

Two axes that explain nearly the same variance are determined only up to a mixture: thickness came with slant. So the
axes are rotated within the space that they span, as in factor analysis, until each changes few measures of the shape.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cinn_app.progress import Progress, no_progress
from cinn_app.systems.digits.data import Digits
from cinn_app.systems.digits.digit_shape import measure_shape
from cinn_app.systems.digits.model import AXES, CLASSES, COARSE_DIMS, DIMS, DigitModel, dequantise, quantise

__all__ = ["FoundAxes", "principal_axes", "varimax"]

BATCH = 500
#: To see what an axis changes, this number of handwritings per class, drawn at this temperature, is moved by this step.
TRIALS, TEMPERATURE, STEP = 12, 0.5, 2.0
#: An axis is named after a measure only if it changes the measure by this number of standard deviations.
MIN_EFFECT = 0.5


class FoundAxes(NamedTuple):
    """The principal axes within each class, and last those over all classes.

    Attributes:
        directions: unit vectors, ``(11, AXES, 784)``.
        shares: of the variance of pictures within a class that each explains, ``(11, AXES)``.
        names: of what each changes, 11 lists.
    """

    directions: Tensor
    shares: Tensor
    names: list[list[str]]


@torch.inference_mode()
def principal_axes(model: DigitModel, digits: Digits, progress: Progress = no_progress) -> FoundAxes:
    """Find and name the axes.

    Args:
        model: trained.
        digits: real ones, of all classes.
        progress: shows the progress.
    """
    latents = _encode(model, digits, progress)
    pictures = digits.images.flatten(1).float() / 255
    for label in range(CLASSES):
        one = digits.labels == label
        latents[one] -= latents[one].mean(0)
        pictures[one] -= pictures[one].mean(0)
    spread = {name: _within(values, digits.labels) for name, values in measure_shape(digits.images).items()}
    directions, shares = torch.zeros(CLASSES + 1, AXES, DIMS), torch.zeros(CLASSES + 1, AXES)
    names = []
    with progress("Measuring what the axes change", CLASSES + 1) as advance:
        for row in range(CLASSES + 1):
            classes = range(CLASSES) if row == CLASSES else [row]
            chosen = torch.isin(digits.labels, torch.tensor(list(classes)))
            covariance = latents[chosen].T @ pictures[chosen] / chosen.sum()
            principal = torch.linalg.svd(covariance, full_matrices=False).U.T[:AXES]
            rotated = varimax(_effects(model, principal, list(classes), spread).T).T @ principal
            variance = (latents[chosen] @ rotated.T).square().mean(0)
            strength = (rotated @ covariance).square().sum(1)
            explained = torch.where(variance > 1e-6, strength / variance, 0.0)  # few digits span little
            order = explained.argsort(descending=True)
            directions[row, :, :COARSE_DIMS] = rotated[order]
            shares[row] = explained[order] / pictures[chosen].square().sum(1).mean()
            signs, row_names = _signs_and_names(_effects(model, rotated[order], list(classes), spread), spread)
            directions[row] *= signs[:, None]
            names.append(row_names)
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


def varimax(loadings: Tensor, steps: int = 200) -> Tensor:
    r"""Rotate factors until each has few large loadings (Kaiser 1958).

    .. math:: \max_R \sum_k \left( \overline{B_k^4} - \overline{B_k^2}^2 \right), \quad B = L R, \; R^T R = 1

    Args:
        loadings: of measures on factors, :math:`L`, ``(measures, factors)``.
        steps: of the iteration; each takes the orthogonal matrix nearest to the gradient.

    Returns:
        The rotation :math:`R`, ``(factors, factors)``.
    """
    rotation = torch.eye(loadings.shape[1])
    for _ in range(steps):
        rotated = loadings @ rotation
        left, _, right = torch.linalg.svd(loadings.T @ (rotated**3 - rotated * rotated.square().mean(0)))
        rotation = left @ right
    return rotation


def _effects(model: DigitModel, directions: Tensor, classes: list[int], spread: Mapping[str, Tensor]) -> Tensor:
    """Move handwritings along directions, ``(axes, 196)``, both ways, and measure the change.

    Returns:
        The change of every measure in standard deviations of real digits, ``(axes, measures)``.
    """
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    trials = TEMPERATURE * torch.randn(TRIALS, DIMS, generator=generator)
    labels = torch.tensor(classes).repeat_interleave(TRIALS)
    whole = functional.pad(directions, (0, DIMS - COARSE_DIMS))
    ends = []
    for step in (STEP, -STEP):
        moved = (trials[None, None] + step * whole[:, None, None]).expand(-1, len(classes), -1, -1).flatten(1, 2)
        images = [quantise(model.decode(z.to(device), labels.to(device))[0]).cpu() for z in moved]
        ends.append(measure_shape(torch.cat(images)))
    upper, lower = ends
    changes = [
        (upper[name] - lower[name]).unflatten(0, (len(directions), -1)).mean(1) / spread[name].clamp(min=1e-9)
        for name in spread
    ]
    return torch.stack(changes, dim=1).float()


def _signs_and_names(effects: Tensor, measures: Iterable[str]) -> tuple[Tensor, list[str]]:
    """Name each axis, in order, after the measure that it changes most among those that are left.

    Args:
        effects: of each axis, ``(axes, measures)``.
        measures: their names.

    Returns:
        For each axis a factor of 1 or -1, with which its measure grows along it, and its name.
    """
    signs, names, free = torch.ones(len(effects)), [], dict(zip(measures, effects.T, strict=True))
    for axis in range(len(effects)):
        name = max(free, key=lambda measure: float(free[measure][axis].abs()))
        if free[name][axis].abs() < MIN_EFFECT:
            names.append(f"shape {axis + 1}")
        else:
            signs[axis] = free.pop(name)[axis].sign()
            names.append(name)
    return signs, names
