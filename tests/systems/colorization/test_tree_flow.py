"""The flow over the colours of segments: invertible, causal, and each split knows the colour of its sides so far."""

import pytest
import torch
from bijection_checks import check_log_det, check_round_trip, randomise
from torch import Tensor

from cinn_app.flows import AffineCoupling, FlowDistribution, ShapeError, SpanPyramid
from cinn_app.nn.blocks import conv_subnet
from cinn_app.systems.colorization.decoder import Decoded
from cinn_app.systems.colorization.segments import Segments
from cinn_app.systems.colorization.tree_flow import SplitEncoder, Splits, TreeFlow, summarise

WIDTH = 8


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def tree_flow(layers: int = 2) -> TreeFlow:
    return randomise(TreeFlow(WIDTH, layers))  # type: ignore[return-value]


def splits(count: int = 5, batch: int = 2, dtype: torch.dtype = torch.float32) -> Splits:
    features, ancestors = torch.randn(batch, count, WIDTH, dtype=dtype), torch.randn(batch, count, count, dtype=dtype)
    return Splits(features, 0.2 + 3 * torch.rand(batch, count, dtype=dtype), ancestors.tril(-1))


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("layers", [1, 3])
def test_it_is_a_bijection_for_any_number_of_splits(count: int, layers: int) -> None:
    flow, x = tree_flow(layers).double(), torch.randn(2, 2, count, dtype=torch.float64)
    condition = splits(count, dtype=torch.float64)
    check_round_trip(flow, x, condition, atol=1e-9)
    check_log_det(flow, x, condition)


