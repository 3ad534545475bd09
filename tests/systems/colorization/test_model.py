"""The colorization model: an exact likelihood, an exact inverse, any size."""

import math
from pathlib import Path

import pytest
import torch

from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.model import ColorizationModel, Conditions, denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationObjective


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> ColorizationModel:
    return Colorizer.load(tiny_checkpoint, "cpu").model


def photographs(batch: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lightness = 100 * torch.rand(batch, 1, height, width, generator=generator)
    ab = 20 * torch.randn(batch, 2, height // 4, width // 4, generator=generator)
    return lightness, ab


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 192), (128, 64)])
def test_round_trip_at_any_size(model: ColorizationModel, height: int, width: int) -> None:
    lightness, ab = photographs(2, height, width)
    with torch.inference_mode():
        conditions = model.condition(lightness)
        latents, log_prob = model.encode(ab, conditions)
        back, again = model.decode(latents, conditions)
    assert [tuple(z.shape[-2:]) for z in latents] == [(height // s, width // s) for s in (8, 16, 32, 64)]
    torch.testing.assert_close(back, ab, rtol=0, atol=2e-3)
    torch.testing.assert_close(again, log_prob, rtol=1e-4, atol=0.05)


def test_likelihood_is_exact(model: ColorizationModel) -> None:
    """log p(ab) in Lab units, with the normalisation, equals that from autograd's Jacobian."""
    exact = ColorizationModel.__new__(ColorizationModel)
    torch.nn.Module.__init__(exact)
    exact.flow, exact.haar = model.flow.double(), model.haar
    generator = torch.Generator().manual_seed(1)
    condition = [scale[0].condition_channels for scale in (*model.flow.details, model.flow.base)]
    conditions = Conditions(
        torch.randn(1, 2, 16, 16, generator=generator, dtype=torch.float64),
        tuple(
            torch.randn(1, channels - (2 if level < 3 else 0), 8 >> level, 8 >> level, generator=generator).double()
            for level, channels in enumerate(condition)
        ),
    )
    ab = 10 * torch.randn(1, 2, 16, 16, generator=generator, dtype=torch.float64)

    def flat(values: torch.Tensor) -> torch.Tensor:
        latents, _ = exact.encode(values.view(1, 2, 16, 16), conditions)
        return torch.cat([z.flatten() for z in latents])

    jacobian = torch.autograd.functional.jacobian(flat, ab.flatten())
    z = flat(ab.flatten())
    expected = -(z.square().sum() + len(z) * math.log(2 * math.pi)) / 2 + torch.linalg.slogdet(jacobian).logabsdet
    try:
        torch.testing.assert_close(exact.encode(ab, conditions)[1][0], expected, rtol=1e-9, atol=1e-6)
    finally:
        model.flow.float()


def test_denormalise_is_the_inverse_of_normalise() -> None:
    ab = 50 * torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(denormalise(normalise(ab)), ab, atol=1e-4, rtol=1e-5)


def test_only_the_squared_error_trains_the_mean(model: ColorizationModel) -> None:
    lightness, ab = photographs(2, 64, 64)
    losses = model.losses(lightness, ab, None, ColorizationObjective(noise=0.05, mean_weight=0.0))
    losses.total.backward()
    try:
        assert model.pyramid.mean.weight.grad is None or model.pyramid.mean.weight.grad.abs().max() == 0
        assert model.pyramid.lateral16.weight.grad.abs().max() > 0
        assert all(p.grad is None for p in model.encoder.parameters())
    finally:
        model.zero_grad()


def test_the_flow_learns_from_a_share_of_the_batch_and_the_mean_from_all(model: ColorizationModel) -> None:
    lightness, ab = photographs(4, 64, 64)
    objective = ColorizationObjective(noise=1e-6, mean_weight=1.0)
    with torch.inference_mode():
        whole = model.losses(lightness, ab, None, objective)
        shared = model.losses(lightness, ab, None, objective, flow_share=0.5)
        half = model.losses(lightness[:2], ab[:2], None, objective)
    torch.testing.assert_close(shared.bits_per_dim, half.bits_per_dim)
    torch.testing.assert_close(shared.mean_rmse, whole.mean_rmse)
    assert (whole.mean_rmse - half.mean_rmse).abs() > 1e-3


def test_cached_features_give_the_same_conditions(model: ColorizationModel) -> None:
    lightness, _ = photographs(1, 64, 128)
    with torch.inference_mode():
        direct = model.condition(lightness)
        cached = model.condition(lightness, model.encoder.stem_features(lightness))
    torch.testing.assert_close(direct.mean, cached.mean)


def test_bits_per_dim_of_the_objective_agree_with_encode(model: ColorizationModel) -> None:
    lightness, ab = photographs(2, 64, 64)
    with torch.inference_mode():
        losses = model.losses(lightness, ab, None, ColorizationObjective(noise=1e-6, mean_weight=1.0))
        _, log_prob = model.encode(ab, model.condition(lightness))
    bits = -log_prob.mean() / math.log(2) / ab[0].numel()
    torch.testing.assert_close(losses.bits_per_dim, bits, rtol=1e-3, atol=1e-3)


def test_latents_are_drawn_at_the_temperature_of_their_scale(model: ColorizationModel) -> None:
    with torch.inference_mode():
        distribution = model.distribution(model.condition(photographs(1, 128, 64)[0]))
    generator = torch.Generator().manual_seed(0)
    fine, *_, coarse = distribution.sample_latent((3000,), (0.3, 0.4, 0.5, 0.6), generator)
    assert fine.std().item() == pytest.approx(0.3, rel=0.02)
    assert coarse.shape == (3000, 1, 8, 2, 1)
    assert coarse.std().item() == pytest.approx(0.6, rel=0.02)


@torch.inference_mode()
def test_settling_smooths_blocks_and_keeps_edges_of_the_lightness(model: ColorizationModel) -> None:
    lightness = torch.full((1, 1, 64, 64), 30.0)
    lightness[..., 32:] = 70.0  # an edge down the middle
    conditions = model.condition(lightness)
    mean = denormalise(conditions.mean)
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    on_the_edge = 20.0 * (columns >= 8).expand(1, 2, 16, 16)
    off_the_edge = 20.0 * (rows >= 8).expand(1, 2, 16, 16)
    kept = model.settle(mean + on_the_edge, conditions, lightness) - mean
    smoothed = model.settle(mean + off_the_edge, conditions, lightness) - mean
    assert kept.diff(dim=-1).max() > 14
    assert smoothed.diff(dim=-2).max() < 4
    assert smoothed.mean() == pytest.approx(10, abs=1)
    torch.testing.assert_close(model.settle(mean, conditions, lightness), mean)
