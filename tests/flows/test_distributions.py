"""A flow is a distribution: its density integrates to one, samples follow it, and it has torch's interface."""

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Laplace, MultivariateNormal, Normal, VonMises

from cinn_app.flows import (
    AffineCoupling,
    AffineCouplingPair,
    Chain,
    ConditionalAffine,
    FlowDistribution,
    FlowError,
    HaarPyramid,
    NormalizingFlow,
    OrthogonalMixing,
    ShapeError,
    Split,
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
    return NormalizingFlow(Chain(blocks), event_shape=(4,))


def split_flow(**options: object) -> NormalizingFlow:
    """A flow whose latent has parts of 2 and 3 values."""
    return NormalizingFlow(Chain([AffineCouplingPair(5, dense), Split(2)]), event_shape=(5,), **options)


def pyramid_flow() -> NormalizingFlow:
    return NormalizingFlow(
        HaarPyramid(AffineCouplingPair(8, conv, 3), [AffineCouplingPair(6, conv, 3 + 2), ConditionalAffine(6, conv, 2)])
    )


def pyramid_conditions(batch: int = 2) -> tuple[Tensor | None, ...]:
    """Return conditions for images of 2x16x24."""
    return torch.randn(batch, 3, 8, 12), None, torch.randn(batch, 3, 2, 3)


# ---- likelihood --------------------------------------------------------------------------------------------


def test_standard_normal_log_prob_is_that_of_torch() -> None:
    z = torch.randn(3, 4, 5)
    expected = Normal(0, 1).log_prob(z).sum((1, 2))
    torch.testing.assert_close(standard_normal_log_prob(z), expected)
    torch.testing.assert_close(standard_normal_log_prob((z[:, :1], z[:, 1:])), expected)


def test_a_conditional_affine_flow_is_a_gaussian() -> None:
    affine, condition, x = ConditionalAffine(2, nn.Linear, 3, clamp=1.5), torch.randn(5, 3), torch.randn(5, 2)
    raw, mean = affine.subnet(condition).chunk(2, dim=1)
    gaussian = Normal(mean, torch.exp(1.5 * 2 / math.pi * raw.atan()))
    flow = NormalizingFlow(affine, event_shape=(2,))
    torch.testing.assert_close(flow(condition).log_prob(x), gaussian.log_prob(x).sum(1))


def test_the_density_integrates_to_one() -> None:
    torch.manual_seed(1)
    blocks = [AffineCouplingPair(2, dense), OrthogonalMixing(2, 0), AffineCouplingPair(2, dense)]
    flow = NormalizingFlow(Chain(blocks), event_shape=(2,))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(2)
        axis = torch.linspace(-30, 30, 601)
        grid = torch.cartesian_prod(axis, axis)
        mass = flow().log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert abs(mass - 1) < 0.01


def test_encode_and_decode_are_inverse_and_agree_on_the_density() -> None:
    distribution, x = pyramid_flow()(pyramid_conditions(), (2, 16, 24)), torch.randn(2, 2, 16, 24)
    z, log_prob = distribution.encode(x)
    assert tuple(tuple(part.shape) for part in z) == ((2, 6, 8, 12), (2, 6, 4, 6), (2, 8, 2, 3))
    back, same_log_prob = distribution.decode(z)
    torch.testing.assert_close(back, x, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(same_log_prob, log_prob, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(distribution.log_prob(x), log_prob)


def test_the_log_densities_of_the_scales_sum_to_the_whole() -> None:
    distribution, x = pyramid_flow()(pyramid_conditions(), (2, 16, 24)), torch.randn(2, 2, 16, 24)
    latents, log_probs = distribution.encode_by_scale(x)
    torch.testing.assert_close(torch.stack(log_probs).sum(0), distribution.log_prob(x))
    torch.testing.assert_close(latents, distribution.encode(x)[0])
    coarser, coarser_log_probs = distribution.encode_by_scale(x, skip=1)
    torch.testing.assert_close((coarser, coarser_log_probs), (latents[1:], log_probs[1:]))


def test_only_a_pyramid_has_log_densities_of_scales() -> None:
    with pytest.raises(FlowError, match="Chain does not have a log-density for each scale"):
        split_flow()().encode_by_scale(torch.randn(2, 5))


# ---- samples -----------------------------------------------------------------------------------------------


def test_samples_and_their_log_density_agree_with_log_prob() -> None:
    distribution = vector_flow()(torch.randn(6, 3))
    x, log_prob = distribution.rsample_and_log_prob((7,), generator=seeded(0))
    torch.testing.assert_close(distribution.log_prob(x), log_prob, atol=1e-4, rtol=1e-4)
    for same in (
        distribution.sample((7,), generator=seeded(0)),
        distribution.sample_and_log_prob((7,), generator=seeded(0))[0],
    ):
        assert not same.requires_grad
        torch.testing.assert_close(same, x)


def test_samples_follow_the_density() -> None:
    affine, condition = ConditionalAffine(1, nn.Linear, 2), torch.randn(3, 2)
    x = NormalizingFlow(affine, event_shape=(1,))(condition).sample((20000,), generator=seeded(0))
    raw, mean = affine.subnet(condition).chunk(2, dim=1)
    deviation = torch.exp(2 * 2 / math.pi * raw.atan())
    assert ((x.mean(0) - mean).abs() < 4 * deviation / 20000**0.5).all()
    assert ((x.std(0) / deviation - 1).abs() < 0.03).all()


def test_rsample_carries_gradients_to_the_weights() -> None:
    flow = vector_flow()
    flow(torch.randn(6, 3)).rsample().square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in flow.parameters())


# ---- shapes ------------------------------------------------------------------------------------------------


def test_it_is_a_distribution_of_torch() -> None:
    distribution = vector_flow()(torch.randn(6, 3))
    assert isinstance(distribution, Distribution)
    assert distribution.batch_shape == (6,)
    assert distribution.event_shape == (4,)
    assert distribution.sample().shape == (6, 4)
    assert distribution.sample((8,)).shape == distribution.rsample(torch.Size([8])).shape == (8, 6, 4)
    assert distribution.sample((2, 3)).shape == (2, 3, 6, 4)
    assert "FlowDistribution" in repr(distribution)
    mixed = Independent(distribution, 1)
    assert mixed.log_prob(torch.randn(2, 6, 4)).shape == (2,)


def test_without_a_condition_there_is_no_batch() -> None:
    distribution = split_flow()()
    assert distribution.batch_shape == ()
    assert distribution.sample().shape == (5,)
    x = distribution.sample((8,))
    assert x.shape == (8, 5)
    assert distribution.log_prob(x).shape == (8,)
    assert distribution.log_prob(x[0]).shape == ()
    torch.testing.assert_close(distribution.log_prob(x[0]), distribution.log_prob(x)[0])


def test_each_sample_of_a_condition_has_that_condition() -> None:
    flow, condition, x = vector_flow(), torch.randn(6, 3), torch.randn(5, 2, 6, 4)
    log_prob = flow(condition).log_prob(x)
    assert log_prob.shape == (5, 2, 6)
    for number in range(6):
        torch.testing.assert_close(
            flow(condition[number : number + 1]).log_prob(x[:, :, number]), log_prob[..., number]
        )


def test_one_condition_serves_many_values_and_the_reverse() -> None:
    flow, condition, x = vector_flow(), torch.randn(6, 3), torch.randn(6, 4)
    torch.testing.assert_close(flow(condition[:1]).log_prob(x), flow(condition[:1].expand(6, 3)).log_prob(x))
    torch.testing.assert_close(flow(condition).log_prob(x[0]), flow(condition).log_prob(x[:1].expand(6, 4)))


def test_expand_broadcasts_the_batch() -> None:
    flow, condition = vector_flow(), torch.randn(6, 3)
    distribution = flow(condition).expand((2, 6))
    assert distribution.batch_shape == (2, 6)
    assert distribution.sample((8,)).shape == (8, 2, 6, 4)
    x = torch.randn(2, 6, 4)
    torch.testing.assert_close(distribution.log_prob(x)[1], flow(condition).log_prob(x[1]))
    assert split_flow()().expand((3,)).sample().shape == (3, 5)


def test_a_pyramid_gets_its_event_shape_in_the_call() -> None:
    flow = pyramid_flow()
    assert flow(pyramid_conditions(), event_shape=[2, 16, 24]).sample((3,)).shape == (3, 2, 2, 16, 24)
    with pytest.raises(ShapeError, match="has no event shape; pass event_shape"):
        flow(pyramid_conditions())
    with pytest.raises(ShapeError, match="divisible by 8"):
        flow(pyramid_conditions(), event_shape=(2, 16, 20))


def test_sizes_may_be_numbers_of_any_kind() -> None:
    flow = NormalizingFlow(Chain([]), event_shape=(np.int64(4),))
    assert flow().event_shape == (4,)
    assert flow().sample((np.int32(8), torch.tensor(2))).shape == (8, 2, 4)


@pytest.mark.parametrize("shape", [8, (-1,), (1.5,), ("8",)])
def test_sample_shapes_that_are_none_are_refused(shape: object) -> None:
    with pytest.raises(ShapeError, match=r"sample_shape is .* where a tuple of whole numbers"):
        split_flow()().sample(shape)


@pytest.mark.parametrize("shape", [4, (), (0,), (4.0,)])
def test_event_shapes_that_are_none_are_refused(shape: object) -> None:
    with pytest.raises(ShapeError, match=r"event_shape is .* of at least 1"):
        NormalizingFlow(Chain([]), event_shape=shape)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: NormalizingFlow(AffineCoupling(4, dense), event_shape=(5,)), ["(batch, 5)", "4"]),
        (lambda: vector_flow()(torch.randn(6, 3)).log_prob(torch.randn(6, 5)), ["(6, 5)", "4"]),
        (lambda: vector_flow()(torch.randn(6, 3)).log_prob(torch.randn(7, 4)), ["(7, 4)", "(6,)"]),
        (lambda: vector_flow()().log_prob(torch.randn(7, 4)), ["No condition", "3"]),
        (lambda: pyramid_flow()(pyramid_conditions(2)[:1] + pyramid_conditions(3)[1:], (2, 8, 8)), ["[2, 3]"]),
        (lambda: split_flow()().decode(torch.randn(7, 5)), ["1 parts", "2"]),
        (lambda: split_flow()().decode((torch.randn(7, 3), torch.randn(7, 2))), ["(7, 3)", "2"]),
        (lambda: split_flow(base=Normal(0.0, 1.0)), ["is 1", "2 parts"]),
        (lambda: split_flow(base=[Normal(torch.zeros(3), 1.0), None]), ["(3,)", "(2,)"]),
        (lambda: split_flow(base=[None, MultivariateNormal(torch.zeros(2), torch.eye(2))]), ["(2,)", "(3,)"]),
    ],
)
def test_errors_name_the_sizes(call, named: list[str]) -> None:
    with pytest.raises(ShapeError) as error:
        call()
    assert all(part in str(error.value) for part in named), str(error.value)


