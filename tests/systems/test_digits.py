"""The digits: an exact likelihood, an exact inverse, and a generator that keeps its promises about handwriting."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cinn_app import Colorizer, DigitGenerator
from cinn_app.errors import CheckpointError, CinnError
from cinn_app.flows import OrthogonalMixing
from cinn_app.systems.digits.model import CLASSES, DIMS, DigitModel, bits_per_dim, dequantise, quantise


@pytest.fixture(scope="module")
def generator(tiny_digits_checkpoint: Path) -> DigitGenerator:
    return DigitGenerator.load(tiny_digits_checkpoint, "cpu")


@pytest.fixture(scope="module")
def exact(generator: DigitGenerator) -> DigitModel:
    """The model in float64, its rotations orthogonal to the last digit, too."""
    model = copy.deepcopy(generator.model).double()
    for module in model.modules():
        if isinstance(module, OrthogonalMixing):
            u, _, vh = torch.linalg.svd(module.matrix)
            module.matrix.copy_(u @ vh)
    return model


def pictures(count: int) -> Tensor:
    """Blots on black, with grays of all values."""
    noise = torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    blots = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[:, 0]
    return ((blots - 0.48).clamp(min=0) * 2500).clamp(max=255).to(torch.uint8)


# ---- the model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "label", [torch.tensor([3]), torch.full((1, CLASSES), 0.1, dtype=torch.float64)], ids=["label", "weights"]
)
def test_the_likelihood_is_that_of_autograds_jacobian(exact: DigitModel, label: Tensor) -> None:
    x = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def latent(values: Tensor) -> Tensor:
        return exact.encode(values.view(1, 1, 28, 28), label)[0][0]

    jacobian = torch.autograd.functional.jacobian(latent, x.flatten(), vectorize=True)
    z = latent(x.flatten())
    expected = -(z.square().sum() + DIMS * math.log(2 * math.pi)) / 2 + torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(exact.encode(x, label)[1][0], expected, rtol=1e-9, atol=1e-6)


@torch.inference_mode()
def test_decode_undoes_encode(exact: DigitModel) -> None:
    x, labels = dequantise(pictures(10)).double(), torch.arange(10)
    z, log_prob = exact.encode(x, labels)
    back, again = exact.decode(z, labels)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-9)
    torch.testing.assert_close(again, log_prob)
    assert (z[1:] - z[:-1]).abs().amax(1).min() > 0.1


@torch.inference_mode()
def test_weights_of_one_class_are_that_class(exact: DigitModel) -> None:
    x, labels = dequantise(pictures(10)).double(), torch.arange(10)
    torch.testing.assert_close(exact.encode(x, torch.eye(10).double()), exact.encode(x, labels))
    # And the label matters at both scales.
    z, other = exact.encode(x, labels)[0], exact.encode(x, labels.roll(1))[0]
    assert ((z - other).abs()[:, :196].amax(1) > 1e-3).all()
    assert ((z - other).abs()[:, 196:].amax(1) > 1e-3).all()


def test_grays_survive_dequantising() -> None:
    grays = torch.arange(28 * 28).view(1, 28, 28).remainder(256).to(torch.uint8)
    for noise in (None, torch.zeros(1, 28, 28), 0.999 * torch.rand(1, 28, 28)):
        x = dequantise(grays, noise)
        assert x.shape == (1, 1, 28, 28)
        assert ((x >= 0) & (x < 1)).all()
        assert torch.equal(quantise(x), grays)
    assert quantise(torch.tensor([[[[-0.5, 1.0, 7.0]]]])).tolist() == [[[0, 255, 255]]]


def test_bits_per_dim_of_what_is_known() -> None:
    """Uniform noise takes 8 bits per value, and each halving of the range saves one."""
    torch.testing.assert_close(bits_per_dim(torch.tensor([0.0, DIMS * math.log(4)])), torch.tensor([8.0, 6.0]))


def test_the_loss_is_the_mean_of_the_bits(generator: DigitGenerator) -> None:
    images, labels = pictures(6), torch.arange(6)
    torch.manual_seed(5)
    loss = generator.model.loss(images, labels)
    torch.manual_seed(5)
    _, log_prob = generator.model.encode(dequantise(images, torch.rand(images.shape)), labels)
    torch.testing.assert_close(loss, bits_per_dim(log_prob).mean())


# ---- the generator -------------------------------------------------------------------------------------------------


def test_pictures_come_back_exactly(generator: DigitGenerator) -> None:
    images, labels = pictures(20), [*range(10), *range(10)]
    latents = generator.encode(images, labels)
    assert latents.shape == (20, DIMS)
    assert torch.equal(generator.decode(latents, labels), images)


def test_the_first_handwritings_do_not_depend_on_how_many_are_drawn(generator: DigitGenerator) -> None:
    many = generator.draw(5, seed=3)
    assert torch.equal(generator.draw(2, seed=3), many[:2])
    assert not torch.equal(generator.draw(1, seed=4), many[:1])
    torch.testing.assert_close(generator.draw(5, temperature=1.6, seed=3), 2 * many)  # the recipe has 0.8
    assert generator.draw(3, temperature=0).abs().max() == 0
    assert generator.draw(20, temperature=1).std().item() == pytest.approx(1, abs=0.03)


def test_the_same_seed_gives_the_same_pictures(generator: DigitGenerator) -> None:
    first = generator.sample([7, 3], count=3, seed=1)
    assert first.shape == (2, 3, 28, 28)
    assert first.dtype == torch.uint8
    torch.manual_seed(99)
    assert torch.equal(generator.sample([7, 3], count=3, seed=1), first)
    assert not torch.equal(generator.sample([7, 3], count=3, seed=2), first)
    alone = generator.sample([3], count=1, seed=1)[0, 0]
    assert (alone.int() - first[1, 0].int()).abs().max() <= 1  # another batch may round otherwise


def test_one_latent_is_one_hand_for_every_label(generator: DigitGenerator) -> None:
    hand = generator.draw(1, seed=6)
    sampled = generator.sample(range(10), seed=6)[:, 0]
    assert torch.equal(generator.decode(hand.expand(10, -1), range(10)), sampled)
    assert len({tuple(picture.flatten().tolist()) for picture in sampled}) == 10


@pytest.mark.parametrize("key", ["width", "2", 2])
@pytest.mark.parametrize("label", [None, 4])
def test_moving_goes_along_an_axis_by_name_or_number(
    generator: DigitGenerator, key: str | int, label: int | None
) -> None:
    axis = generator.axes(label)[1]
    assert axis.name == "width"
    assert axis.share == 0.25
    assert axis.direction.norm().item() == pytest.approx(1, abs=1e-3)
    hands = generator.draw(2)
    kept = hands.clone()
    torch.testing.assert_close(generator.move(hands, {key: -1.5}, label), kept - 1.5 * axis.direction)
    assert torch.equal(hands, kept)
    assert torch.equal(generator.move(hands, {}), kept)


def test_steps_add_up_and_show_in_samples(generator: DigitGenerator) -> None:
    slant, width, *_ = generator.axes()
    moved = generator.move(generator.draw(1), {"slant": 2, 2: 1})
    torch.testing.assert_close(moved, generator.draw(1) + 2 * slant.direction + width.direction)
    assert torch.equal(generator.sample([5], steps={"slant": 2, 2: 1})[0], generator.decode(moved, [5]))


def test_classes_have_axes_of_their_own(generator: DigitGenerator) -> None:
    assert not torch.equal(generator.axes(1)[0].direction, generator.axes(2)[0].direction)
    assert not torch.equal(generator.axes(1)[0].direction, generator.axes()[0].direction)


def test_classifying_is_bayes_rule(generator: DigitGenerator) -> None:
    images = pictures(60)  # more than go through at once
    log_prob = generator.log_prob(images)
    probabilities = generator.classify(images)
    assert log_prob.shape == probabilities.shape == (60, CLASSES)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(60))
    torch.testing.assert_close(probabilities, torch.softmax(log_prob.double(), 1).float())
    with torch.inference_mode():
        expected = generator.model.encode(dequantise(images[57:]), torch.tensor([8, 8, 8]))[1]
    torch.testing.assert_close(log_prob[57:, 8], expected, rtol=1e-5, atol=0.01)


@pytest.mark.parametrize("label", [None, 6])
def test_restyling_returns_the_picture_under_its_own_label(generator: DigitGenerator, label: int | None) -> None:
    image = pictures(3)[2]
    shown, latent, images = generator.restyle(image, label)
    assert shown == (generator.classify(image[None]).argmax() if label is None else label)
    assert images.shape == (CLASSES, 28, 28)
    assert torch.equal(images[shown], image)
    assert torch.equal(images, generator.decode(latent.expand(CLASSES, -1), range(CLASSES)))
    assert all(not torch.equal(images[other], image) for other in range(CLASSES) if other != shown)


def test_interpolation_begins_and_ends_at_its_ends(generator: DigitGenerator) -> None:
    first, second = generator.draw(2, seed=8)
    way = generator.interpolate(first, second, (2, 9), count=5)
    assert way.shape == (5, 28, 28)
    ends = generator.decode(torch.stack([first, second]), [2, 9])
    assert (way[[0, -1]].int() - ends.int()).abs().max() <= 1
    assert not torch.equal(way[2], way[0])
    # Of one hand, only the label goes over.
    same = generator.interpolate(first, first, (2, 2), count=3)
    assert (same.int() - ends[0].int()).abs().max() <= 1


def test_the_way_between_handwritings_keeps_their_length(generator: DigitGenerator) -> None:
    """Half way along the arc a latent is as long as at its ends, where a straight line would be shorter."""
    seen: list[Tensor] = []
    recording = copy.copy(generator)
    recording.decode = lambda latents, labels: seen.append(latents) or torch.empty(0)  # type: ignore[method-assign]
    first, second = generator.draw(2, temperature=1, seed=8)
    recording.interpolate(first, second, (0, 0), count=5)
    lengths = seen[0].norm(dim=1)
    assert lengths.min() > 0.98 * min(first.norm(), second.norm())
    opposite = generator.interpolate(first, -first, (0, 0), count=3)
    assert torch.equal(opposite[1], generator.decode(torch.zeros(1, DIMS), [0])[0])


@pytest.mark.parametrize("label", [-1, 10, 99])
def test_unknown_labels_are_refused(generator: DigitGenerator, label: int) -> None:
    image, hand = pictures(1), generator.draw(1)
    for attempt in (
        lambda: generator.sample([1, label]),
        lambda: generator.axes(label),
        lambda: generator.encode(image, [label]),
        lambda: generator.decode(hand, [label]),
        lambda: generator.restyle(image[0], label),
        lambda: generator.move(hand, {}, label),
        lambda: generator.interpolate(hand[0], hand[0], (1, label)),
    ):
        with pytest.raises(CinnError, match=f"There is no digit {label}: choose one from 0 to 9"):
            attempt()


@pytest.mark.parametrize("key", ["curl", "0", "13", 0, 13, "-1", ""])
def test_unknown_axes_are_refused(generator: DigitGenerator, key: str | int) -> None:
    with pytest.raises(CinnError, match="choose one of 1 slant, 2 width, 3 shape 3"):
        generator.sample([1], steps={key: 1.0})


@pytest.mark.parametrize("step", [5.1, -7, math.nan, math.inf])
def test_steps_out_of_range_are_refused(generator: DigitGenerator, step: float) -> None:
    with pytest.raises(CinnError, match="along slant is out of range: give one from -5 to 5"):
        generator.sample([1], steps={"slant": step})


@pytest.mark.parametrize("temperature", [-0.1, 2.1, math.nan])
def test_temperatures_out_of_range_are_refused(generator: DigitGenerator, temperature: float) -> None:
    with pytest.raises(CinnError, match="is out of range: give one from 0 to 2"):
        generator.draw(temperature=temperature)


def test_nothing_is_not_drawn_but_may_be_read(generator: DigitGenerator) -> None:
    with pytest.raises(CinnError, match="ask for at least 1"):
        generator.sample([1], count=0)
    with pytest.raises(CinnError, match="name at least one"):
        generator.sample([])
    assert generator.classify(torch.empty(0, 28, 28, dtype=torch.uint8)).shape == (0, CLASSES)


def test_one_picture_has_no_way(generator: DigitGenerator) -> None:
    with pytest.raises(CinnError, match="give at least 2"):
        generator.interpolate(*generator.draw(2), (0, 1), count=1)


def test_checkpoints_of_the_other_system_are_refused(tiny_checkpoint: Path, tiny_digits_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="is made for digits, not for colorization"):
        Colorizer.load(tiny_digits_checkpoint)
    with pytest.raises(CheckpointError, match="is made for colorization, not for digits"):
        DigitGenerator.load(tiny_checkpoint)
