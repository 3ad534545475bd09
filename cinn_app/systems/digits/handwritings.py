"""The latent space of a digit generator: handwritings, whatever the digit, and the axes along which they differ."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cinn_app.arguments import number_between, whole_number
from cinn_app.checkpoints import Checkpoint
from cinn_app.errors import CinnError
from cinn_app.latents import match_axes, match_axis, slerp
from cinn_app.limits import MAX_SEED, MAX_STEP, MAX_TEMPERATURE
from cinn_app.messages import Message
from cinn_app.systems.digits import inputs
from cinn_app.systems.digits.digit_shape import axis_name
from cinn_app.systems.digits.inputs import Latents
from cinn_app.systems.digits.model import CLASSES, DIMS, WHOLE_DIMS, DigitModel
from cinn_app.systems.digits.recipe import DigitsRecipe

__all__ = ["MAX_COUNT", "Axis", "Handwritings"]

#: Digits of the weights' digest that identify a model.
DIGEST_DIGITS = 12
#: Handwritings of one call; more would not fit into memory.
MAX_COUNT = 10_000


class Axis(NamedTuple):
    """A principal axis of the handwriting.

    Attributes:
        name: what a step along it changes, such as ``slant``.
        share: of the variance of pictures within a class that it explains, 0 to 1.
        direction: unit vector in the latent space, ``(784,)``.
    """

    name: str
    share: float
    direction: Tensor


class Handwritings:
    """The part of a generator that needs no picture; latents are float32, on the CPU.

    Attributes:
        recipe: of the model.
        checkpoint: weights, and names of the axes.
        model: the trained flow.
    """

    recipe: DigitsRecipe
    checkpoint: Checkpoint
    model: DigitModel

    def axes(self, label: int | None = None) -> tuple[Axis, ...]:
        """Return the principal axes of the handwriting, the strongest first.

        Args:
            label: the class whose own axes are wanted; by default those over all classes, which have the same meaning
                for every digit.

        Raises:
            CinnError: if the training was stopped before the axes were found.
        """
        if "axes" not in self.checkpoint.details:
            raise CinnError("This model has no axes, since its training was stopped: finish it with --resume.")
        row = CLASSES if label is None else inputs.as_label(label)
        described, directions = self.checkpoint.details["axes"][row], self.model.axes[row].cpu()
        return tuple(
            Axis(axis_name(name), share, direction)
            for (name, share), direction in zip(described, directions, strict=True)
        )

    def draw(self, count: int = 1, temperature: float | None = None, seed: int = 0) -> Tensor:
        """Draw latents from :math:`N(0, T^2)`: ``(count, 784)``; the first ones do not depend on the count.

        Args:
            count: number of handwritings, 1 to 10000.
            temperature: :math:`T`, the standard deviation, 0 to 2; by default the recipe's.
            seed: the same seed draws the same latents.

        Raises:
            CinnError: if a number is out of range.
        """
        count = whole_number(count, Message("number of handwritings"), 1, MAX_COUNT)
        deviation = self._temperature(temperature)
        generator = torch.Generator().manual_seed(_checked_seed(seed))
        return torch.stack([deviation * torch.randn(DIMS, generator=generator) for _ in range(count)])

    def move(self, latents: Latents, steps: Mapping[str | int, float], label: int | None = None) -> Tensor:
        """Move latents along axes, in standard deviations of the latent.

        Args:
            latents: ``(..., 784)``.
            steps: length of the step by the axis's name, or its number from 1.
            label: class of the axes, as in :meth:`axes`.

        Raises:
            CinnError: if an axis is unknown or given twice, or a step is not a number from -3 to 3.
        """
        moved = inputs.as_latents(latents).clone()
        for axis, step in match_axes(self.axes(label), inputs.as_steps(steps, MAX_STEP)):
            moved += step * axis.direction
        return moved

    def lattice(
        self, latent: Latents, axes: Sequence[str | int], steps: Sequence[float], label: int | None = None
    ) -> Tensor:
        """Move a latent by every combination of steps along axes: a row of latents along one axis, a map along two.

        Args:
            latent: ``(784,)``.
            axes: by name, or number from 1, each once.
            steps: along every axis, as for :meth:`move`.
            label: class of the axes, as in :meth:`axes`.

        Returns:
            ``(steps, ..., 784)``, a dimension per axis.

        Raises:
            CinnError: if an axis is unknown or given twice, a step is not a number from -3 to 3, or there are more than
                10000 combinations.
        """
        moved = inputs.as_latents(latent, "(784,)")
        axes = axes if isinstance(axes, Iterable) else [axes]
        steps = steps if isinstance(steps, Iterable) else [steps]
        lengths = torch.tensor([number_between(step, Message("step"), -MAX_STEP, MAX_STEP) for step in steps])
        whole_number(len(steps) ** len(axes), Message("number of handwritings"), 0, MAX_COUNT)
        chosen = [match_axis(self.axes(label), axis) for axis in axes]
        if len({axis.name for axis in chosen}) < len(chosen):
            raise CinnError("An axis cannot cross itself: choose different ones.")
        for axis in chosen:
            moved = moved[..., None, :] + lengths[:, None] * axis.direction
        return moved

    def project(self, latents: Latents, label: int | None = None) -> Tensor:
        """Project latents on the axes: coordinates in standard deviations, to which :meth:`move` adds its steps.

        Args:
            latents: ``(..., 784)``.
            label: class of the axes, as in :meth:`axes`.

        Returns:
            ``(..., axes)``.
        """
        directions = torch.stack([axis.direction for axis in self.axes(label)])
        return inputs.as_latents(latents) @ directions.T

    def interpolate_latents(self, first: Latents, second: Latents, count: int = 8) -> Tensor:
        """Return latents along the arc from one to another, both included: ``(count, 784)``, 2 to 10000."""
        weights = torch.linspace(0, 1, whole_number(count, Message("number of handwritings"), 2, MAX_COUNT))
        return slerp(inputs.as_latents(first, "(784,)"), inputs.as_latents(second, "(784,)"), weights[:, None])

    def typicality(self, latents: Latents) -> Tensor:
        r"""Return how usual handwritings are: the share of the model's own digits that are less so.

        .. math:: P(\chi^2_{49} > \lVert z_w \rVert^2)

        with :math:`z_w` the 49 values of the digit as a whole. Few real digits are below 0.01 (1.7% of MNIST's test
        digits), but nearly all letters, scribbles and pictures of several digits are. The likelihood does not tell
        them apart: a blot is simple, and has a higher likelihood than any digit.

        Args:
            latents: from :meth:`encode`, ``(..., 784)``.

        Returns:
            In 0..1, ``(...)``.
        """
        whole = inputs.as_latents(latents)[..., :WHOLE_DIMS]
        return torch.special.gammaincc(torch.tensor(WHOLE_DIMS / 2), whole.square().sum(-1) / 2)

    def settings(
        self,
        temperature: float | None = None,
        seed: int = 0,
        steps: Mapping[str | int, float] | None = None,
        within: int | None = None,
    ) -> dict[str, Any]:
        """Return all that determines the latents of :meth:`sample`, as JSON, for the provenance record of a file."""
        drawn = {"seed": _checked_seed(seed), "temperature": self._temperature(temperature)}
        found = match_axes(self.axes(within), inputs.as_steps(steps or {}, MAX_STEP))
        moved = {"axes": {axis.name: step for axis, step in found}} if found else {}
        own = {"axes_within": within} if found and within is not None else {}
        return {**self.model_settings(), **drawn, **moved, **own}

    def model_settings(self) -> dict[str, Any]:
        """Return the name of the model, and the beginning of its weights' digest."""
        return {"model": self.recipe.name, "weights": self.checkpoint.digest[:DIGEST_DIGITS]}

    def _temperature(self, temperature: float | None) -> float:
        given = self.recipe.sampling.temperature if temperature is None else temperature
        return number_between(given, Message("temperature"), 0, MAX_TEMPERATURE)


def _checked_seed(seed: int) -> int:
    return whole_number(seed, Message("seed"), 0, MAX_SEED)
