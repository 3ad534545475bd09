"""Principal axes of the handwriting: found in the latents of real digits, named after what they do to pictures."""

import numpy as np
import torch
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from cinn_app.data.mnist import Digits
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.digits import AXES, CLASSES, DIMS, DigitModel, dequantise, quantise

__all__ = ["find_axes", "measure_strokes"]

BATCH = 500


@torch.inference_mode()
def encode_digits(model, digits, progress):
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    latents = []
    with progress("Encoding", len(digits.labels)) as advance:
        for images, labels in zip(digits.images.split(BATCH), digits.labels.split(BATCH), strict=True):
            noise = torch.rand(images.shape, generator=generator)
            latents.append(model.encode(dequantise(images, noise).to(device), labels.to(device))[0].cpu())
            advance(len(labels))
    return torch.cat(latents)


def find_axes(model, digits, progress=no_progress):
    z = encode_digits(model, digits, progress)
    directions = torch.zeros(CLASSES + 1, AXES, DIMS)
    named = []
    for row in range(CLASSES + 1):
        keep = digits.labels == row if row < CLASSES else torch.ones_like(digits.labels, dtype=torch.bool)
        zz = z[keep] - z[keep].mean(0)
        u, s, v = torch.linalg.svd(zz, full_matrices=False)
        directions[row] = v[:AXES]
        share = (s**2 / (s**2).sum())[:AXES]
        named.append([[f"axis {k + 1}", float(share[k])] for k in range(AXES)])
    return directions, named
