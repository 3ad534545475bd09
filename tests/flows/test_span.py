"""The coordinates along the columns come first, for any columns, and a pyramid continues with details on grids."""

from functools import partial

import pytest
import torch
from bijection_checks import randomise
from torch import Tensor, nn

from cinn_app.flows import (
    AffineCoupling,
    Bijection,
    Chain,
    Condition,
    FlowError,
    NormalizingFlow,
    OrthogonalMixing,
    ShapeError,
    SpanFirst,
    SpanPyramid,
)
from cinn_app.flows.numerics import zero_log_det


def soft_columns(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return the constant column and 23 soft masks of 784 pixels, for three samples."""
    generator = torch.Generator().manual_seed(0)
    masks = (4 * torch.randn(3, 784, 24, dtype=dtype, generator=generator)).softmax(2)
    return torch.cat([torch.ones(3, 784, 1, dtype=dtype), masks[..., 1:]], 2)


def test_the_first_coordinates_are_those_of_the_gram_schmidt_basis() -> None:
    columns, x = soft_columns(torch.float64), torch.randn(3, 2, 784, dtype=torch.float64)
    q, r = torch.linalg.qr(columns)
    basis = q * r.diagonal(dim1=1, dim2=2).sign()[:, None]
    z, log_det = SpanFirst()(x, columns)
    torch.testing.assert_close(z[..., :24], x @ basis, atol=1e-9, rtol=0)
    torch.testing.assert_close(z.norm(dim=2), x.norm(dim=2))
    assert log_det.tolist() == [0, 0, 0]


def test_a_large_transform_is_exact_in_float32() -> None:
    columns, x = soft_columns(), torch.randn(3, 2, 784)
    z, _ = SpanFirst()(x, columns)
    torch.testing.assert_close(SpanFirst().inverse(z, columns)[0], x, atol=2e-5, rtol=0)
    torch.testing.assert_close(z.norm(dim=2), x.norm(dim=2), atol=0, rtol=1e-5)


def test_splits_of_sets_give_the_unbalanced_haar_basis() -> None:
    columns = torch.stack([torch.ones(8), torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0])], 1)[None]
    z, _ = SpanFirst()(torch.tensor([[[1.0, 1, 1, 2, 2, 2, 2, 2]]]), columns)
    # The coefficient of a split into n and m values that differ by d is d sqrt(n m / (n + m)).
    expected = torch.tensor([13 / 8**0.5, -((3 * 5 / 8) ** 0.5), 0, 0, 0, 0, 0, 0])
    torch.testing.assert_close(z[0, 0], expected, atol=1e-5, rtol=0)


def test_empty_and_repeated_columns_leave_it_orthogonal_with_finite_gradients() -> None:
    columns, x = soft_columns(), torch.randn(3, 2, 784)
    columns[..., 5], columns[..., 9] = columns[..., 3], 0
    columns.requires_grad_()
    z, _ = SpanFirst()(x, columns)
    z[..., :7].square().sum().backward()
    torch.testing.assert_close(SpanFirst().inverse(z, columns)[0], x, atol=2e-5, rtol=0)
    assert columns.grad is not None and columns.grad.isfinite().all()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (None, "needs its columns"),
        (torch.ones(2, 5, 3), r"have shape \(2, 5, 3\) where \(batch, values, K\)"),
        (torch.ones(2, 6), r"have shape \(2, 6\)"),
        (torch.ones(2, 6, 7), "7 columns of 6 values: give at most one column per value"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        SpanFirst()(torch.ones(2, 1, 6), columns)


# ---- the pyramid -------------------------------------------------------------------------------------------


def conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, out_channels, 3, padding=1))


def pyramid() -> SpanPyramid:
    """Two levels over two channels; the details on the finer level have a condition of three channels."""
    details = [AffineCoupling(6, conv, 3 + 8), AffineCoupling(6, conv, 8)]
    flow = SpanPyramid(AffineCoupling(2, partial(nn.Conv1d, kernel_size=1), 1), details)
    return randomise(flow)  # type: ignore[return-value]


def picture_and_conditions(height: int = 16, width: int = 12, batch: int = 2) -> tuple[Tensor, list[Tensor | None]]:
    columns = (3 * torch.randn(batch, height * width // 16, height, width)).softmax(1)
    fine, of_base = torch.randn(batch, 3, height // 2, width // 2), torch.randn(batch, 1, columns.shape[1])
    return torch.randn(batch, 2, height, width), [fine, None, of_base, columns]


def bare(levels: int) -> SpanPyramid:
    """A pyramid whose flows leave the coefficients as they are."""
    return SpanPyramid(Chain([]), [Chain([]) for _ in range(levels)])


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_coordinates_are_those_of_span_first_up_to_the_lowpass(levels: int) -> None:
    """If the columns have no details, they are those along the columns alone."""
    height, width, count = 16, 24, 16 * 24 // 4**levels
    coarse = torch.randn(2, count, height >> levels, width >> levels)
    columns = coarse.repeat_interleave(2**levels, 2).repeat_interleave(2**levels, 3)
    x = torch.randn(2, 2, height, width)
    z, log_det = bare(levels)(x, (*[None] * (levels + 1), columns))
    expected, _ = SpanFirst()(x.flatten(2), columns.flatten(2).mT)
    torch.testing.assert_close(z[-1], expected[..., :count], atol=2e-3, rtol=0)
    assert log_det.tolist() == [0, 0]


def test_soft_columns_give_the_coordinates_along_them() -> None:
    x, (*_, columns) = picture_and_conditions()
    z, _ = bare(2)(x, (None, None, None, columns))
    expected, _ = SpanFirst()(x.flatten(2), columns.flatten(2).mT)
    torch.testing.assert_close(z[-1], expected[..., :12], atol=1e-4, rtol=0)
    assert sum(scale.square().sum() for scale in z).item() == pytest.approx(float(x.square().sum()), rel=1e-5)


def test_directions_are_orthonormal_and_give_the_coordinates() -> None:
    x, (*_, columns) = picture_and_conditions()
    directions = bare(2).directions(columns).flatten(2)
    torch.testing.assert_close(directions @ directions.mT, torch.eye(12).expand(2, -1, -1), atol=1e-5, rtol=0)
    z, _ = bare(2)(x, (None, None, None, columns))
    torch.testing.assert_close(x.flatten(2) @ directions.mT, z[-1], atol=1e-4, rtol=0)
    weights = torch.linalg.lstsq(directions.mT, columns.flatten(2).mT).solution
    torch.testing.assert_close(directions.mT @ weights, columns.flatten(2).mT, atol=1e-4, rtol=0)


@torch.no_grad()
def test_scaled_multiplies_the_coefficients_of_each_scale() -> None:
    flow, (x, conditions) = bare(2), picture_and_conditions()
    conditions = [None, None, None, conditions[-1]]
    torch.testing.assert_close(flow.scaled(x, conditions, (1, 1, 1)), x, atol=1e-5, rtol=0)
    assert flow.scaled(x, conditions, (0, 0, 0)).abs().max() < 1e-6
    fine, coarse, base = flow(x, conditions)[0]
    per_coordinate = torch.linspace(0, 1, 12)
    changed, _ = flow(flow.scaled(x, conditions, (0.0, 0.5, per_coordinate)), conditions)
    for z, expected in zip(changed, (0 * fine, 0.5 * coarse, per_coordinate * base), strict=True):
        torch.testing.assert_close(z, expected, atol=1e-5, rtol=0)
    only_base = flow.scaled(x, conditions, (0, 0, 1))
    directions = flow.directions(conditions[-1])
    torch.testing.assert_close(only_base, torch.einsum("bck,bkyx->bcyx", base, directions), atol=1e-5, rtol=0)


@torch.no_grad()
def test_every_scale_is_steered_by_coarser_coefficients_only() -> None:
    flow, plain, (x, conditions) = pyramid(), bare(2), picture_and_conditions()
    of_columns = [None, None, None, conditions[-1]]
    coefficients, _ = plain(x, of_columns)
    before, _ = flow(x, conditions)
    for changed in range(3):
        others = list(coefficients)
        others[changed] = others[changed] + torch.randn_like(others[changed])
        after, _ = flow(plain.inverse(tuple(others), of_columns)[0], conditions)
        for scale, (old, new) in enumerate(zip(before, after, strict=True)):
            difference = (new - old).abs().max()
            assert difference < 1e-4 if scale > changed else difference > 1e-2, (changed, scale)


class Recorder(Bijection):
    """Leaves data as they are, and records its condition."""

    seen: Tensor

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        assert isinstance(condition, Tensor)
        self.seen = condition
        return x, zero_log_det(x)


def test_details_are_steered_by_the_picture_so_far_in_the_units_of_the_data() -> None:
    """A picture that is constant on the columns has no details, so that it is known from the start."""
    records = [Recorder(), Recorder()]
    columns = torch.zeros(1, 4, 8, 8)
    columns[:, 0], columns[:, 1, :, :3] = 1, 1  # not on the grid of 4x4 pixels
    x = 5 * columns[:, :1] - 3 * columns[:, 1:2]
    SpanPyramid(Chain([]), records)(x, (None, None, None, columns))
    for level, record in enumerate(records, start=1):
        low, high = record.seen[:, 0], record.seen[:, 1:]
        expected = torch.nn.functional.avg_pool2d(x, 2**level)
        torch.testing.assert_close(low, expected[:, 0], atol=1e-4, rtol=0)
        assert (high.abs().amax(1)[..., 3 >> level] > 0.3).all()  # the edge, which is inside a cell of this level


@torch.no_grad()
def test_the_log_densities_of_the_scales_sum_to_that_of_the_whole() -> None:
    x, conditions = picture_and_conditions()
    distribution = NormalizingFlow(pyramid())(conditions, (2, 16, 12))
    latents, log_probs = distribution.encode_by_scale(x)
    assert [tuple(z.shape) for z in latents] == [(2, 6, 8, 6), (2, 6, 4, 3), (2, 2, 12)]
    torch.testing.assert_close(torch.stack(log_probs).sum(0), distribution.log_prob(x))
    torch.testing.assert_close(latents, distribution.encode(x)[0])
    for skip in (1, 2):
        coarser, coarser_log_probs = distribution.encode_by_scale(x, skip)
        torch.testing.assert_close((coarser, coarser_log_probs), (latents[skip:], log_probs[skip:]))
    drawn, log_prob = distribution.sample_and_log_prob((5,))
    assert drawn.shape == (5, 2, 2, 16, 12)
    torch.testing.assert_close(distribution.log_prob(drawn), log_prob, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda x, c: (x[..., :10], c), "(2, 16, 10)|divisible by 4"),
        (lambda x, c: (x[:, 0], c), "(16, 12)|(channels, height, width)"),
        (lambda x, c: (x, None), "a tuple of 4 conditions"),
        (lambda x, c: (x, c[-1]), "a tuple of 4 conditions"),
        (lambda x, c: (x, c[1:]), "a tuple of 4 conditions"),
        (lambda x, c: (x, [*c[:3], None]), "columns have shape None|(2, 12, 16, 12)"),
        (lambda x, c: (x, [*c[:3], c[3][:, 1:]]), "(2, 11, 16, 12)|(2, 12, 16, 12)|one for each value"),
        (lambda x, c: (x, [*c[:3], c[3][:1]]), "(1, 12, 16, 12)|(2, 12, 16, 12)"),
        (lambda x, c: (x, [c[0][..., 1:], *c[1:]]), "condition of scale 1|(2, 3, 8, 5)|(2, channels, 8, 6)"),
        (lambda x, c: (x, [c[0][:1], *c[1:]]), "condition of scale 1|(1, 3, 8, 6)|(2, channels, 8, 6)"),
    ],
)
def test_what_does_not_fit_a_pyramid_is_refused(change, named: str) -> None:
    with pytest.raises(ShapeError) as error:
        pyramid()(*change(*picture_and_conditions()))
    assert all(words in str(error.value) for words in named.split("|")), str(error.value)


def test_latents_that_no_data_have_are_refused_and_so_is_what_is_no_bijection() -> None:
    flow, (x, conditions) = pyramid(), picture_and_conditions()
    z, _ = flow(x, conditions)
    for wrong in (z[1:], z[::-1], (z[0], z[1], z[2][..., 1:])):
        with pytest.raises(ShapeError, match="which no data have"):
            flow.inverse(wrong, conditions)
    with pytest.raises(FlowError, match="Conv2d is not a bijection"):
        SpanPyramid(OrthogonalMixing(2, 0), [nn.Conv2d(6, 6, 1)])  # type: ignore[list-item]