# ---- temperature and seeds ---------------------------------------------------------------------------------


def test_temperature_scales_the_latent_but_not_the_density() -> None:
    distribution = vector_flow()(torch.randn(2000, 3))
    cool, log_prob = distribution.sample_and_log_prob(temperature=0.5, generator=seeded(0))
    z, _ = distribution.encode(cool)
    assert z.std().item() == pytest.approx(0.5, rel=0.03)
    torch.testing.assert_close(distribution.log_prob(cool), log_prob, atol=1e-3, rtol=1e-3)
    assert log_prob.mean() > distribution.sample_and_log_prob()[1].mean()


def test_each_scale_has_its_own_temperature() -> None:
    distribution = pyramid_flow()(pyramid_conditions(16), (2, 16, 24))
    x = distribution.sample(temperature=(0.0, 0.3, 0.9), generator=seeded(0))
    latents, _ = distribution.encode(x)
    for z, temperature in zip(latents, (0.0, 0.3, 0.9), strict=True):
        assert z.std().item() == pytest.approx(temperature, rel=0.1, abs=1e-4)


@pytest.mark.parametrize(
    "half",
    [np.float64(0.5), np.float32(0.5), torch.tensor(0.5), np.array(0.5), Fraction(1, 2), [0.5, 0.5], np.full(2, 0.5)],
)
def test_temperatures_may_be_numbers_of_any_kind(half: object) -> None:
    distribution = split_flow()()
    expected = distribution.sample((3,), temperature=0.5, generator=seeded(0))
    torch.testing.assert_close(distribution.sample((3,), temperature=half, generator=seeded(0)), expected)


