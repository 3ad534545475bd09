"""Digits for users: a trained flow that writes digits, and classifies and encodes pictures of them.

>>> from cinn_app import DigitGenerator
>>> generator = DigitGenerator.load("digits")
>>> generator.sample([7, 3], count=5, seed=1).shape
torch.Size([2, 5, 28, 28])
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from cinn_app.arguments import whole_number
from cinn_app.checkpoints import Checkpoint
from cinn_app.errors import CheckpointError, CinnError
from cinn_app.messages import Message
from cinn_app.systems.digits import inputs
from cinn_app.systems.digits.handwritings import MAX_COUNT, Axis, Handwritings
from cinn_app.systems.digits.images import DIGIT_SIDE
from cinn_app.systems.digits.inputs import DigitImage, DigitImages, Labels, Latents
from cinn_app.systems.digits.model import CLASSES, DIMS, DigitModel, dequantise, quantise
from cinn_app.systems.digits.recipe import DigitsRecipe
from cinn_app.trained_model import TrainedModel

__all__ = ["Axis", "DigitGenerator", "Restyled"]

# Names and shares of the axes in a checkpoint, for each class and for all.
AXES = TypeAdapter(list[list[tuple[str, float]]])
#: A picture that is less typical hardly looks like a digit; one whose best digit is less probable may be another.
MIN_TYPICALITY, MIN_PROBABILITY = 0.01, 0.6
#: Pictures that go through the flow together.
BATCH = 500


class Restyled(NamedTuple):
    """All ten digits in one handwriting.

    Attributes:
        label: of the given digit, as the user gave it or as it was recognised.
        probabilities: of each digit, from :meth:`DigitGenerator.classify`, ``(10,)``.
        latent: its handwriting, ``(784,)``.
        images: uint8, ``(10, 28, 28)``.
        doubtful: whether the picture hardly looks like that digit (:meth:`DigitGenerator.typicality`), or nearly as
            much like another.
    """

    label: int
    probabilities: Tensor
    latent: Tensor
    images: Tensor
    doubtful: bool


class DigitGenerator(TrainedModel[DigitsRecipe], Handwritings):
    """A trained flow of handwritten digits.

    A latent ``(784,)`` is a handwriting, whatever the digit: decoded with another label it gives that digit in the same
    handwriting. Pictures are uint8, ``(..., 28, 28)``, 255 for full ink; latents are float32; both are on the CPU.

    Digits may be given as tensors or arrays of that form, or as paths or Pillow pictures of drawings, which
    :func:`cinn_app.systems.digits.images.read_digit` converts. All methods raise a CinnError for unfit arguments.
    """

    recipe_type = DigitsRecipe
    model: DigitModel

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        super().__init__(checkpoint, device)
        try:
            rows = AXES.validate_python(checkpoint.details.get("axes", []))
        except ValidationError:
            rows = [[]]
        if rows and [len(row) for row in rows] != [len(row) for row in self.model.axes]:
            raise CheckpointError(
                "The axes of the model {name} do not fit its weights: give a checkpoint made by 'cinn train'.",
                name=self.recipe.name,
            )

    @staticmethod
    def build(recipe: DigitsRecipe) -> DigitModel:
        """Build the network that a recipe describes."""
        return DigitModel(recipe.architecture)

    @torch.inference_mode()
    def probe(self) -> Tensor:
        """Return the most probable handwriting of each digit."""
        latents = torch.zeros(CLASSES, DIMS, device=self.device)
        return self.model.decode(latents, torch.arange(CLASSES, device=self.device))[0].cpu()

    def all_ten(self, latents: Latents) -> Tensor:
        """Write all ten digits in each handwriting, ``(count, 784)``: uint8, ``(count, 10, 28, 28)``."""
        latents = inputs.as_latents(latents, "(count, 784)")
        labels = torch.arange(CLASSES).repeat(len(latents))
        return self.decode(latents.repeat_interleave(CLASSES, 0), labels).unflatten(0, (len(latents), CLASSES))

    @torch.inference_mode()
    def decode(self, latents: Latents, labels: Labels) -> Tensor:
        """Map latents to pictures.

        Args:
            latents: ``(count, 784)``.
            labels: one for each, one for all, or weights of the ten classes, float ``(count, 10)``, for pictures
                between digits.

        Returns:
            uint8, ``(count, 28, 28)``.
        """
        latents = inputs.as_latents(latents, "(count, 784)")
        labels = inputs.as_weights_or_labels(labels, len(latents))
        rows = [torch.empty(0, DIGIT_SIDE, DIGIT_SIDE, dtype=torch.uint8)]
        for z, y in zip(latents.split(BATCH), labels.split(BATCH), strict=True) if len(latents) else ():
            rows.append(quantise(self.model.decode(z.to(self.device), y.to(self.device))[0]).cpu())
        return torch.cat(rows)

    @torch.inference_mode()
    def encode(self, images: DigitImages, labels: Labels) -> Tensor:
        """Map pictures to latents, ``(count, 784)``; each gray is taken as the middle of its step.

        Args:
            images: uint8, ``(count, 28, 28)``, or one or several drawings.
            labels: of the digits, as in :meth:`decode`.
        """
        images = inputs.as_images(images)
        labels = inputs.as_weights_or_labels(labels, len(images))
        rows = [torch.empty(0, DIMS)]
        for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True) if len(images) else ():
            rows.append(self.model.encode(dequantise(x).to(self.device), y.to(self.device))[0].cpu())
        return torch.cat(rows)

    def sample(
        self,
        labels: Labels,
        count: int = 1,
        temperature: float | None = None,
        seed: int = 0,
        steps: Mapping[str | int, float] | None = None,
        within: int | None = None,
    ) -> Tensor:
        """Write digits: the same handwritings for every label.

        Args:
            labels: 0 to 9, several or one.
            count: number of handwritings, 1 to 10000.
            temperature, seed: see :meth:`draw`.
            steps: along axes, see :meth:`move`.
            within: class of the axes, by default those over all classes, see :meth:`axes`.

        Returns:
            uint8, ``(labels, count, 28, 28)``.

        Raises:
            CinnError: if a label or an axis is unknown, or a number is out of range.
        """
        digits = inputs.as_labels(labels)
        if not digits:
            raise CinnError("No digit was asked for: name at least one from 0 to 9.")
        latents = self.move(self.draw(count, temperature, seed), {} if steps is None else steps, within)
        repeated = torch.tensor(digits).repeat_interleave(count)
        return self.decode(latents.repeat(len(digits), 1), repeated).unflatten(0, (len(digits), count))

    @torch.inference_mode()
    def log_prob(self, images: DigitImages) -> Tensor:
        """Return ``log p(x | y)`` in nats of pictures for every label, ``(count, 10)``; grays as in :meth:`encode`.

        Args:
            images: uint8, ``(count, 28, 28)``, or one or several drawings.
        """
        images = inputs.as_images(images)
        rows = [torch.empty(0, CLASSES)]
        for batch in images.split(BATCH // CLASSES) if len(images) else ():
            x = dequantise(batch).to(self.device).repeat_interleave(CLASSES, 0)
            labels = torch.arange(CLASSES, device=self.device).repeat(len(batch))
            rows.append(self.model.encode(x, labels)[1].unflatten(0, (-1, CLASSES)).cpu())
        return torch.cat(rows)

    def classify(self, images: DigitImages) -> Tensor:
        r"""Classify pictures by Bayes' rule, with the same prior for every digit.

        .. math:: p(y \mid x) = \frac{p(x \mid y)}{\sum_{y'} p(x \mid y')}

        Args:
            images: uint8, ``(count, 28, 28)``, or one or several drawings.

        Returns:
            Probabilities, ``(count, 10)``.
        """
        return self.log_prob(images).double().softmax(1).float()

    def restyle(self, image: DigitImage, label: int | None = None) -> Restyled:
        """Write all ten digits in the handwriting of one.

        Args:
            image: uint8, ``(28, 28)``, or a drawing.
            label: of the digit; by default the most probable one, see :meth:`classify`.
        """
        digit = inputs.as_image(image)
        probabilities = self.classify(digit)[0]
        taken = int(probabilities.argmax()) if label is None else inputs.as_label(label)
        latent = self.encode(digit, taken)[0]
        ambiguous = label is None and bool(probabilities[taken] < MIN_PROBABILITY)
        doubtful = ambiguous or bool(self.typicality(latent) < MIN_TYPICALITY)
        return Restyled(taken, probabilities, latent, self.all_ten(latent[None])[0], doubtful)

    def interpolate(self, first: Latents, second: Latents, labels: Sequence[int], count: int = 8) -> Tensor:
        """Write the digits between two: latents along the arc between theirs, classes mixed with linear weights.

        Args:
            first: latent of the first digit, ``(784,)``.
            second: latent of the last digit, ``(784,)``.
            labels: of the first and the last digit.
            count: number of pictures, both ends included, 2 to 10000.

        Returns:
            uint8, ``(count, 28, 28)``.

        Raises:
            CinnError: if a label is unknown, or there are not two labels, or too few pictures.
        """
        count, digits = whole_number(count, Message("number of pictures"), 2, MAX_COUNT), inputs.as_labels(labels)
        if len(digits) != 2:
            raise CinnError(
                "{count} labels were given where two are wanted: give the first digit's and the last one's.",
                count=len(digits),
            )
        latents = self.interpolate_latents(first, second, count)
        weight = torch.linspace(0, 1, count)[:, None]
        start, end = torch.eye(CLASSES)[digits]
        return self.decode(latents, (1 - weight) * start + weight * end)
