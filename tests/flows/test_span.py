"""SpanFirst: the coordinates along the columns come first, for any columns."""

import pytest
import torch

from cinn_app.flows import ShapeError, SpanFirst


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