@pytest.mark.parametrize("temperature", [-0.5, float("nan"), float("inf"), [1.0, -1e-9]])
def test_temperatures_below_zero_or_not_finite_are_refused(temperature: object) -> None:
    with pytest.raises(FlowError, match="where a finite number of at least 0 is needed"):
        split_flow()().sample((3,), temperature=temperature)


@pytest.mark.parametrize("temperature", [(1.0,), (1.0, 1.0, 1.0)])
def test_a_wrong_number_of_temperatures_is_refused(temperature: tuple[float, ...]) -> None:
    with pytest.raises(ShapeError, match=rf"temperatures is {len(temperature)} .* 2 parts"):
        split_flow()().sample((3,), temperature=temperature)


def test_a_seed_decides_the_samples_whatever_the_global_state() -> None:
    distribution = vector_flow()(torch.randn(6, 3))
    torch.manual_seed(1)
    first = distribution.sample(generator=seeded(3))
    torch.manual_seed(2)
    torch.testing.assert_close(distribution.sample(generator=seeded(3)), first)
    assert not torch.allclose(distribution.sample(generator=seeded(4)), first)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
def test_a_seed_gives_the_same_latents_on_every_device() -> None:
    flow, condition = vector_flow(), torch.randn(6, 3)
    z = flow(condition).sample_latent((2,), generator=seeded(3))
    there = flow.cuda()(condition.cuda()).sample_latent((2,), generator=seeded(3))
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), z)


