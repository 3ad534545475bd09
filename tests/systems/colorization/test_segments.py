"""Segments: soft masks of the things in a picture, and the tree of their mergers."""

import pytest
import torch
from torch import Tensor

from cinn_app.flows import SpanFirst
from cinn_app.systems.colorization.decoder import Decoded
from cinn_app.systems.colorization.segments import Segmenter, Segments

CHANNELS, WIDTHS = 6, (4, 5)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def seen(lightness: Tensor, ab: Tensor | None = None) -> tuple[Tensor, list[Tensor], Decoded]:
    """Return what a segmenter sees; without features, so that lightness, chroma and place decide."""
    batch, _, height, width = lightness.shape
    features = [torch.zeros(batch, CHANNELS, height // stride, width // stride) for stride in (8, 16, 32)]
    levels = tuple(
        torch.zeros(batch, w, height // s, width // s) for w, s in zip((*WIDTHS, 8), (8, 16, 32), strict=True)
    )
    mean = torch.zeros(batch, 2, height // 4, width // 4) if ab is None else ab
    return lightness, features, Decoded(mean, levels)  # type: ignore[arg-type]


def textured(batch: int = 2, height: int = 96, width: int = 64) -> Tensor:
    return torch.nn.functional.interpolate(100 * torch.rand(batch, 1, height // 16, width // 16), (height, width))


def segments_of(lightness: Tensor, ab: Tensor | None = None) -> Segments:
    with torch.inference_mode():
        return Segmenter(WIDTHS, CHANNELS)(*seen(lightness, ab))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (64, 160)])
def test_masks_are_positive_with_sum_1_one_for_each_cell_of_32_pixels(height: int, width: int) -> None:
    segments = segments_of(textured(2, height, width))
    count = height * width // 32**2
    assert segments.masks.shape == (2, count, height // 4, width // 4)
    assert segments.first.shape == segments.second.shape == (2, count - 1, count)
    assert segments.masks.min() >= 0
    torch.testing.assert_close(segments.masks.sum(1), torch.ones(2, height // 4, width // 4))
    torch.testing.assert_close(segments.sizes(), segments.masks.sum((2, 3)))


def test_the_tree_splits_the_whole_or_a_side_of_an_earlier_split() -> None:
    segments = segments_of(textured(3, 96, 128))
    sizes = segments.sizes()
    for first, second, size in zip(segments.first, segments.second, sizes, strict=True):
        assert set(first.unique().tolist()) == set(second.unique().tolist()) == {0.0, 1.0}
        open_sets = {tuple([1.0] * len(size))}
        for one, other in zip(first, second, strict=True):
            assert (one * other).max() == 0
            open_sets.remove(tuple((one + other).tolist()))  # each set is split once
            open_sets |= {tuple(one.tolist()), tuple(other.tolist())}
            assert (one * size).sum() <= (other * size).sum() + 1e-3
        assert open_sets == {tuple(row) for row in torch.eye(len(size)).tolist()}


def test_the_columns_span_what_the_masks_span() -> None:
    segments = segments_of(textured())
    columns, masks = segments.columns().flatten(2).double().mT, segments.masks.flatten(2).double().mT
    assert (columns[..., 0] == 1).all()
    for one, other in ((columns, masks), (masks, columns)):
        found = one @ torch.linalg.lstsq(one, other).solution
        torch.testing.assert_close(found, other, atol=1e-6, rtol=0)
    x = torch.randn(2, 2, 24 * 16)
    rotated, _ = SpanFirst()(x, segments.columns().flatten(2).mT)
    in_span = masks @ torch.linalg.lstsq(masks, x.double().mT).solution
    torch.testing.assert_close(rotated[..., :6].norm(dim=2), in_span.mT.norm(dim=2).float(), atol=1e-3, rtol=0)


def three_areas() -> tuple[Tensor, Tensor]:
    """Dark left half, and a right half of two light shades: labels at stride 4, and L*."""
    label = torch.zeros(24, 24, dtype=torch.long)
    label[:, 12:], label[12:, 12:] = 1, 2
    lightness = torch.tensor([10.0, 65.0, 95.0])[label].repeat_interleave(4, 0).repeat_interleave(4, 1)
    return label, lightness[None, None]


def test_the_first_splits_separate_three_flat_areas_the_most_different_first() -> None:
    label, lightness = three_areas()
    segments = segments_of(lightness)
    of_area = torch.stack([segments.masks[0, :, label == area].mean(1) for area in range(3)])  # (areas, K)
    shares = [of_area @ side[0].T for side in (segments.first, segments.second)]
    sides = torch.stack(shares)  # of each side, area and split
    dark = int(sides[:, 0, 0].argmax())
    torch.testing.assert_close(sides[dark, :, 0], torch.tensor([1.0, 0, 0]), atol=0.1, rtol=0)
    shades = sides[:, :, 1]
    assert shades[:, 0].max() < 0.1  # of the dark half nothing is left
    assert (shades[:, 1] - shades[:, 2]).abs().min() > 0.6


def test_things_are_the_parts_that_the_first_seven_splits_leave() -> None:
    segments = segments_of(textured(2, 96, 128))
    things = segments.things()
    assert things.shape == (2, 8, 24, 32)
    torch.testing.assert_close(things.sum(1), torch.ones(2, 24, 32))
    columns = segments.columns()[:, :8].flatten(2).double().mT
    found = columns @ torch.linalg.lstsq(columns, things.flatten(2).double().mT).solution
    torch.testing.assert_close(found, things.flatten(2).double().mT, atol=1e-5, rtol=0)
    few = segments_of(textured(1, 64, 64))
    torch.testing.assert_close(few.things().sum((2, 3)).sort()[0], few.sizes().sort()[0])


def hard_segments(count: int = 12, side: int = 24) -> tuple[Segments, Tensor]:
    """Stripes, merged from the left, and the number of each pixel's stripe."""
    label = torch.arange(side).mul(count).div(side, rounding_mode="floor").expand(side, side)
    masks = torch.nn.functional.one_hot(label, count).movedim(-1, 0)[None].float()
    last = torch.arange(count - 1, 0, -1)
    first = torch.nn.functional.one_hot(last, count)[None].float()
    second = (torch.arange(count) < last[:, None])[None].float()
    return Segments(masks, first, second), label


def test_held_energy_is_near_1_for_an_error_constant_on_segments_and_0_for_one_without_means() -> None:
    segments, label = hard_segments()
    constant = torch.randn(2, 12)[:, label][None]
    signs = torch.tensor([1.0, -1.0]).repeat(12)
    checker = (signs * signs[:, None]).expand(1, 2, 24, 24)
    for error, expected in ((constant, 1.0), (checker, 0.0), (constant + constant.std() * checker, None)):
        things, held = segments.held_energy(error)
        if expected is None:
            assert 0.3 < held < 0.7
        else:
            assert float(held) == pytest.approx(expected, abs=0.12)  # less by the ridge of 4 pixels to 48
        assert 0 <= things <= held + 1e-4
    of_things = torch.einsum("kyx,kc->cyx", segments.things()[0], torch.randn(8, 2))[None]
    assert segments.held_energy(of_things)[0] > 0.85 > segments.held_energy(constant)[0]
    assert segments.held_energy(torch.zeros(1, 2, 24, 24))[1] == 0


def test_gradients_reach_the_embedding_and_are_finite() -> None:
    segmenter = Segmenter(WIDTHS, CHANNELS)
    lightness, features, decoded = seen(textured())
    features[1] = torch.randn_like(features[1])
    segments = segmenter(lightness, features, decoded)
    _, held = segments.held_energy(torch.randn(2, 2, 24, 16))
    (-held.sum()).backward()
    for name, parameter in segmenter.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    for moved in (segmenter.plain_weights, segmenter.features.weight, segmenter.log_sharpness, segmenter.head[-1].bias):
        assert moved.grad is not None and moved.grad.abs().max() > 0


@pytest.mark.parametrize("level", [0.0, 50.0, 100.0])
def test_an_even_gray_has_finite_segments_and_gradients(level: float) -> None:
    segmenter = Segmenter(WIDTHS, CHANNELS)
    segments = segmenter(*seen(torch.full((1, 1, 64, 96), level)))
    assert segments.masks.isfinite().all()
    z, _ = SpanFirst()(torch.randn(1, 2, 16 * 24), segments.columns().flatten(2).mT)
    assert z.isfinite().all()
    things, held = segments.held_energy(torch.randn(1, 2, 16, 24))
    (things + held).sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in segmenter.parameters())


def test_areas_of_different_colours_and_equal_lightness_are_separated() -> None:
    ab = torch.zeros(1, 2, 16, 16)
    ab[:, 1, :, 8:] = 2.0
    segments = segments_of(torch.full((1, 1, 64, 64), 50.0), ab)
    sides = torch.stack([side[0, 0] @ segments.masks[0].flatten(1) for side in (segments.first, segments.second)])
    left = sides.unflatten(1, (16, 16))[..., :8].mean((1, 2))
    assert left.max() > 0.95 and left.min() < 0.05