def test_it_is_a_bijection_in_float32_and_under_autocast() -> None:
    flow, x, condition = tree_flow(), 3 * torch.randn(2, 2, 20), splits(20)
    for parameter in flow.parameters():
        parameter.data *= 0.4  # else errors grow from split to split
    check_round_trip(flow, x, condition, atol=1e-4)
    exact, _ = flow(x, condition)
    with torch.autocast("cpu", torch.bfloat16):
        z, log_det = flow(x, condition)
    assert z.dtype == log_det.dtype == torch.float32
    torch.testing.assert_close(z, exact, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_no_value_depends_on_a_later_split(direction: str) -> None:
    flow, condition = tree_flow().double(), splits(6, 1, torch.float64)
    transform = flow if direction == "forward" else flow.inverse
    x = torch.randn(1, 2, 6, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda values: transform(values, condition)[0], x)[0, :, :, 0]
    for k in range(6):
        assert jacobian[:, k, :, k + 1 :].count_nonzero() == 0
        assert jacobian[0, k, 1, k] == 0 != jacobian[1, k, 0, k]  # a first, then b given a
        assert jacobian[:, k, :, :k].count_nonzero() == 4 * k


def test_each_split_sees_the_colour_that_its_sides_have_so_far() -> None:
    flow, condition = tree_flow(), splits(3, 1)
    x, other = torch.randn(1, 2, 3), condition.ancestors.clone()
    other[:, 2, 0] += 1
    changed = flow(x, condition._replace(ancestors=other))[0] - flow(x, condition)[0]
    assert changed[..., :2].abs().max() == 0 < changed[..., 2].abs().min()


def test_several_samples_are_decoded_as_each_alone() -> None:
    flow, condition, z = tree_flow(), splits(6, 1), torch.randn(5, 2, 6)
    repeated = Splits(*(part.expand(5, *part.shape[1:]) for part in condition))
    together, log_dets = flow.inverse(z, repeated)
    for number in range(5):
        alone, log_det = flow.inverse(z[number : number + 1], condition)
        torch.testing.assert_close(alone[0], together[number], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(log_det[0], log_dets[number], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(flow(together, repeated)[0], z, atol=1e-4, rtol=0)


def test_gradients_are_finite_at_extreme_values() -> None:
    flow = tree_flow()
    x = torch.tensor([1e4, -1e4, 0.0]).repeat(2, 2, 1).requires_grad_()
    z, log_det = flow(x, splits(3))
    (z.sum() + log_det.sum()).backward()
    for gradient in (x.grad, *(parameter.grad for parameter in flow.parameters())):
        assert gradient is not None and gradient.isfinite().all()


def test_a_new_flow_only_divides_by_the_sizes_of_the_coefficients() -> None:
    condition, x = splits(), torch.randn(2, 2, 5)
    z, _ = TreeFlow(WIDTH, 1)(x, condition)
    ratio = x / z
    torch.testing.assert_close(ratio[:, 0], ratio[:, 1], rtol=1e-4, atol=0)
    assert (ratio[:, 0].argsort(1) == condition.scales.argsort(1)).all()


@pytest.mark.parametrize(
    ("x", "condition", "message"),
    [
        (torch.ones(2, 3, 5), splits(), r"shape \(3, 5\) after the batch where \(2, K\)"),
        (torch.ones(2, 2, 0), splits(), r"shape \(2, 0\) after the batch where \(2, K\)"),
        (torch.ones(2, 2, 5), None, "needs three conditions"),
        (torch.ones(2, 2, 5), tuple(splits())[:2], "needs three conditions"),
        (torch.ones(2, 2, 4), splits(), r"scales of shape \(2, 5\) where \(2, 4\) is needed"),
        (torch.ones(3, 2, 5), splits(), r"scales of shape \(2, 5\) where \(3, 5\) is needed"),
    ],
)
def test_values_and_splits_that_do_not_fit_are_refused(x: Tensor, condition, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        TreeFlow(WIDTH, 1)(x, condition)


# ---- the splits of segments --------------------------------------------------------------------------------


def stripes() -> Segments:
    """Four hard segments of 8x8 pixels: 8, 8, 16 and 32 pixels, merged from the left."""
    masks = torch.zeros(1, 4, 8, 8)
    for number, columns in enumerate((slice(0, 1), slice(1, 2), slice(2, 4), slice(4, 8))):
        masks[0, number, :, columns] = 1
    first = torch.tensor([[[0.0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]])
    second = torch.tensor([[[1.0, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 0]]])
    return Segments(masks, first, second)


def describe(segments: Segments, encoder: SplitEncoder) -> Splits:
    size = segments.masks.shape[-1]
    lightness = torch.linspace(0, 100, size * 4).expand(1, 1, size * 4, size * 4)
    features = [torch.randn(1, channels, size >> level, size >> level) for level, channels in enumerate((3, 4, 5), 1)]
    levels = [torch.randn(1, channels, size >> level, size >> level) for level, channels in enumerate((6, 7, 8), 1)]
    decoded = Decoded(torch.randn(1, 2, size, size), tuple(levels))
    return encoder(summarise(segments, lightness, features, decoded))


def split_encoder() -> SplitEncoder:
    return randomise(SplitEncoder((4, 5), (6, 7), WIDTH, 2, 0.0))  # type: ignore[return-value]


def test_ancestors_give_the_colour_that_both_sides_of_a_split_have_so_far() -> None:
    """For hard segments: the mean of what earlier coordinates say, over the union of both sides."""
    segments = stripes()
    found = describe(segments, split_encoder())
    pyramid = SpanPyramid(TreeFlow(WIDTH, 1), [AffineCoupling(6, conv_subnet(8), 8)])
    directions = pyramid.directions(segments.columns())[0]  # as many pixels per column as if there were no details
    values = torch.randn(4, 2)
    so_far = found.ancestors[0] @ values
    torch.testing.assert_close(so_far[0], torch.zeros(2))
    for k in range(1, 4):
        known = torch.einsum("kc,kyx->cyx", values[:k], directions[:k])
        union = (segments.first + segments.second)[0, k - 1] @ segments.masks[0].flatten(1)
        common = (known.flatten(1) * union).sum(1) / union.sum()
        torch.testing.assert_close(so_far[k], common, atol=1e-4, rtol=0)


def test_ancestors_and_scales_in_a_case_computed_by_hand() -> None:
    found = describe(stripes(), split_encoder())
    # Coefficients of a basis vector of unit norm: the whole has 64 pixels; the splits 32 and 32, 16 and 16, 8 and 8.
    torch.testing.assert_close(found.scales[0], torch.tensor([8.0, 4.0, 8.0**0.5, 2.0]))
    # The coefficient y of the whole gives colour y/8. That of the split of 32 and 32 pixels gives y/8 on the first side
    # and -y/8 on the second one, in which the next split lies.
    expected = torch.tensor([[0, 0, 0, 0], [1 / 8, 0, 0, 0], [1 / 8, -1 / 8, 0, 0], [1 / 8, -1 / 8, -(2**-2.5), 0]])
    torch.testing.assert_close(found.ancestors[0], expected, atol=1e-5, rtol=0)


def test_the_description_of_a_split_knows_its_sides_and_no_order_of_segments() -> None:
    segments, encoder = stripes(), split_encoder()
    torch.manual_seed(1)
    found = describe(segments, encoder)
    order = [2, 0, 3, 1]
    shuffled = Segments(segments.masks[:, order], segments.first[..., order], segments.second[..., order])
    torch.manual_seed(1)
    again = describe(shuffled, encoder)
    torch.testing.assert_close(again, found, atol=1e-4, rtol=1e-4)
    assert found.features[0].std(0).min() > 1e-3


def test_it_is_the_base_of_a_pyramid_with_a_density() -> None:
    segments = stripes()
    pyramid = randomise(SpanPyramid(TreeFlow(WIDTH, 1), [AffineCoupling(6, conv_subnet(8), 8) for _ in range(2)]))
    found = describe(segments, split_encoder())
    distribution = FlowDistribution(pyramid, (2, 8, 8), (None, None, *found, segments.columns()))
    x, log_prob = distribution.sample_and_log_prob((3,))
    torch.testing.assert_close(distribution.log_prob(x), log_prob, atol=1e-3, rtol=1e-4)
    latents, _ = distribution.encode_by_scale(x[0])
    assert latents[-1].shape == (1, 2, 4)
