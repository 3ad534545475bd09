"""The flow that is trained in both directions: its losses worked out by hand, and a posterior that is known exactly."""

import math

import pytest
import torch
from torch import Tensor

from cinn_app.errors import ProblemError
from cinn_app.metrics.mmd import mmd
from cinn_app.systems.inverse_problems.bidirectional import BidirectionalFlow
from cinn_app.systems.inverse_problems.losses import backward_ramp, latent_loss
from cinn_app.systems.inverse_problems.recipe import BidirectionalArchitecture, MmdObjective

WIDTHS = [0.2, 1.0]


def flow(noise: float = 0.0, parameters: int = 2, measurements: int = 1, **sizes: int) -> BidirectionalFlow:
    """A small flow, which starts as an orthogonal matrix."""
    torch.manual_seed(0)
    given = {"couplings": 2, "width": 16, "latents": 2, "padding": 1, "clamp": 2.0, "mixing_seed": 0} | sizes
    objective = MmdObjective(
        kind="mmd",
        fit_weight=2.0,
        latent_weight=30.0,
        prior_weight=40.0,
        kernel_widths=WIDTHS,
        measurement_noise=noise,
        padding_noise=noise,
    )
    return BidirectionalFlow(
        BidirectionalArchitecture(kind="bidirectional", **given), objective, parameters, measurements
    )


def matrix(model: BidirectionalFlow) -> Tensor:
    """The matrix that an untrained flow is."""
    return model.flow(torch.eye(model.width))[0].T


def test_the_losses_are_those_of_the_paper() -> None:
    """Without noise, and with a linear flow, each is a product of matrices."""
    model = flow()
    x, y = torch.randn(6, 2), torch.randn(6, 1)
    torch.manual_seed(5)
    total, parts = model.loss(x, y, progress=0.5)

    q = matrix(model).detach()
    padded = torch.cat([x, torch.zeros(6, 2)], 1)
    z, padding, predicted = (padded @ q.T).split([2, 1, 1], 1)
    assert parts["L_y"].item() == pytest.approx(((predicted - y).square().sum() + padding.square().sum()).item() / 12)
    restored = torch.cat([z, torch.zeros(6, 1), y], 1) @ q
    assert parts["restored"].item() == pytest.approx((restored - padded).square().mean().item(), rel=1e-4)

    torch.manual_seed(5)
    torch.randn(6, 1), torch.randn(6, 2)  # the noise of measurement and padding
    normal = torch.randn(6, 2)
    joint, independent = torch.cat([z, predicted], 1), torch.cat([normal, predicted.roll(1, 0)], 1)
    assert parts["L_z"].item() == pytest.approx(mmd(joint, independent, WIDTHS).item(), rel=1e-4)
    weighted = 2 * (parts["L_y"] + parts["restored"]) + 30 * parts["L_z"] + 40 * backward_ramp(0.5) * parts["L_x"]
    assert total.item() == pytest.approx(weighted.item(), rel=1e-4)


def test_the_latent_loss_sends_no_gradient_through_the_measurement() -> None:
    z, y = torch.randn(5, 2, requires_grad=True), torch.randn(5, 1, requires_grad=True)
    latent_loss(z, y, WIDTHS).backward()
    assert z.grad is not None and z.grad.abs().sum() > 0
    assert y.grad is None


def test_a_latent_that_depends_on_the_measurement_costs_more() -> None:
    torch.manual_seed(1)
    y = torch.randn(500, 1)
    assert latent_loss(y.clone(), y, WIDTHS) > 10 * latent_loss(torch.randn(500, 1), y, WIDTHS)


def test_the_weight_of_the_backward_loss_rises_by_its_formula() -> None:
    assert [backward_ramp(progress) for progress in (0.0, 0.5, 1.0)] == pytest.approx([0.004, 2 * 0.002**0.5, 1.0])


def test_decoding_inverts_encoding_where_the_padding_is_zero() -> None:
    """The parameters that a latent and a measurement decode to are mapped back to both."""
    model = flow(parameters=3, measurements=1, padding=0)  # no room for padding: 3 = 2 + 1
    z, y = torch.randn(4, 2), torch.randn(4, 1)
    x = model.decode(z, y)
    assert torch.allclose(model.predict(x), y, atol=1e-5)
    assert model.width == 3


def test_it_has_no_density() -> None:
    with pytest.raises(ProblemError, match="no density"):
        flow().log_prob(torch.zeros(1, 2), torch.zeros(1, 1))


@pytest.mark.slow
def test_a_linear_problem_gets_its_posterior() -> None:
    """x is standard normal and y the sum of its two values, so x1 - x2 keeps its variance of 2 whatever y is."""
    model = flow(noise=0.02, latents=1, padding=0, couplings=2)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for step in range(250):
        x = torch.randn(128, 2)
        optimizer.zero_grad()
        model.loss(x, x.sum(1, keepdim=True), step / 250)[0].backward()
        optimizer.step()
    drawn = model.sample(torch.tensor([[0.0], [1.5]]), 2000, torch.Generator().manual_seed(0)).detach()
    assert drawn.shape == (2, 2000, 2)
    for x, y in zip(drawn, (0.0, 1.5), strict=True):
        assert x.sum(1).mean().item() == pytest.approx(y, abs=0.2)
        assert (x[:, 0] - x[:, 1]).mean().item() == pytest.approx(0, abs=0.3)
        assert (x[:, 0] - x[:, 1]).std().item() == pytest.approx(math.sqrt(2), rel=0.2)
        assert x.sum(1).std() < 0.3
    x = torch.randn(500, 2)
    assert (model.predict(x)[:, 0] - x.sum(1)).square().mean() < 0.05
