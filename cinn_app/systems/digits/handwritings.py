"""The latent space of a generator of digits: handwritings, whatever the digit, and the axes along which they differ."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cinn_app.axes import match_axes, match_axis
from cinn_app.checkpoints import Checkpoint
from cinn_app.errors import CinnError
from cinn_app.limits import MAX_SEED, MAX_STEP, MAX_TEMPERATURE
from cinn_app.slerp import slerp
from cinn_app.systems.digits import inputs
from cinn_app.systems.digits.inputs import Latents
from cinn_app.systems.digits.model import CLASSES, DIMS, WHOLE_DIMS, DigitModel
from cinn_app.systems.digits.recipe import DigitsRecipe

__all__ = ["Axis", "Handwritings"]

#: So many digits of the weights' digest tell models apart.
DIGEST_DIGITS = 12


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


class Handwritings:
    """What a generator can do without a picture; latents are float32, on the CPU.

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
            label: of the class whose own axes are wanted; by default those over all classes, which mean the same for
                every digit.
        """
        row = CLASSES if label is None else inputs.as_label(label)
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
            CinnError: if a number is out of range, or nothing is to be drawn.
        """
        count = inputs.whole_number(count, "number of handwritings", 1)
        deviation = self._temperature(temperature)
        generator = torch.Generator().manual_seed(inputs.whole_number(seed, "seed", 0, MAX_SEED))
        return torch.stack([deviation * torch.randn(DIMS, generator=generator) for _ in range(count)])

    def move(self, latents: Latents, steps: Mapping[str | int, float], label: int | None = None) -> Tensor:
        """Move handwritings along axes, in standard deviations of the latent.

        Args:
            latents: ``(..., 784)``.
            steps: by the axis's name, or its number from 1, how far.
            label: whose axes are meant, as in :meth:`axes`.

        Raises:
            CinnError: if an axis is unknown or given twice, or a step is no number from -3 to 3.
        """
        moved = inputs.as_latents(latents).clone()
        for axis, step in match_axes(self.axes(label), inputs.as_steps(steps, MAX_STEP)):
            moved += step * axis.direction
        return moved

    def lattice(
        self, latent: Latents, axes: Sequence[str | int], steps: Sequence[float], label: int | None = None
    ) -> Tensor:
        """Lay handwritings out around one, moved by every combination of steps along axes: a row of them along one
        axis, a map along two.

        Args:
            latent: ``(784,)``.
            axes: by name, or number from 1, each once.
            steps: along every axis, as :meth:`move` takes them.
            label: whose axes are meant, as in :meth:`axes`.

        Returns:
            ``(steps, ..., 784)``, a dimension per axis.

        Raises:
            CinnError: if an axis is unknown or given twice, or a step is no number from -3 to 3.
        """
        laid = inputs.as_latents(latent, "(784,)")
        lengths = torch.tensor([inputs.number_between(step, "step", -MAX_STEP, MAX_STEP) for step in steps])
        crossed = [match_axis(self.axes(label), axis) for axis in axes]
        if len({axis.name for axis in crossed}) < len(crossed):
            raise CinnError("An axis cannot cross itself: choose different ones.")
        for axis in crossed:
            laid = laid[..., None, :] + lengths[:, None] * axis.direction
        return laid

    def places(self, latents: Latents, label: int | None = None) -> Tensor:
        """Tell how far along each axis handwritings lie, in standard deviations: what :meth:`move` adds to.

        Args:
            latents: ``(..., 784)``.
            label: whose axes are meant, as in :meth:`axes`.

        Returns:
            ``(..., axes)``.
        """
        directions = torch.stack([axis.direction for axis in self.axes(label)])
        return inputs.as_latents(latents) @ directions.T

    def between(self, first: Latents, second: Latents, count: int = 8) -> Tensor:
        """Lay handwritings out along the arc from one to another: ``(count, 784)``, both included, at least 2."""
        place = torch.linspace(0, 1, inputs.whole_number(count, "number of handwritings", 2))[:, None]
        return slerp(inputs.as_latents(first, "(784,)"), inputs.as_latents(second, "(784,)"), place)

    def typicality(self, latents: Latents) -> Tensor:
        r"""Tell how usual handwritings are: the share of the model's own digits that are less so.

        .. math:: P(\chi^2_{49} > \lVert z_w \rVert^2)

        with :math:`z_w` the 49 values that stand for the digit as a whole. Of real digits few are below 0.01 (1.7% of
        MNIST's test digits), of letters, scribbles and several digits nearly all. The likelihood does not tell: a blot
        is simple, and has a higher one than any digit.

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
        """Name all that makes the handwritings of :meth:`sample`, as JSON has it; a file's mark holds it."""
        drawn = {"seed": inputs.whole_number(seed, "seed", 0, MAX_SEED), "temperature": self._temperature(temperature)}
        along = match_axes(self.axes(within), inputs.as_steps(steps or {}, MAX_STEP))
        axes = {axis.name: step for axis, step in along}
        moved = {} if not axes else {"axes": axes} if within is None else {"axes": axes, "axes_within": within}
        return {**self.model_settings(), **drawn, **moved}

    def model_settings(self) -> dict[str, Any]:
        """Name the model so that it is known again."""
        return {"model": self.recipe.name, "weights": self.checkpoint.digest[:DIGEST_DIGITS]}

    def _temperature(self, temperature: float | None) -> float:
        given = self.recipe.sampling.temperature if temperature is None else temperature
        return inputs.number_between(given, "temperature", 0, MAX_TEMPERATURE)