def test_samples_have_the_precision_of_the_weights() -> None:
    double = vector_flow().double()(torch.randn(2, 3, dtype=torch.float64))
    assert double.sample().dtype == double.sample_and_log_prob()[1].dtype == torch.float64
    half = vector_flow().half()(torch.randn(2, 3))
    assert half.sample().dtype == half.sample_and_log_prob()[1].dtype == torch.float32
    empty = NormalizingFlow(Chain([]), event_shape=(4,))
    assert empty().sample((2,)).dtype == torch.float32
    assert empty(torch.randn(2, 4, dtype=torch.float64)).sample().dtype == torch.float64


# ---- base distributions ------------------------------------------------------------------------------------


def test_the_base_can_be_any_distribution() -> None:
    bijection = OrthogonalMixing(3, seed=0)
    mean, covariance = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([[2.0, 0.6, 0], [0.6, 1.0, 0.1], [0, 0.1, 0.5]])
    flow = NormalizingFlow(bijection, base=MultivariateNormal(mean, covariance), event_shape=(3,))
    rotation = bijection.matrix.T
    expected = MultivariateNormal(rotation @ mean, rotation @ covariance @ rotation.T)
    x = flow().sample((20000,), generator=seeded(0))
    torch.testing.assert_close(flow().log_prob(x), expected.log_prob(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(x.mean(0), expected.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(x.T.cov(), expected.covariance_matrix, atol=0.08, rtol=0)


def test_each_part_of_the_latent_has_its_own_base() -> None:
    flow = split_flow(base=[Laplace(3.0, 0.5), None])
    x, log_prob = flow().sample_and_log_prob((4000,), generator=seeded(0))
    (y, z), _ = flow().encode(x)
    _, log_det = flow.bijection(x)
    expected = Laplace(3.0, 0.5).log_prob(y).sum(1) + standard_normal_log_prob(z) + log_det
    torch.testing.assert_close(log_prob, expected, atol=1e-3, rtol=1e-4)
    assert y.mean().item() == pytest.approx(3, abs=0.03)
    assert z.mean().item() == pytest.approx(0, abs=0.03)


def test_temperature_contracts_towards_the_mean_of_the_base() -> None:
    distribution = NormalizingFlow(Chain([]), base=Laplace(torch.tensor([3.0, -1.0]), 0.5), event_shape=(2,))()
    torch.testing.assert_close(distribution.sample((4,), temperature=0), torch.tensor([[3.0, -1.0]]).expand(4, 2))
    warm, cool = (distribution.sample((4,), t, seeded(0)) - torch.tensor([3.0, -1.0]) for t in (1, 0.5))
    torch.testing.assert_close(cool, warm / 2)


def test_a_seed_decides_the_samples_of_any_base_and_leaves_the_global_state() -> None:
    distribution = split_flow(base=[Laplace(0.0, 1.0), None])()
    state = torch.get_rng_state()
    first = distribution.sample((2,), generator=seeded(3))
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(distribution.sample((2,), generator=seeded(3)), first)
    assert not torch.allclose(distribution.sample((2,), generator=seeded(4)), first)


class LearnedNormal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(2))

    def forward(self) -> Distribution:
        return Normal(self.mean, 1.0)


def test_a_base_that_is_a_module_learns_and_moves_with_the_flow() -> None:
    flow = NormalizingFlow(Chain([]), base=LearnedNormal(), event_shape=(2,))
    assert [name for name, _ in flow.named_parameters()] == ["base_modules.0.mean"]
    optimiser = torch.optim.SGD(flow.parameters(), 1.0)
    (-flow().log_prob(torch.tensor([[3.0, -1.0]]))).mean().backward()
    optimiser.step()
    torch.testing.assert_close(flow.base_modules[0].mean.data, torch.tensor([3.0, -1.0]))
    torch.testing.assert_close(flow().sample((4000,)).mean(0), torch.tensor([3.0, -1.0]), atol=0.1, rtol=0)
    copied = copy.deepcopy(flow).double()
    assert copied().sample(generator=seeded(0)).dtype == torch.float64


def test_a_base_without_reparametrisation_is_drawn_from() -> None:
    assert split_flow()().has_rsample
    flow = split_flow(base=[VonMises(0.0, 4.0), None])
    assert not flow().has_rsample
    (y, _), _ = flow().encode(flow().sample((500,), generator=seeded(0)))
    assert y.std().item() == pytest.approx(4**-0.5, rel=0.15)


def test_a_pyramid_of_one_scale_has_a_tuple_of_one_latent() -> None:
    distribution = FlowDistribution(HaarPyramid(OrthogonalMixing(4, 0), []), (1, 4, 4))
    (drawn,) = distribution.sample_latent((3,))
    (encoded,), _ = distribution.encode(distribution.decode((drawn,))[0])
    torch.testing.assert_close(encoded, drawn)


def test_a_distribution_can_be_made_without_a_module() -> None:
    bijection, condition, x = AffineCoupling(4, dense, 3), torch.randn(6, 3), torch.randn(6, 4)
    expected = NormalizingFlow(bijection, event_shape=(4,))(condition).log_prob(x)
    torch.testing.assert_close(FlowDistribution(bijection, (4,), condition).log_prob(x), expected)


def test_an_empty_batch_has_an_empty_density() -> None:
    distribution = NormalizingFlow(Chain([]), event_shape=(4,))()
    assert distribution.sample((0,)).shape == (0, 4)
    assert distribution.log_prob(torch.empty(0, 4)).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda flow: flow(3), "The condition is a int where a tensor"),
        (lambda flow: flow(torch.tensor(1.0)), "The condition is a Tensor where a tensor \\(batch, ...\\)"),
        (lambda flow: flow(np.zeros((5, 2))), "The condition is a ndarray where a tensor"),
        (lambda flow: flow().log_prob([[0.0] * 4]), "The values are a list where a tensor is needed"),
        (lambda flow: flow().sample(temperature="hot"), "The temperature is 'hot' where a finite number"),
        (lambda flow: flow().sample(temperature=None), "The temperature is None where a finite number"),
    ],
)
def test_what_is_no_tensor_or_number_is_refused(call: Callable[[NormalizingFlow], Any], message: str) -> None:
    with pytest.raises(FlowError, match=message):
        call(NormalizingFlow(Chain([]), event_shape=(4,)))
