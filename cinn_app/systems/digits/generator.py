"""The digits as people use them: classes, handwriting and sliders in, pictures out.

>>> from cinn_app import DigitGenerator
>>> generator = DigitGenerator.load("digits")
>>> generator.sample([7, 3], count=5, seed=1).shape
torch.Size([2, 5, 28, 28])
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from cinn_app.checkpoints import Checkpoint
from cinn_app.errors import CinnError
from cinn_app.recipes import DigitsRecipe
from cinn_app.systems.arc import arc
from cinn_app.systems.axes import find_axis
from cinn_app.systems.digits.model import CLASSES, DIMS, DigitModel, dequantise, quantise
from cinn_app.systems.loading import load_system, require_recipe

__all__ = ["Axis", "DigitGenerator", "Restyled"]

#: Pictures that go through the flow at once.
BATCH = 500
#: The highest temperature that may be asked for, and the farthest place on an axis.
MAX_TEMPERATURE, MAX_STEP = 2.0, 5.0


class Axis(NamedTuple):
    """A principal axis of the handwriting.

    Attributes:
        name: what moving along it does, in plain words, such as ``slant``.
        share: of the variance of pictures within a class that it explains, 0 to 1.
        direction: unit vector in the latent space, ``(784,)``.
    """

    name: str
    share: float
    direction: Tensor


class Restyled(NamedTuple):
    """All ten digits in one handwriting.

    Attributes:
        label: what the given digit was taken for.
        latent: its handwriting, ``(784,)``.
        images: uint8, ``(10, 28, 28)``.
    """

    label: int
    latent: Tensor
    images: Tensor


class DigitGenerator:
    """A trained flow of handwritten digits.

    A latent ``(784,)`` is a handwriting, whatever the digit: the same latent under another label is that digit in the
    same hand. Pictures are uint8, ``(..., 28, 28)``, 255 for full ink, on the CPU; so are latents, in float32.

    Args:
        checkpoint: weights and recipe.
        device: where to compute.

    Raises:
        CheckpointError: if the checkpoint is of another system.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.recipe = require_recipe(checkpoint, DigitsRecipe)
        self.checkpoint, self.device = checkpoint, device
        self.model = DigitModel(self.recipe.architecture)
        self.model.load_state_dict(checkpoint.weights)
        self.model.to(device).eval()

    @classmethod
    def load(cls, name: str | Path = "digits", device: str = "auto") -> "DigitGenerator":
        """Load a shipped model by its name, or any checkpoint by its path, as :func:`load_system` does."""
        return load_system(cls, name, device)

    def axes(self, label: int | None = None) -> tuple[Axis, ...]:
        """Return the principal axes of the handwriting, the strongest first.

        Args:
            label: of the class whose own axes are wanted; by default those over all classes, which mean the same for
                every digit.
        """
        row = CLASSES if label is None else _label(label)
        told = self.checkpoint.details["axes"][row]
        directions = self.model.axes[row].cpu()
        return tuple(Axis(name, share, direction) for (name, share), direction in zip(told, directions, strict=True))

    def draw(self, count: int = 1, temperature: float | None = None, seed: int = 0) -> Tensor:
        """Draw handwritings from :math:`N(0, T^2)`: ``(count, 784)``; the first ones do not depend on the count.

        Args:
            count: how many.
            temperature: :math:`T`, the standard deviation, 0 to 2; by default the recipe's.
            seed: the same one draws the same again.

        Raises:
            CinnError: if the temperature is out of range, or nothing is to be drawn.
        """
        if count < 1:
            raise CinnError(f"{count} handwritings cannot be drawn: ask for at least 1.")
        deviation = self.recipe.sampling.temperature if temperature is None else temperature
        if not 0 <= deviation <= MAX_TEMPERATURE:
            raise CinnError(f"The temperature {deviation} is out of range: give one from 0 to {MAX_TEMPERATURE:g}.")
        generator = torch.Generator().manual_seed(seed)
        return torch.stack([deviation * torch.randn(DIMS, generator=generator) for _ in range(count)])

    def move(self, latents: Tensor, steps: Mapping[str | int, float], label: int | None = None) -> Tensor:
        """Move handwritings along axes, in standard deviations of the latent.

        Args:
            latents: ``(..., 784)``.
            steps: by the axis's name, or its number from 1, how far.
            label: whose axes are meant, as in :meth:`axes`.

        Raises:
            CinnError: if an axis is unknown, or a step is no number from -5 to 5.
        """
        axes = self.axes(label)
        moved = latents.clone()
        for key, step in steps.items():
            if not abs(step) <= MAX_STEP:
                raise CinnError(
                    f"The step {step} along {key} is out of range: give one from -{MAX_STEP:g} to {MAX_STEP:g}."
                )
            moved += step * find_axis(axes, key).direction
        return moved

    @torch.inference_mode()
    def decode(self, latents: Tensor, labels: Sequence[int] | Tensor) -> Tensor:
        """Make pictures of handwritings.

        Args:
            latents: ``(count, 784)``.
            labels: of each, or weights of the ten classes, float ``(count, 10)``, for what lies between digits.

        Returns:
            uint8, ``(count, 28, 28)``.
        """
        labels = _labels(labels)
        return torch.cat(
            [
                quantise(self.model.decode(z.to(self.device), y.to(self.device))[0]).cpu()
                for z, y in zip(latents.split(BATCH), labels.split(BATCH), strict=True)
            ]
        )

    @torch.inference_mode()
    def encode(self, images: Tensor, labels: Sequence[int] | Tensor) -> Tensor:
        """Find the handwriting of digits, ``(count, 784)``; each gray stands for the middle of its step.

        Args:
            images: uint8, ``(count, 28, 28)``.
            labels: what they show, ``(count,)``.
        """
        labels = _labels(labels)
        return torch.cat(
            [
                self.model.encode(dequantise(x).to(self.device), y.to(self.device))[0].cpu()
                for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True)
            ]
        )

    def sample(
        self,
        labels: Iterable[int],
        count: int = 1,
        temperature: float | None = None,
        seed: int = 0,
        steps: Mapping[str | int, float] | None = None,
    ) -> Tensor:
        """Draw digits: the same handwritings for every label.

        Args:
            labels: the digits wanted, each 0 to 9.
            count: handwritings.
            temperature: see :meth:`draw`.
            seed: see :meth:`draw`.
            steps: along the axes over all classes, see :meth:`move`.

        Returns:
            uint8, ``(labels, count, 28, 28)``.

        Raises:
            CinnError: if there is no such label or axis, or a number is out of range.
        """
        wanted = [_label(label) for label in labels]
        if not wanted:
            raise CinnError("No digit was asked for: name at least one from 0 to 9.")
        latents = self.move(self.draw(count, temperature, seed), steps or {})
        repeated = torch.tensor(wanted).repeat_interleave(count)
        return self.decode(latents.repeat(len(wanted), 1), repeated).unflatten(0, (len(wanted), count))

    @torch.inference_mode()
    def log_prob(self, images: Tensor) -> Tensor:
        """Return ``log p(x | y)`` in nats of digits under every label, ``(count, 10)``; grays as in :meth:`encode`.

        Args:
            images: uint8, ``(count, 28, 28)``.
        """
        rows = [torch.empty(0, CLASSES)]
        for batch in images.split(BATCH // CLASSES) if len(images) else ():
            x = dequantise(batch).to(self.device).repeat_interleave(CLASSES, 0)
            labels = torch.arange(CLASSES, device=self.device).repeat(len(batch))
            rows.append(self.model.encode(x, labels)[1].unflatten(0, (-1, CLASSES)).cpu())
        return torch.cat(rows)

    def classify(self, images: Tensor) -> Tensor:
        r"""Tell digits apart by Bayes' rule, every digit as likely as any other beforehand.

        .. math:: p(y \mid x) = \frac{p(x \mid y)}{\sum_{y'} p(x \mid y')}

        Args:
            images: uint8, ``(count, 28, 28)``.

        Returns:
            Probabilities, ``(count, 10)``.
        """
        return self.log_prob(images).double().softmax(1).float()

    def restyle(self, image: Tensor, label: int | None = None) -> Restyled:
        """Write all ten digits in the handwriting of one.

        Args:
            image: uint8, ``(28, 28)``, such as :func:`cinn_app.imaging.read_digit` gives.
            label: what it shows; by default what :meth:`classify` finds most probable.
        """
        shown = int(self.classify(image[None])[0].argmax()) if label is None else _label(label)
        latent = self.encode(image[None], [shown])[0]
        return Restyled(shown, latent, self.decode(latent.expand(CLASSES, -1), range(CLASSES)))

    def interpolate(self, first: Tensor, second: Tensor, labels: tuple[int, int], count: int = 8) -> Tensor:
        """Go from one handwriting and digit to another, the latent along the arc between them.

        Args:
            first: the latent to begin with, ``(784,)``.
            second: the one to end with.
            labels: the digits at both ends.
            count: pictures, both ends included, at least 2.

        Returns:
            uint8, ``(count, 28, 28)``.

        Raises:
            CinnError: if there is no such label, or there are too few pictures.
        """
        if count < 2:
            raise CinnError(f"{count} pictures have no way between them: give at least 2.")
        place = torch.linspace(0, 1, count)[:, None]
        ends = torch.eye(CLASSES)[[_label(label) for label in labels]]
        return self.decode(arc(first, second, place), (1 - place) * ends[0] + place * ends[1])


def _label(label: int) -> int:
    if label not in range(CLASSES):
        raise CinnError(f"There is no digit {label}: choose one from 0 to {CLASSES - 1}.")
    return int(label)


def _labels(labels: Sequence[int] | Tensor) -> Tensor:
    if isinstance(labels, Tensor) and labels.is_floating_point():
        return labels
    return torch.tensor([_label(int(label)) for label in labels])
