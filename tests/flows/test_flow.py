"""A flow is a distribution: its density integrates to one, samples follow it, scales go their own way."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cinn_app.flows import (
    AffineCoupling,
    AffineCouplingPair,
    Bijection,
    Chain,
    ConditionalAffine,
    FactorOut,
    HaarPyramid,
    NormalizingFlow,
    OrthogonalMixing,
    ShapeError,
    standard_normal_log_prob,
)


def dense(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Linear(in_channels, 16), nn.Tanh(), nn.Linear(16, out_channels))


def conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, out_channels, 3, padding=1))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vector_flow() -> NormalizingFlow:
    blocks = (AffineCouplingPair(4, dense, 3), OrthogonalMixing(4, seed=0), AffineCouplingPair(4, dense, 3))
    return NormalizingFlow(Chain(blocks))


def pyramid(details: int = 2, channels: int = 2, condition_channels: int = 3) -> HaarPyramid:

    def flow(band: int, steer: int) -> Bijection:
        blocks = (ConditionalAffine(band, conv, steer), AffineCouplingPair(band, conv, steer))
        return Chain([*blocks, OrthogonalMixing(band, seed=0)])

    return HaarPyramid(
        flow(4 * channels, condition_channels),
        [flow(3 * channels, condition_channels + channels) for _ in range(details)],
    )


def conditions_for(flow: HaarPyramid, shape: tuple[int, ...], condition_channels: int = 3) -> list[Tensor]:
    return [torch.randn(b, condition_channels, h, w) for b, _, h, w in flow.latent_shapes(shape)]


# ---- likelihood --------------------------------------------------------------------------------------------


def test_standard_normal_log_prob_is_that_of_torch() -> None:
    z = torch.randn(3, 4, 5)
    expected = torch.distributions.Normal(0, 1).log_prob(z).sum((1, 2))
    torch.testing.assert_close(standard_normal_log_prob(z), expected)
    torch.testing.assert_close(standard_normal_log_prob((z[:, :1], z[:, 1:])), expected)


def test_a_conditional_affine_flow_is_a_gaussian() -> None:
    affine, condition, x = ConditionalAffine(2, nn.Linear, 3, clamp=1.5), torch.randn(5, 3), torch.randn(5, 2)
    raw, mean = affine.subnet(condition).chunk(2, dim=1)
    gaussian = torch.distributions.Normal(mean, torch.exp(1.5 * 2 / math.pi * raw.atan()))
    torch.testing.assert_close(NormalizingFlow(affine).log_prob(x, condition), gaussian.log_prob(x).sum(1))


def test_the_density_integrates_to_one() -> None:
    torch.manual_seed(1)
    blocks = [AffineCouplingPair(2, dense), OrthogonalMixing(2, 0), AffineCouplingPair(2, dense)]
    flow = NormalizingFlow(Chain(blocks))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(2)
        axis = torch.linspace(-30, 30, 601)
        grid = torch.cartesian_prod(axis, axis)
        mass = flow.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert abs(mass - 1) < 0.01


def test_sample_with_log_prob_agrees_with_log_prob() -> None:
    flow, condition = vector_flow(), torch.randn(6, 3)
    x, log_prob = flow.sample_with_log_prob((6, 4), condition, generator=seeded(0))
    torch.testing.assert_close(flow.log_prob(x, condition), log_prob, atol=1e-4, rtol=1e-4)
    assert torch.equal(flow.sample((6, 4), condition, generator=seeded(0)), x)


def test_samples_follow_the_density() -> None:
    affine = ConditionalAffine(1, nn.Linear, 2)
    condition = torch.randn(1, 2).expand(20000, 2)
    x = NormalizingFlow(affine).sample((20000, 1), condition, generator=seeded(0))
    raw, mean = affine.subnet(condition[:1]).chunk(2, dim=1)
    deviation = torch.exp(2 * 2 / math.pi * raw.atan())
    assert (x.mean() - mean).abs() < 4 * deviation / 20000**0.5
    assert (x.std() / deviation - 1).abs() < 0.03


def test_samples_carry_gradients_to_the_weights() -> None:
    flow = vector_flow()
    flow.sample((6, 4), torch.randn(6, 3)).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in flow.parameters())


# ---- temperature and seeds ---------------------------------------------------------------------------------


def test_temperature_scales_the_latent_but_not_the_density() -> None:
    flow, condition = vector_flow(), torch.randn(2000, 3)
    cool, log_prob = flow.sample_with_log_prob((2000, 4), condition, temperature=0.5, generator=seeded(0))
    z, _ = flow.bijection(cool, condition)
    assert z.std().item() == pytest.approx(0.5, rel=0.03)
    torch.testing.assert_close(flow.log_prob(cool, condition), log_prob, atol=1e-3, rtol=1e-3)
    assert log_prob.mean() > flow.log_prob(flow.sample((2000, 4), condition), condition).mean()


def test_each_scale_has_its_own_temperature() -> None:
    bijection, shape = pyramid(), (16, 2, 16, 16)
    flow, condition = NormalizingFlow(bijection), conditions_for(bijection, shape)
    temperatures = (0.0, 0.3, 0.9)
    x = flow.sample(bijection.latent_shapes(shape), condition, temperatures, seeded(0))
    latents, _ = bijection(x, condition)
    for z, temperature in zip(latents, temperatures, strict=True):
        assert z.std().item() == pytest.approx(temperature, rel=0.1, abs=1e-4)


def test_a_seed_decides_the_samples_whatever_the_global_state() -> None:
    flow, condition = vector_flow(), torch.randn(6, 3)
    torch.manual_seed(1)
    first = flow.sample((6, 4), condition, generator=seeded(3))
    torch.manual_seed(2)
    assert torch.equal(flow.sample((6, 4), condition, generator=seeded(3)), first)
    assert not torch.allclose(flow.sample((6, 4), condition, generator=seeded(4)), first)


def test_samples_have_the_precision_of_the_weights() -> None:
    flow = vector_flow().double()
    assert flow.sample((2, 4), torch.randn(2, 3, dtype=torch.float64)).dtype == torch.float64
    empty = NormalizingFlow(Chain([]))
    assert empty.sample((2, 4)).dtype == torch.float32
    assert empty.sample((2, 4), torch.randn(2, 4, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("temperature", [(1.0,), (1.0, 1.0, 1.0)])
def test_a_wrong_number_of_temperatures_is_refused(temperature: tuple[float, ...]) -> None:
    flow = NormalizingFlow(FactorOut(2, AffineCoupling(2, dense)))
    with pytest.raises(ShapeError, match=rf"{len(temperature)} temperatures .* 2 scales"):
        flow.sample([(3, 2), (3, 2)], temperature=temperature)


def test_a_multi_scale_flow_samples_from_a_list_of_shapes() -> None:
    flow = NormalizingFlow(FactorOut(2, AffineCoupling(2, dense)))
    x, log_prob = flow.sample_with_log_prob([(3, 2), (3, 2)], generator=seeded(0))
    assert x.shape == (3, 4)
    torch.testing.assert_close(flow.log_prob(x), log_prob, atol=1e-5, rtol=1e-5)


# ---- the pyramid -------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(details=st.integers(0, 3), height=st.integers(1, 4), width=st.integers(1, 4))
def test_the_pyramid_takes_any_size_that_its_scales_divide(details: int, height: int, width: int) -> None:
    flow, factor = pyramid(details), 2 ** (details + 1)
    x = torch.randn(2, 2, height * factor, width * factor)
    condition = conditions_for(flow, x.shape)
    with torch.no_grad():
        z, log_det = flow(x, condition)
        back, log_det_back = flow.inverse(z, condition)
    assert tuple(tuple(scale.shape) for scale in z) == flow.latent_shapes(x.shape)
    assert sum(scale.numel() for scale in z) == x.numel()
    torch.testing.assert_close(back, x, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(log_det_back, -log_det, atol=1e-3, rtol=1e-4)


def test_a_pyramid_is_steered_from_coarse_to_fine_only() -> None:
    flow, x = pyramid(), torch.randn(2, 2, 16, 16)
    condition = conditions_for(flow, x.shape)
    fine_noise = torch.randn(2, 2, 8, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)
    fine_noise[:, :, :, 1::2] *= -1  # without any mean over blocks of two pixels
    (d1, d2, base), _ = flow(x, condition)
    (e1, e2, same_base), _ = flow(x + fine_noise, condition)
    assert not torch.allclose(d1, e1, atol=0.1)
    torch.testing.assert_close(e2, d2, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(same_base, base, atol=1e-5, rtol=1e-5)


def test_details_are_steered_by_the_coarser_image_in_the_units_of_the_data() -> None:
    def shift_by_the_coarser_image(in_channels: int, out_channels: int) -> nn.Module:
        subnet = nn.Conv2d(in_channels, out_channels, 1)
        nn.init.zeros_(subnet.weight)
        nn.init.zeros_(subnet.bias)
        subnet.weight.data[out_channels // 2 :, -1] = 1  # the coarser image comes last
        return subnet

    details = [ConditionalAffine(3, shift_by_the_coarser_image, 2 + 1) for _ in range(3)]
    flow, x = HaarPyramid(Chain([]), details), torch.full((1, 1, 16, 16), 5.0)
    condition = [torch.randn(1, 2, h, w) for _, _, h, w in flow.latent_shapes(x.shape)]
    (*fine, base), _ = flow(x, condition)
    for z in fine:  # a constant image has no details, so that what is left is the shift
        torch.testing.assert_close(z, torch.full_like(z, -5.0))
    torch.testing.assert_close(base[:, 0], torch.full((1, 1, 1), 16 * 5.0))


def test_the_log_dets_of_the_scales_sum_to_the_whole() -> None:
    flow, x = pyramid(), torch.randn(2, 2, 16, 16)
    condition = conditions_for(flow, x.shape)
    z, log_det = flow(x, condition)
    latents, log_dets = flow.forward_by_scale(x, condition)
    assert len(log_dets) == flow.scales == len(latents)
    torch.testing.assert_close(torch.stack(log_dets).sum(0), log_det)
    assert all(torch.equal(a, b) for a, b in zip(z, latents, strict=True))
