"""The digits as people use them: classes, handwriting and sliders in, pictures out.

>>> from cinn_app import DigitGenerator
>>> generator = DigitGenerator.load("digits")
>>> generator.sample([7, 3], count=5, seed=1).shape
torch.Size([2, 5, 28, 28])
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cinn_app.errors import CinnError
from cinn_app.systems.digits import inputs
from cinn_app.systems.digits.handwritings import Axis, Handwritings
from cinn_app.systems.digits.images import DIGIT_SIDE
from cinn_app.systems.digits.inputs import DigitImage, DigitImages, Labels, Latents
from cinn_app.systems.digits.model import CLASSES, DIMS, DigitModel, dequantise, quantise
from cinn_app.systems.digits.recipe import DigitsRecipe
from cinn_app.trained_model import TrainedModel

__all__ = ["Axis", "DigitGenerator", "Restyled"]

#: Less typical than this is what hardly looks like a digit; less probable, what looks nearly as much like another.
ATYPICAL, UNSURE = 0.01, 0.6
#: Pictures that go through the flow at once.
BATCH = 500


class Restyled(NamedTuple):
    """All ten digits in one handwriting.

    Attributes:
        label: what the given digit was taken for.
        probabilities: of each digit, as :meth:`DigitGenerator.classify` finds them, ``(10,)``.
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

    A latent ``(784,)`` is a handwriting, whatever the digit: the same latent under another label is that digit in the
    same hand. Pictures are uint8, ``(..., 28, 28)``, 255 for full ink, on the CPU; so are latents, in float32.

    Digits may be given as tensors or arrays of that form, and as paths or Pillow pictures of drawings, which
    :func:`cinn_app.imaging.read_digit` brings to it. What does not fit is refused with a CinnError.
    """

    recipe_type = DigitsRecipe
    model: DigitModel

    @staticmethod
    def build(recipe: DigitsRecipe) -> DigitModel:
        """Build the network that a recipe describes."""
        return DigitModel(recipe.architecture)

    def all_ten(self, latents: Latents) -> Tensor:
        """Write all ten digits in each handwriting, ``(count, 784)``: uint8, ``(count, 10, 28, 28)``."""
        hands = inputs.as_latents(latents, "(count, 784)")
        labels = torch.arange(CLASSES).repeat(len(hands))
        return self.decode(hands.repeat_interleave(CLASSES, 0), labels).unflatten(0, (len(hands), CLASSES))

    @torch.inference_mode()
    def decode(self, latents: Latents, labels: Labels) -> Tensor:
        """Make pictures of handwritings.

        Args:
            latents: ``(count, 784)``.
            labels: of each, one for all, or weights of the ten classes, float ``(count, 10)``, for what lies between
                digits.

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
        """Find the handwriting of digits, ``(count, 784)``; each gray stands for the middle of its step.

        Args:
            images: uint8, ``(count, 28, 28)``, or one or several drawings.
            labels: what they show, as in :meth:`decode`.
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
        """Draw digits: the same handwritings for every label.

        Args:
            labels: the digits wanted, each 0 to 9, or a single one.
            count: handwritings.
            temperature: see :meth:`draw`.
            seed: see :meth:`draw`.
            steps: along axes, see :meth:`move`.
            within: the class whose own axes are meant, by default those over all classes, see :meth:`axes`.

        Returns:
            uint8, ``(labels, count, 28, 28)``.

        Raises:
            CinnError: if there is no such label or axis, or a number is out of range.
        """
        wanted = inputs.as_labels(labels)
        if not wanted:
            raise CinnError("No digit was asked for: name at least one from 0 to 9.")
        latents = self.move(self.draw(count, temperature, seed), {} if steps is None else steps, within)
        repeated = torch.tensor(wanted).repeat_interleave(count)
        return self.decode(latents.repeat(len(wanted), 1), repeated).unflatten(0, (len(wanted), count))

    @torch.inference_mode()
    def log_prob(self, images: DigitImages) -> Tensor:
        """Return ``log p(x | y)`` in nats of digits under every label, ``(count, 10)``; grays as in :meth:`encode`.

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
        r"""Tell digits apart by Bayes' rule, every digit as likely as any other beforehand.

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
            label: what it shows; by default what :meth:`classify` finds most probable.
        """
        digit = inputs.as_image(image)
        probabilities = self.classify(digit)[0]
        shown = int(probabilities.argmax()) if label is None else inputs.as_label(label)
        latent = self.encode(digit, shown)[0]
        doubtful = bool(self.typicality(latent) < ATYPICAL) or (label is None and bool(probabilities[shown] < UNSURE))
        return Restyled(shown, probabilities, latent, self.all_ten(latent[None])[0], doubtful)

    def interpolate(self, first: Latents, second: Latents, labels: Sequence[int], count: int = 8) -> Tensor:
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
        count, chosen = inputs.whole_number(count, "number of pictures", 2), inputs.as_labels(labels)
        if len(chosen) != 2:
            raise CinnError(
                f"{len(chosen)} labels have no way between them: give the first digit's and the last one's."
            )
        latents = self.between(first, second, count)
        place = torch.linspace(0, 1, count)[:, None]
        one, other = torch.eye(CLASSES)[chosen]
        return self.decode(latents, (1 - place) * one + place * other)
