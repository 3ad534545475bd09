"""The digits: an exact likelihood, an exact inverse, and a generator that keeps its promises about handwriting."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from pixels import assert_same_pixels
from torch import Tensor

from cinn_app import Colorizer, DigitGenerator
from cinn_app.errors import CheckpointError, CinnError
from cinn_app.flows import OrthogonalMixing
from cinn_app.imaging import read_provenance
from cinn_app.systems.digits.files import save_digits
from cinn_app.systems.digits.images import digit_sheet, read_digit
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
def test_the_likelihood_agrees_with_autograds_jacobian(exact: DigitModel, label: Tensor) -> None:
    x = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def latent(values: Tensor) -> Tensor:
        return exact.encode(values.view(1, 1, 28, 28), label)[0][0]

    jacobian = torch.autograd.functional.jacobian(latent, x.flatten(), vectorize=True)
    z = latent(x.flatten())
    expected = -(z.square().sum() + DIMS * math.log(2 * math.pi)) / 2 + torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(exact.encode(x, label)[1][0], expected, rtol=1e-9, atol=1e-6)


@torch.inference_mode()
def test_decode_inverts_encode(exact: DigitModel) -> None:
    x, labels = dequantise(pictures(10)).double(), torch.arange(10)
    z, log_prob = exact.encode(x, labels)
    back, again = exact.decode(z, labels)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-9)
    torch.testing.assert_close(again, log_prob)
    assert (z[1:] - z[:-1]).abs().amax(1).min() > 0.1


@torch.inference_mode()
def test_weight_1_of_a_class_equals_its_label(exact: DigitModel) -> None:
    x, labels = dequantise(pictures(10)).double(), torch.arange(10)
    torch.testing.assert_close(exact.encode(x, torch.eye(10).double()), exact.encode(x, labels))
    # And the label matters at both scales.
    z, other = exact.encode(x, labels)[0], exact.encode(x, labels.roll(1))[0]
    assert ((z - other).abs()[:, :196].amax(1) > 1e-3).all()
    assert ((z - other).abs()[:, 196:].amax(1) > 1e-3).all()


def test_quantise_inverts_dequantise() -> None:
    grays = torch.arange(28 * 28).view(1, 28, 28).remainder(256).to(torch.uint8)
    for noise in (None, torch.zeros(1, 28, 28), 0.999 * torch.rand(1, 28, 28)):
        x = dequantise(grays, noise)
        assert x.shape == (1, 1, 28, 28)
        assert ((x >= 0) & (x < 1)).all()
        assert torch.equal(quantise(x), grays)
    assert quantise(torch.tensor([[[[-0.5, 1.0, 7.0]]]])).tolist() == [[[0, 255, 255]]]


def test_bits_per_dim_of_known_densities() -> None:
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


def test_encoded_pictures_are_decoded_exactly(generator: DigitGenerator) -> None:
    images, labels = pictures(20), [*range(10), *range(10)]
    latents = generator.encode(images, labels)
    assert latents.shape == (20, DIMS)
    assert torch.equal(generator.decode(latents, labels), images)


def test_the_first_handwritings_do_not_depend_on_how_many_are_drawn(generator: DigitGenerator) -> None:
    many = generator.draw(5, seed=3)
    torch.testing.assert_close(generator.draw(2, seed=3), many[:2])
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
    assert_same_pixels(alone, first[1, 0])


def test_a_latent_is_one_handwriting_for_every_label(generator: DigitGenerator) -> None:
    hand = generator.draw(1, seed=6)
    sampled = generator.sample(range(10), seed=6)[:, 0]
    assert_same_pixels(generator.decode(hand.expand(10, -1), range(10)), sampled)
    assert len({tuple(picture.flatten().tolist()) for picture in sampled}) == 10


@pytest.mark.parametrize("key", ["width", "Width", " WIDTH", "2", 2, np.int64(2)])
@pytest.mark.parametrize("label", [None, 4])
def test_move_takes_an_axis_by_name_or_number(generator: DigitGenerator, key: str | int, label: int | None) -> None:
    axis = generator.axes(label)[1]
    assert axis.name == "width"
    assert axis.share == 0.25
    assert axis.direction.norm().item() == pytest.approx(1, abs=1e-3)
    hands = generator.draw(2)
    kept = hands.clone()
    torch.testing.assert_close(generator.move(hands, {key: -1.5}, label), kept - 1.5 * axis.direction)
    assert torch.equal(hands, kept)
    torch.testing.assert_close(generator.move(hands, {}), kept)


def test_steps_add_up_and_change_samples(generator: DigitGenerator) -> None:
    slant, width, *_ = generator.axes()
    moved = generator.move(generator.draw(1), {"slant": 2, 2: 1})
    torch.testing.assert_close(moved, generator.draw(1) + 2 * slant.direction + width.direction)
    assert_same_pixels(generator.sample([5], steps={"slant": 2, 2: 1})[0], generator.decode(moved, [5]))


def test_classes_have_axes_of_their_own(generator: DigitGenerator) -> None:
    assert not torch.equal(generator.axes(1)[0].direction, generator.axes(2)[0].direction)
    assert not torch.equal(generator.axes(1)[0].direction, generator.axes()[0].direction)


def test_samples_go_along_the_axes_of_a_class(generator: DigitGenerator) -> None:
    slant = generator.axes(7)[0]
    expected = generator.decode(generator.draw(2) + 1.5 * slant.direction, 7)
    within = generator.sample([7], 2, steps={"Slant": 1.5}, within=7)[0]
    assert_same_pixels(within, expected)
    assert not torch.equal(generator.sample([7], 2, steps={"slant": 1.5})[0], within)
    with pytest.raises(CinnError, match="There is no digit 10"):
        generator.sample([7], within=10)


def test_classification_is_bayes_rule(generator: DigitGenerator) -> None:
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
def test_restyle_returns_the_picture_for_its_own_label(generator: DigitGenerator, label: int | None) -> None:
    image = pictures(3)[2]
    shown, probabilities, latent, images, _ = generator.restyle(image, label)
    torch.testing.assert_close(probabilities, generator.classify(image)[0])
    assert shown == (generator.classify(image[None]).argmax() if label is None else label)
    assert images.shape == (CLASSES, 28, 28)
    assert torch.equal(images[shown], image)
    assert_same_pixels(images, generator.decode(latent.expand(CLASSES, -1), range(CLASSES)))
    assert all(not torch.equal(images[other], image) for other in range(CLASSES) if other != shown)


def test_digits_are_typical_and_other_pictures_are_doubtful() -> None:
    shipped = DigitGenerator.load("digits", "cpu")
    drawn = shipped.sample(range(10), 10, temperature=0.9, seed=1).flatten(0, 1)
    latents = shipped.encode(drawn, torch.arange(10).repeat_interleave(10))
    assert (shipped.typicality(latents) > 0.01).float().mean() > 0.97
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (200, 200), dtype=np.uint8))
    cross = Image.new("L", (280, 280), 255)
    for line in (((60, 60), (220, 220)), ((60, 220), (220, 60))):
        ImageDraw.Draw(cross).line(line, 0, 18)
    two = Image.fromarray(torch.cat([torch.zeros(28, 8, dtype=torch.uint8), *drawn[[20, 40]]], 1).numpy())
    for picture in (noise, cross, two.resize((256, 112))):
        assert shipped.restyle(picture).doubtful
    assert not shipped.restyle(drawn[33]).doubtful


def test_interpolation_includes_both_ends(generator: DigitGenerator) -> None:
    first, second = generator.draw(2, seed=8)
    way = generator.interpolate(first, second, (2, 9), count=5)
    assert way.shape == (5, 28, 28)
    ends = generator.decode(torch.stack([first, second]), [2, 9])
    assert_same_pixels(way[[0, -1]], ends)
    assert not torch.equal(way[2], way[0])
    # Of one hand, only the label goes over.
    same = generator.interpolate(first, first, (2, 2), count=3)
    assert_same_pixels(same, ends[:1].expand(3, -1, -1))


def test_interpolation_keeps_the_norm_of_latents(generator: DigitGenerator) -> None:
    """Half way along the arc a latent is as long as at its ends, where a straight line would be shorter."""
    seen: list[Tensor] = []
    recording = copy.copy(generator)
    recording.decode = lambda latents, labels: seen.append(latents) or torch.empty(0)  # type: ignore[method-assign]
    first, second = generator.draw(2, temperature=1, seed=8)
    recording.interpolate(first, second, (0, 0), count=5)
    lengths = seen[0].norm(dim=1)
    assert lengths.min() > 0.98 * min(first.norm(), second.norm())
    opposite = generator.interpolate(first, -first, (0, 0), count=3)
    assert_same_pixels(opposite[1], generator.decode(torch.zeros(1, DIMS), [0])[0])


@pytest.mark.parametrize("label", [-1, 10, 99, 3.5, 3.0, math.nan])
def test_unknown_labels_are_refused(generator: DigitGenerator, label: Any) -> None:
    image, hand = pictures(1), generator.draw(1)
    for attempt in (
        lambda: generator.sample([1, label]),
        lambda: generator.axes(label),
        lambda: generator.encode(image, [label]),
        lambda: generator.encode(image, np.array([label])),
        lambda: generator.encode(image, torch.tensor([label])),
        lambda: generator.decode(hand, [label]),
        lambda: generator.restyle(image[0], label),
        lambda: generator.move(hand, {}, label),
        lambda: generator.interpolate(hand[0], hand[0], (1, label)),
    ):
        with pytest.raises(CinnError, match=f"There is no digit {label}: choose a whole number from 0 to 9"):
            attempt()


@pytest.mark.parametrize("key", ["curl", "0", "13", 0, 13, "-1", "", 1.5, None, True])
def test_unknown_axes_are_refused(generator: DigitGenerator, key: str | int) -> None:
    with pytest.raises(CinnError, match="choose one of 1 slant, 2 width, 3 shape 3"):
        generator.sample([1], steps={key: 1.0})


def test_an_axis_given_twice_is_refused(generator: DigitGenerator) -> None:
    with pytest.raises(CinnError, match="The axis slant is given twice"):
        generator.sample([1], steps={"Slant": 1.0, 1: 1.0})


@pytest.mark.parametrize("step", [3.1, -7, math.nan, math.inf, "far", None, [1, 2], torch.ones(2)])
def test_steps_out_of_range_are_refused(generator: DigitGenerator, step: Any) -> None:
    with pytest.raises(CinnError, match=r"The step along slant, .*, is out of range: give a number from -3 to 3"):
        generator.sample([1], steps={"slant": step})


@pytest.mark.parametrize("temperature", [-0.1, 2.1, math.nan, math.inf, "warm", [1.0]])
def test_temperatures_out_of_range_are_refused(generator: DigitGenerator, temperature: Any) -> None:
    with pytest.raises(CinnError, match="is out of range: give a number from 0 to 2"):
        generator.draw(temperature=temperature)


def test_empty_inputs_are_read_but_nothing_is_drawn(generator: DigitGenerator) -> None:
    with pytest.raises(CinnError, match="give a whole number from 1 to 10000"):
        generator.sample([1], count=0)
    with pytest.raises(CinnError, match="name at least one"):
        generator.sample([])
    assert generator.classify(torch.empty(0, 28, 28, dtype=torch.uint8)).shape == (0, CLASSES)


def test_interpolation_needs_two_pictures(generator: DigitGenerator) -> None:
    with pytest.raises(CinnError, match="give a whole number from 2 to 10000"):
        generator.interpolate(*generator.draw(2), (0, 1), count=1)


def test_a_lattice_is_every_combination_of_steps_along_axes(generator: DigitGenerator) -> None:
    hand = generator.draw(seed=3)[0]
    steps = (-1.5, 0.0, 2.0)
    square = generator.lattice(hand, ["slant", 3], steps)
    assert square.shape == (3, 3, DIMS)
    for row, column in ((0, 0), (0, 2), (2, 1)):
        torch.testing.assert_close(square[row, column], generator.move(hand, {1: steps[row], 3: steps[column]}))
    torch.testing.assert_close(generator.lattice(hand, [2], steps, label=7)[0], generator.move(hand, {2: -1.5}, 7))
    for axes in (["slant", "slant"], ["slant", 1]):
        with pytest.raises(CinnError, match="An axis cannot cross itself: choose different ones"):
            generator.lattice(hand, axes, steps)
    with pytest.raises(CinnError, match=r"The step, 3\.5, is out of range: give a number from -3 to 3"):
        generator.lattice(hand, [1], [0, 3.5])
    with pytest.raises(CinnError, match="There is no axis 'wobble'"):
        generator.lattice(hand, ["wobble"], steps)


def test_project_returns_the_coordinates_that_move_adds_to(generator: DigitGenerator) -> None:
    hands, directions = generator.draw(2, seed=3), torch.stack([axis.direction for axis in generator.axes()])
    there = generator.project(generator.move(hands, {"width": 1.5})) - generator.project(hands)
    torch.testing.assert_close(there, (1.5 * directions @ directions[1]).expand(2, -1), atol=1e-5, rtol=1e-4)
    assert generator.project(hands[0], label=7).shape == (len(directions),)


def test_all_ten_digits_of_several_handwritings(generator: DigitGenerator) -> None:
    hands = generator.draw(3)
    assert_same_pixels(generator.all_ten(hands).transpose(0, 1), generator.sample(range(CLASSES), 3))
    assert generator.all_ten(hands[:0]).shape == (0, CLASSES, 28, 28)


def test_interpolated_latents_are_as_probable_as_their_ends(generator: DigitGenerator) -> None:
    first, second = generator.draw(2)
    way = generator.interpolate_latents(first, second, 5)
    torch.testing.assert_close(way[[0, -1]], torch.stack([first, second]))
    lengths = way.norm(dim=1)
    assert lengths[1:-1].min() > 0.97 * min(lengths[0], lengths[-1])
    with pytest.raises(CinnError, match="number of handwritings, 1, is out of range"):
        generator.interpolate_latents(first, second, 1)


@pytest.fixture
def drawings(tmp_path: Path) -> list[Path]:
    """Files of two strokes, dark on light."""
    paths = []
    for number, end in enumerate([(50, 85), (20, 85)]):
        picture = Image.new("L", (100, 100), "white")
        ImageDraw.Draw(picture).line([(50, 15), end], "black", 8)
        paths.append(tmp_path / f"{number}.png")
        picture.save(paths[-1])
    return paths


FORMS: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "name": str,
    "bytes": Path.read_bytes,
    "picture": Image.open,
    "tensor": read_digit,
    "array": lambda path: read_digit(path).numpy(),
    "an array that runs backwards": lambda path: read_digit(path).flip(0).numpy()[::-1],
    "a series of one": lambda path: read_digit(path)[None],
    "a list of one": lambda path: [path],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_digit_may_be_given_in_any_form(generator: DigitGenerator, drawings: list[Path], form: str) -> None:
    given, digit = FORMS[form](drawings[0]), read_digit(drawings[0])[None]
    torch.testing.assert_close(generator.classify(given), generator.classify(digit))
    torch.testing.assert_close(generator.log_prob(given), generator.log_prob(digit))
    torch.testing.assert_close(generator.encode(given, 1), generator.encode(digit, [1]))
    assert torch.equal(generator.restyle(given).images, generator.restyle(digit[0]).images)


def test_several_digits_may_be_given_in_any_form(generator: DigitGenerator, drawings: list[Path]) -> None:
    digits = torch.stack([read_digit(path) for path in drawings])
    for given in (drawings, tuple(digits), digits.numpy(), digits[:, None], [drawings[0], digits[1].numpy()]):
        torch.testing.assert_close(generator.encode(given, (1, 7)), generator.encode(digits, [1, 7]))
    assert generator.classify([]).shape == (0, CLASSES)
    assert generator.encode([], []).shape == (0, DIMS)
    assert generator.decode(torch.empty(0, DIMS), 3).shape == (0, 28, 28)
    with pytest.raises(CinnError, match="2 digits were given where one is wanted"):
        generator.restyle(digits)  # type: ignore[arg-type]


def test_labels_and_latents_may_be_given_in_any_form(generator: DigitGenerator) -> None:
    hands = generator.draw(2)
    expected = generator.decode(hands, [4, 4])
    for labels in (4, [4], np.int64(4), np.array([4, 4]), np.uint8(4), torch.tensor(4), torch.tensor([4, 4]), (4, 4)):
        assert torch.equal(generator.decode(hands.double().numpy(), labels), expected)
    weights = np.eye(CLASSES)[[4, 4]]
    assert_same_pixels(generator.decode(hands, weights), expected)
    assert_same_pixels(generator.sample(4, 2)[0], expected)
    moved = generator.move(hands.numpy()[0], {"slant": np.float32(1)})
    torch.testing.assert_close(moved, generator.move(hands, {"slant": 1})[0])


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (torch.zeros(200, 100, dtype=torch.uint8), r"the shape \(200, 100\): give \(count, 28, 28\)"),
        (np.zeros((1, 3, 28, 28), np.uint8), r"the shape \(1, 3, 28, 28\)"),
        (torch.zeros(784, dtype=torch.uint8), r"the shape \(784,\)"),
        (torch.zeros(28, 28), "the type torch.float32: give uint8"),
        (np.full((28, 28), np.nan), "the type float64: give uint8"),
        (np.zeros((28, 28), np.int64), "the type int64: give uint8"),
        (np.full((28, 28), "a"), "the type <U1: give uint8"),
        (None, "Digits cannot be given as NoneType"),
        ([1, 2], "Digits cannot be given as int"),
        ("nowhere.png", "nowhere.png does not exist"),
        (Image.new("L", (50, 50), "white"), "is empty: draw one digit"),
    ],
)
def test_invalid_digits_are_refused(generator: DigitGenerator, images: Any, reason: str) -> None:
    for attempt in (
        lambda: generator.classify(images),
        lambda: generator.log_prob(images),
        lambda: generator.encode(images, 1),
        lambda: generator.restyle(images, 1),
    ):
        with pytest.raises(CinnError, match=reason):
            attempt()


@pytest.mark.parametrize(
    ("latents", "reason"),
    [
        (torch.zeros(2, 28, 27), "Latents cannot have the shape"),
        (np.zeros(783), "Latents cannot have the shape"),
        (torch.tensor(0.0), "Latents cannot have the shape"),
        (torch.zeros(1, DIMS, dtype=torch.int64), "the type torch.int64: give floats"),
        (np.zeros((1, DIMS), np.complex64), "the type complex64: give floats"),
        (torch.full((1, DIMS), math.nan), "nan or infinite"),
        (np.full((1, DIMS), np.inf), "nan or infinite"),
        ([[0.0] * DIMS], "Latents cannot be given as list"),
    ],
)
def test_invalid_latents_are_refused(generator: DigitGenerator, latents: Any, reason: str) -> None:
    for attempt in (
        lambda: generator.decode(latents, 1),
        lambda: generator.move(latents, {}),
        lambda: generator.interpolate(latents, generator.draw()[0], (1, 2)),
    ):
        with pytest.raises(CinnError, match=reason):
            attempt()


def test_arguments_that_do_not_fit_together_are_refused(generator: DigitGenerator) -> None:
    hands, images = generator.draw(3), pictures(3)
    attempts: list[tuple[Callable[[], Any], str]] = [
        (lambda: generator.decode(hands[0], 1), r"the shape \(784,\) here: give \(count, 784\)"),
        (lambda: generator.interpolate(hands, hands[0], (1, 2)), r"here: give \(784,\)"),
        (lambda: generator.interpolate(hands[0], hands[1], (1, 2, 3)), "3 labels were given where two are wanted"),
        (lambda: generator.interpolate(hands[0], hands[1], (1, 2), count=2.5), "The number of pictures, 2.5, is out"),
        (lambda: generator.decode(hands, [1, 2]), "2 labels do not fit 3 digits: give one for each, or one for all"),
        (lambda: generator.encode(images, [1, 2, 3, 4]), "4 labels do not fit 3 digits"),
        (lambda: generator.decode(hands, torch.ones(2, CLASSES)), r"\(2, 10\) do not fit: give \(3, 10\)"),
        (lambda: generator.decode(hands, torch.full((3, CLASSES), math.nan)), "nan or infinite"),
        (lambda: generator.decode(hands, "one"), "There is no digit 'o'"),
        (lambda: generator.decode(hands, None), "There is no digit None"),
        (lambda: generator.draw(2.5), "The number of handwritings, 2.5, is out of range"),
        (lambda: generator.draw(10**12), "The number of handwritings, 1000000000000, .* from 1 to 10000"),
        (lambda: generator.sample([3], count=10**12), "The number of handwritings, .* from 1 to 10000"),
        (lambda: generator.sample([3], count="many"), "The number of handwritings, 'many', .* from 1 to 10000"),
        (lambda: generator.interpolate(hands[0], hands[1], (1, 2), 10**12), "The number of pictures, .* 2 to 10000"),
        (lambda: generator.interpolate_latents(hands[0], hands[1], 10_001), "handwritings, 10001, .* 2 to 10000"),
        (lambda: generator.lattice(hands[0], ["slant", "width"], [0.0] * 101), "handwritings, 10201, .* to 10000"),
        (lambda: generator.lattice(hands[0], None, [1.0]), "There is no axis None"),
        (lambda: generator.lattice(hands[0], ["slant"], None), "The step, None, is out of range"),
        (lambda: generator.sample([3], temperature="hot"), "The temperature, 'hot', is out of range: give a number"),
        (lambda: generator.sample([3], steps={"9" * 5000: 1}), "There is no axis"),
        (lambda: generator.sample([3], steps={"slant": "x"}), "The step along slant, 'x', is out of range"),
        (lambda: generator.sample(None), "There is no digit None"),
        (lambda: generator.restyle(None), "Digits cannot be given as NoneType"),
        (lambda: generator.restyle(images[0], "seven"), "There is no digit 'seven'"),
        (lambda: generator.classify(5), "Digits cannot be given as int"),
        (lambda: generator.draw(seed=-1), "The seed, -1, is out of range: give a whole number from 0 to"),
        (lambda: generator.draw(seed=2**64), "The seed, 18446744073709551616, is out of range"),
        (lambda: generator.draw(seed="x"), "The seed, 'x', is out of range"),
        (lambda: generator.move(hands, ["slant"]), "Steps cannot be given as list: name axes"),
        (lambda: generator.move(hands[:0], {}, label="7"), "There is no digit '7'"),
    ]
    for attempt, reason in attempts:
        with pytest.raises(CinnError, match=reason) as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_settings_determine_a_sample(generator: DigitGenerator) -> None:
    plain = generator.settings(seed=3)
    assert plain["model"] == "tiny-digits" and generator.checkpoint.digest.startswith(plain["weights"])
    assert (plain["seed"], plain["temperature"]) == (3, 0.8)
    assert not plain.keys() & {"axes", "axes_within"}
    moved = generator.settings(0.5, 3, {"WIDTH": 1.5, "1": -2.0}, within=7)
    assert (moved["temperature"], moved["axes"], moved["axes_within"]) == (0.5, {"width": 1.5, "slant": -2.0}, 7)
    assert generator.settings(within=7).keys() == plain.keys()


def test_files_record_whether_a_model_made_all_or_part_of_them(generator: DigitGenerator, tmp_path: Path) -> None:
    """In IPTC's terms: all of it, or part of it if the sheet shows the picture that the handwriting is from."""
    digits = pictures(2)
    save_digits(tmp_path / "one.png", digits[0], {"seed": 3})
    save_digits(tmp_path / "sheet.png", digits[None], {"seed": 3}, Path("mine.png"))
    save_digits(tmp_path / "plain.png", digits[None])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "one.png")), digits[0])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), digit_sheet(digits[None]))
    one, sheet = (read_provenance(tmp_path / name) for name in ("one.png", "sheet.png"))
    assert one is not None and one.keys() == {"program", "seed"}
    assert sheet is not None and sheet["source"] == "mine.png"
    words = b"newscodes/digitalsourcetype/%sAlgorithmicMedia<"
    assert (tmp_path / "one.png").read_bytes().count(words % b"trained") == 1
    assert (tmp_path / "sheet.png").read_bytes().count(words % b"compositeWithTrained") == 1
    assert "xmp" not in Image.open(tmp_path / "plain.png").info


def test_checkpoints_of_the_other_system_are_refused(tiny_checkpoint: Path, tiny_digits_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="is made for digits, not for colorization"):
        Colorizer.load(tiny_digits_checkpoint)
    with pytest.raises(CheckpointError, match="is made for colorization, not for digits"):
        DigitGenerator.load(tiny_checkpoint)
