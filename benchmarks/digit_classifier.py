"""A classifier of digits, trained on real ones only, with which `digits.py` measures generated ones."""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.cli.bars import rich_progress
from cinn_app.devices import resolve_precision
from cinn_app.files import atomic_write
from cinn_app.systems.digits.data import Digits
from cinn_app.systems.digits.model import CLASSES

EPOCHS, BATCH, LEARNING_RATE = 4, 128, 1e-2
#: Light augmentation: degrees, share of the side, share of the size.
ROTATION, SHIFT, SCALE = 10.0, 0.07, 0.1
#: Pictures per batch outside of training.
CHUNK = 500


class DigitClassifier(nn.Module):
    """Three convolutional blocks, a layer of 128 features, and a linear layer for the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(1, 32),
            nn.MaxPool2d(2),
            *_convolution(32, 64),
            *_convolution(64, 64),
            nn.MaxPool2d(2),
            nn.Dropout2d(0.1),
            *_convolution(64, 128),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(128 * 3 * 3, 128),
            nn.ReLU(),
        )
        self.classes = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, CLASSES))
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures in 0..1, ``(batch, 1, 28, 28)``, to features ``(batch, 128)`` and scores ``(batch, 10)``."""
        features = self.features(x)
        return features, self.classes(features)


class Classified(NamedTuple):
    """Pictures as the classifier sees them.

    Attributes:
        features: ``(count, 128)``.
        labels: the most probable digits, ``(count,)``.
    """

    features: Tensor
    labels: Tensor


@torch.inference_mode()
def classify(classifier: DigitClassifier, images: Tensor) -> Classified:
    """Classify pictures, uint8 ``(count, 28, 28)``."""
    device = next(classifier.parameters()).device
    outputs = [classifier(chunk.to(device).float().unsqueeze(1) / 255) for chunk in images.split(CHUNK)]
    features, scores = (torch.cat(parts).cpu() for parts in zip(*outputs, strict=True))
    return Classified(features, scores.argmax(1))


def load_classifier(path: Path, train: Digits, device: torch.device) -> DigitClassifier:
    """Load the classifier from a file, or train it on the training pictures and write the file."""
    classifier = DigitClassifier()
    if path.is_file():
        classifier.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return classifier.to(device).eval()
    train_classifier(classifier.to(device), train, device)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        torch.save(classifier.state_dict(), file)
    return classifier


def train_classifier(classifier: DigitClassifier, train: Digits, device: torch.device) -> None:
    """Train for a few epochs with one cycle of the learning rate."""
    torch.manual_seed(0)
    images, labels = train.images.to(device), train.labels.to(device)
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    dtype = resolve_precision("auto", device)
    classifier.train()
    with rich_progress("Training the classifier", steps) as advance:
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(images), device=device).split(BATCH)[: len(images) // BATCH]:
                x = augment(images[rows].float().unsqueeze(1) / 255)
                with torch.autocast(device.type, dtype, enabled=dtype is torch.bfloat16):
                    scores = classifier(x)[1]
                optimizer.zero_grad()
                functional.cross_entropy(scores.float(), labels[rows]).backward()
                optimizer.step()
                schedule.step()
                advance(1)
    classifier.eval()


def augment(x: Tensor) -> Tensor:
    """Rotate, shift and scale each picture a little."""
    angle, across, down, size = (torch.rand(4, len(x), device=x.device) * 2 - 1).unbind()
    angle, size = angle * math.radians(ROTATION), 1 + SCALE * size
    rotated = torch.stack([size * angle.cos(), -size * angle.sin(), size * angle.sin(), size * angle.cos()], 1)
    shifted = 2 * SHIFT * torch.stack([across, down], 1)
    affine = torch.cat([rotated.unflatten(1, (2, 2)), shifted.unsqueeze(2)], dim=2)
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def spread_within_classes(features: Tensor, labels: Tensor) -> float:
    """Return the trace of the covariance of the features within a class, averaged over the classes."""
    return sum(features[labels == label].var(0).sum().item() for label in range(CLASSES)) / CLASSES


@torch.inference_mode()
def nearest_distances(images: Tensor, known: Tensor, device: torch.device) -> Tensor:
    """Return the distance of each picture from the nearest known one: L2 over pixels in 0..1, ``(count,)``.

    By :math:`|a - b|^2 = |a|^2 - 2 a b + |b|^2`, for a block of pictures at a time.
    """
    known = known.to(device).flatten(1).float() / 255
    squares = known.square().sum(1)
    rows = []
    with rich_progress("Looking for the nearest digits", len(images)) as advance:
        for chunk in images.split(CHUNK):
            x = chunk.to(device).flatten(1).float() / 255
            nearest = (squares - 2 * x @ known.T).amin(1) + x.square().sum(1)
            rows.append(nearest.clamp(min=0).sqrt().cpu())
            advance(len(chunk))
    return torch.cat(rows)


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    ]
