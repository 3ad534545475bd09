"""Properties of single blocks beyond the common contract, and errors for sizes that do not fit."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from cinn_app.errors import CinnError
from cinn_app.flows import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Chain,
    ConditionalAffine,
    Flatten,
    FlowError,
    HaarDownsampling,
    HaarPyramid,
    Logit,
    LULinear,
    MixtureAutoregression,
    NormalizingFlow,
    OrthogonalMixing,
    Permutation,
    ShapeError,
    SplineCoupling,
    Split,
    Squeeze,
    Triangular,
    ZeroPadding,
    soft_clamp,
)
from cinn_app.nn.blocks import zero_init


def conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


# ---- couplings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flip", "stays"), [(False, slice(0, 3)), (True, slice(3, 5))])
def test_a_coupling_keeps_one_half_and_moves_the_other(flip: bool, stays: slice) -> None:
    x = torch.randn(2, 5)
    z, _ = AffineCoupling(5, nn.Linear, flip=flip)(x)
    kept = torch.zeros(5, dtype=torch.bool)
    kept[stays] = True
    assert torch.equal(z[:, kept], x[:, kept])
    assert (z[:, ~kept] != x[:, ~kept]).all()


COUPLINGS = pytest.mark.parametrize("coupling", [AffineCoupling, AdditiveCoupling, SplineCoupling])


@COUPLINGS
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (1, [0]),
        (torch.tensor(4), [0, 1, 2, 3]),
        ([False, True, False, False, True], [1, 4]),
        (torch.tensor([True, True, False, True, False]), [0, 1, 3]),
        (None, [0, 1, 2]),
    ],
    ids=str,
)
def test_a_coupling_splits_the_channels_as_given(
    coupling: type, identity: object, expected: list[int], flip: bool
) -> None:
    block = coupling(5, conv, identity=identity, flip=flip)
    stays = torch.tensor([(channel in expected) is not flip for channel in range(5)])
    assert block.subnet.in_channels == stays.sum()
    assert block.subnet.out_channels == (5 - stays.sum()) * block.outputs_per_value
    x = torch.randn(2, 5, 3, 4)
    z, _ = block(x)
    assert torch.equal(z[:, stays], x[:, stays])
    assert ((z != x).flatten(2).any(2).all(0) == ~stays).all()


@COUPLINGS
@pytest.mark.parametrize("flip", [False, True])
def test_a_checkerboard_keeps_every_other_pixel_and_reads_no_more(coupling: type, flip: bool) -> None:
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(5), indexing="ij")
    stays = (rows + columns) % 2 == int(flip)
    block = coupling(2, conv, identity="checkerboard", flip=flip)
    x = torch.randn(3, 2, 4, 5)
    z, _ = block(x)
    assert torch.equal(z[..., stays], x[..., stays])
    assert (z != x)[..., ~stays].all()
    seen: list[Tensor] = []
    block.subnet.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    block(x)
    assert torch.equal(seen[0], torch.where(stays, x, 0))


def test_no_value_is_scaled_beyond_the_clamp() -> None:
    coupling = AffineCoupling(4, nn.Linear, clamp=0.7)
    with torch.no_grad():
        coupling.subnet.weight.mul_(1e6)
    _, log_det = coupling(torch.randn(50, 4))
    assert log_det.abs().max() <= 2 * 0.7 + 1e-6
    assert log_det.abs().max() > 2 * 0.69


def test_soft_clamp_is_monotonic_and_odd() -> None:
    raw = torch.linspace(-50, 50, 1001)
    s = soft_clamp(raw, 2.0)
    assert (s.diff() > 0).all()
    torch.testing.assert_close(s, -s.flip(0))


def test_conditional_affine_is_the_identity_if_its_subnet_returns_zero() -> None:
    affine = ConditionalAffine(3, conv, 2)
    nn.init.zeros_(affine.subnet.weight)
    nn.init.zeros_(affine.subnet.bias)
    x = torch.randn(2, 3, 4, 4)
    z, log_det = affine(x, torch.randn(2, 2, 4, 4))
    torch.testing.assert_close(z, x)
    torch.testing.assert_close(log_det, torch.zeros(2))


# ---- mixing ------------------------------------------------------------------------------------------------


def test_orthogonal_mixing_is_uniform_over_rotations_and_reflections() -> None:
    matrices = torch.stack([OrthogonalMixing(3, seed).matrix for seed in range(600)])
    # Without correcting the signs of QR, the first entry would have one sign; uniform is mean 0, variance 1 / 3.
    assert matrices[:, 0, 0].mean().abs() < 4 * (1 / 3 / 600) ** 0.5
    assert (matrices.square().mean(0) - 1 / 3).abs().max() < 0.08
    assert 0.4 < (torch.linalg.det(matrices) > 0).float().mean() < 0.6


@pytest.mark.parametrize("build", [OrthogonalMixing, Permutation, LULinear])
def test_a_seed_decides_the_mixing(build: type[Bijection]) -> None:
    x = torch.randn(2, 16)
    torch.manual_seed(1)
    first = build(16, seed=7)(x)[0]
    torch.manual_seed(2)
    torch.testing.assert_close(build(16, seed=7)(x)[0], first)
    assert not torch.allclose(build(16, seed=8)(x)[0], first)


@pytest.mark.parametrize("rounded", [torch.float16, torch.bfloat16])
def test_orthogonal_mixing_survives_a_half_precision_checkpoint(rounded: torch.dtype) -> None:
    original, restored = OrthogonalMixing(24, seed=0), OrthogonalMixing(24, seed=1)
    restored.load_state_dict({name: t.to(rounded) for name, t in original.state_dict().items()})
    torch.testing.assert_close(restored.matrix, original.matrix, atol=5e-3, rtol=0)
    x = torch.randn(4, 24)
    torch.testing.assert_close(restored.inverse(restored(x)[0])[0], x, atol=1e-5, rtol=1e-5)


def test_the_learned_mixing_starts_orthogonal_and_stays_invertible() -> None:
    linear = LULinear(6, seed=0)
    x = torch.randn(8, 6, 3, 3)
    torch.testing.assert_close(linear(x)[0].norm(dim=1), x.norm(dim=1))
    optimiser = torch.optim.Adam(linear.parameters(), lr=0.05)
    for _ in range(20):
        z, log_det = linear(2 * x)
        optimiser.zero_grad()
        (z.square().flatten(1).sum(1) / 2 - log_det).mean().backward()
        optimiser.step()
    z, log_det = linear(x)
    assert (log_det < -1).all()  # it has learned to shrink
    torch.testing.assert_close(linear.inverse(z)[0], x, atol=1e-4, rtol=1e-4)


# ---- ActNorm -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 3), (8, 3, 5, 7)], ids=str)
def test_actnorm_normalises_the_first_training_batch_and_no_other(shape: tuple[int, ...]) -> None:
    norm = ActNorm(3)
    offset = torch.tensor([5.0, -2.0, 0.0]).view(3, *[1] * (len(shape) - 2))
    first = torch.randn(shape) * 4 + offset
    z, log_det = norm(first)
    per_channel = z.transpose(0, 1).flatten(1)
    torch.testing.assert_close(per_channel.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(per_channel.std(1, correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert (log_det < 0).all()
    assert norm(first * 10)[0].std() > 5


def test_actnorm_waits_for_training_and_remembers_it() -> None:
    x = torch.randn(64, 3) * 4
    norm = ActNorm(3).eval()
    torch.testing.assert_close(norm(x)[0], x)
    trained = norm.train()
    trained(x)
    restored = ActNorm(3)
    restored.load_state_dict(trained.state_dict())
    torch.testing.assert_close(restored(x * 10)[0], trained(x * 10)[0])


@pytest.mark.parametrize(
    "unusable",
    [
        torch.empty(0, 4),
        torch.empty(2, 4, 0, 3),
        torch.tensor([[float("nan"), 1, 2, 3], [0, 1, 4, 9]]),
        torch.tensor([[float("inf"), 1, 2, 3], [0, 1, 4, 9]]),
    ],
    ids=["empty", "without pixels", "nan", "inf"],
)
def test_actnorm_waits_for_a_batch_that_it_can_use(unusable: Tensor) -> None:
    norm = ActNorm(4)
    z, log_det = norm(unusable)
    torch.testing.assert_close(z, unusable, equal_nan=True)
    assert torch.equal(log_det, torch.zeros(len(unusable)))
    assert not norm.initialised
    z, _ = norm(5 + 3 * torch.randn(100, 4))
    assert norm.initialised
    torch.testing.assert_close(z.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(4), atol=1e-5, rtol=0)


def test_actnorm_is_initialised_again_after_loading_a_state_that_is_not() -> None:
    norm, fresh = ActNorm(3), ActNorm(3).state_dict()
    norm(torch.randn(64, 3) * 4)
    norm.load_state_dict(fresh)
    torch.testing.assert_close(norm(torch.randn(64, 3) * 9)[0].std(0, correction=0), torch.ones(3))


@pytest.mark.slow
def test_training_compiles_to_one_graph() -> None:
    """With the first batch, which sets the scales, and with the others."""
    chain = Chain([ActNorm(6), OrthogonalMixing(6, 0), AffineCoupling(6, conv), LULinear(6, 1), ActNorm(6)])
    other = copy.deepcopy(chain)
    compiled = torch.compile(chain, backend="aot_eager", fullgraph=True)
    for scale in (3, 1, 2):
        x = scale * torch.randn(4, 6, 5, 5) + 1
        for flow in (compiled, other):
            z, log_det = flow(x)
            (z.square().sum() - log_det.sum()).backward()
        torch.testing.assert_close(z, chain(x)[0], atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(chain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-3, rtol=1e-4)
    assert chain[0].initialised


@pytest.mark.parametrize("batch", [1, 8])
def test_actnorm_keeps_the_scale_of_a_constant_channel(batch: int) -> None:
    norm = ActNorm(2)
    x = torch.full((batch, 2), 3.0)
    z, log_det = norm(x)
    torch.testing.assert_close(z, torch.zeros(batch, 2))
    torch.testing.assert_close(log_det, torch.zeros(batch))


# ---- from space to channels --------------------------------------------------------------------------------


def test_haar_bands_hold_what_their_names_say() -> None:
    stripes = torch.tensor([[1.0, -1.0] * 2] * 4).view(1, 1, 4, 4)
    for band, picture in enumerate((torch.ones(1, 1, 4, 4), stripes, stripes.mT, stripes * stripes.mT)):
        energy = HaarDownsampling()(picture)[0].square().sum((0, 2, 3))
        torch.testing.assert_close(energy, 16 * torch.eye(4)[band])


def test_squeeze_puts_the_two_colours_of_a_checkerboard_into_the_two_halves() -> None:
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    checkerboard = ((rows + columns) % 2).float().expand(2, 3, 4, 6)
    z, _ = Squeeze()(checkerboard)
    assert torch.equal(z[:, :6], torch.zeros(2, 6, 2, 3))
    assert torch.equal(z[:, 6:], torch.ones(2, 6, 2, 3))


# ---- padding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4, 5)], ids=str)
def test_zero_padding_is_undone_whatever_the_padding_holds(shape: tuple[int, ...]) -> None:
    x, padding = torch.randn(shape), ZeroPadding(2)
    z = padding(x)
    assert z.shape == (2, 5, *shape[2:])
    assert torch.equal(z[:, 3:], torch.zeros_like(z[:, 3:]))
    assert torch.equal(padding.inverse(z + 7 * (z == 0)), x)


def test_zero_padding_preserves_the_volume_of_its_image() -> None:
    jacobian = torch.autograd.functional.jacobian(lambda v: ZeroPadding(2)(v.view(1, 3))[0], torch.randn(3))
    torch.testing.assert_close(torch.logdet(jacobian.T @ jacobian) / 2, torch.tensor(0.0))


def test_zero_padding_is_always_float32() -> None:
    assert ZeroPadding(2)(torch.ones(1, 3, dtype=torch.bfloat16)).dtype == torch.float32


@pytest.mark.parametrize(
    "build",
    [
        lambda: NormalizingFlow(ZeroPadding(2)),
        lambda: Chain([ZeroPadding(2), AffineCoupling(5, nn.Linear)]),
        lambda: Split(2, ZeroPadding(1)),
        lambda: HaarPyramid(Chain([]), [ZeroPadding(1)]),
    ],
)
def test_zero_padding_is_refused_in_place_of_a_bijection(build) -> None:
    with pytest.raises(FlowError, match=r"ZeroPadding is not a bijection, so it has no density; apply it to the data"):
        build()


# ---- composition -------------------------------------------------------------------------------------------


def test_a_chain_is_a_list() -> None:
    members = [Permutation(4, seed) for seed in range(3)]
    chain = Chain(members)
    assert len(chain) == 3
    assert list(chain) == members
    assert chain[-1] is members[-1]
    x = torch.randn(2, 4)
    assert torch.equal(chain[1:](x)[0], members[2](members[1](x)[0])[0])


def test_a_triangular_map_conditions_the_second_part_on_the_first_and_not_the_reverse() -> None:
    flow = Triangular(2, 2, AffineCoupling(2, nn.Linear), AffineCoupling(3, nn.Linear, 2))
    x = torch.randn(1, 5)
    jacobian = torch.autograd.functional.jacobian(lambda values: flow(values)[0], x)[0, :, 0]
    assert jacobian[:2, 2:].count_nonzero() == 0
    assert jacobian[2:, :2].count_nonzero() > 0


def test_each_scale_has_its_own_condition() -> None:
    flow = Chain([AffineCoupling(4, nn.Linear, 1), Split(2, AffineCoupling(2, nn.Linear, 3))])
    x, first, second = torch.randn(2, 4), torch.randn(2, 1), torch.randn(2, 3)
    (fine, coarse), _ = flow(x, (first, second))
    (fine_again, coarse_again), _ = flow(x, (first, second + 1))
    torch.testing.assert_close(fine, fine_again)
    assert not torch.allclose(coarse, coarse_again)


def test_a_chain_names_the_member_that_cannot_take_the_shape() -> None:
    chain = Chain([HaarDownsampling(), AffineCoupling(3, conv)])
    with pytest.raises(ShapeError) as error:
        chain.latent_shape((1, 4, 4))
    assert error.value.__notes__ == ["in member 1 of the chain, AffineCoupling"]


# ---- sizes that do not fit ---------------------------------------------------------------------------------

PYRAMID = HaarPyramid(AffineCoupling(8, conv, 2), [AffineCoupling(6, conv, 2 + 2)])
TRIANGULAR = Triangular(2, 2, Chain([]), AffineCoupling(3, nn.Linear, 2))
FINE, COARSE = torch.randn(2, 2, 4, 4), torch.randn(2, 2, 2, 2)
IMAGE = torch.randn(2, 2, 8, 8)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: AffineCoupling(1, nn.Linear), ["1", "2"]),
        (lambda: AffineCoupling(4, nn.Linear)(torch.randn(2, 5)), ["(batch, 5)", "4"]),
        (lambda: OrthogonalMixing(4, 0)(torch.randn(4)), ["(batch, )", "4"]),
        (lambda: ActNorm(4).inverse(torch.randn(2, 3, 8, 8)), ["(batch, 3, 8, 8)", "4"]),
        (lambda: AffineCoupling(4, nn.Linear, 3)(torch.randn(2, 4)), ["No condition", "3"]),
        (lambda: AffineCoupling(4, nn.Linear, 3)(torch.randn(2, 4), ()), ["tuple of 0", "one condition"]),
        (lambda: AffineCoupling(4, nn.Linear, 3)(torch.randn(2, 4), torch.randn(2, 5)), ["(2, 5)", "(2, 3)"]),
        (lambda: AffineCoupling(4, nn.Linear, 3)(torch.randn(2, 4), torch.randn(1, 3)), ["(1, 3)", "(2, 3)"]),
        (lambda: AffineCoupling(2, conv, 2)(IMAGE, FINE), ["(2, 2, 4, 4)", "(2, 2, 8, 8)"]),
        (lambda: AffineCoupling(4, lambda i, o: nn.Linear(i, 3))(torch.randn(2, 4)), ["(2, 3)", "(2, 4)"]),
        (lambda: AdditiveCoupling(4, lambda i, o: nn.Linear(i, 1))(torch.randn(2, 4)), ["(2, 1)", "(2, 2)"]),
        (lambda: HaarDownsampling()(torch.randn(1, 2, 5, 4)), ["(2, 5, 4)", "even"]),
        (lambda: Squeeze()(torch.randn(1, 2, 4, 7)), ["(2, 4, 7)", "even"]),
        (lambda: HaarDownsampling().inverse(torch.randn(1, 6, 2, 2)), ["(6, 2, 2)", "4"]),
        (lambda: ZeroPadding(3).inverse(torch.randn(1, 3)), ["3"]),
        (lambda: Split(4)(torch.randn(1, 4)), ["4"]),
        (lambda: Split(2).inverse(torch.randn(1, 4)), ["1", "2"]),
        (lambda: Chain([Split(2), AffineCoupling(2, nn.Linear)])(torch.randn(1, 4)), ["AffineCoupling", "2 tensors"]),
        (lambda: AffineCoupling(4, nn.Linear, 3)(torch.randn(2, 4), (FINE, COARSE)), ["tuple of 2", "one condition"]),
        (
            lambda: AffineCoupling(4, nn.Linear, 3)(torch.randn(2, 4), (torch.randn(2, 3),)),
            ["tuple of 1", "one condition"],
        ),
        (lambda: AffineCoupling(4, nn.Linear, identity=4), ["4 channels", "part of 4"]),
        (lambda: AffineCoupling(4, nn.Linear, identity=0), ["4 channels", "part of 0"]),
        (lambda: AffineCoupling(4, nn.Linear, identity=[True, False]), ["(2,)", "(4,)"]),
        (lambda: AffineCoupling(4, nn.Linear, identity=[False] * 4), ["4 channels", "part of 0"]),
        (lambda: AffineCoupling(4, nn.Linear, identity="checkerboard")(torch.randn(2, 4)), ["spatial dimensions"]),
        (lambda: HaarDownsampling()(torch.randn(2, 4)), ["(4,)", "sizes"]),
        (lambda: Flatten((2, 8, 8))(FINE), ["(2, 4, 4)", "(2, 8, 8)"]),
        (lambda: Flatten((2, 8, 8)).inverse(torch.randn(2, 127)), ["(127,)", "(128,)"]),
        (lambda: TRIANGULAR(torch.randn(2, 2)), ["channels is 2", "first part"]),
        (lambda: TRIANGULAR(torch.randn(2, 5), (FINE, COARSE)), ["tuple of 2", "one condition"]),
        (lambda: MixtureAutoregression(3, nn.Linear, order=[0, 2, 2]), ["[0, 2, 2]", "each channel once"]),
        (lambda: MixtureAutoregression(3, nn.Linear, components=0), ["0 components", "at least 1"]),
        (lambda: MixtureAutoregression(2, nn.Linear)(torch.randn(4, 2, 3)), ["(2, 3)", "(2,)"]),
        (lambda: MixtureAutoregression(2, lambda _, __: nn.Identity())(torch.randn(4, 2)), ["(4, 1)", "(4, 24)"]),
        (lambda: PYRAMID(torch.randn(2, 2, 8, 10), (FINE, COARSE)), ["(2, 8, 10)", "4"]),
        (lambda: PYRAMID(IMAGE, (FINE,)), ["conditions is 1", "2"]),
        (lambda: PYRAMID(IMAGE, FINE), ["single tensor", "2"]),
        (lambda: PYRAMID(IMAGE, (COARSE, COARSE)), ["scale 1", "(2, 2, 2, 2)", "4, 4"]),
        (lambda: PYRAMID(IMAGE, (FINE, FINE)), ["(2, 2, 4, 4)", "(2, 2, 2, 2)"]),
        (lambda: PYRAMID.inverse((FINE,), (FINE, COARSE)), ["latents is 1", "2"]),
    ],
)
def test_errors_name_the_sizes(call, named: list[str]) -> None:
    with pytest.raises(ShapeError) as error:
        call()
    assert all(part in str(error.value) for part in named), str(error.value)
    assert isinstance(error.value, CinnError)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_a_fitted_mixture_autoregression_whitens_normal_data_without_training(order: list[int]) -> None:
    x = torch.randn(20_000, 3) @ torch.tensor([[1.0, 0.9, 0.3], [0.0, 0.5, 0.2], [0.0, 0.0, 0.01]]) + 5
    flow = MixtureAutoregression(3, zero_linear, components=1, order=order)
    flow.fit(x)
    z, log_det = flow(x)
    torch.testing.assert_close(z.T.cov(), torch.eye(3), atol=0.02, rtol=0)
    torch.testing.assert_close(log_det, torch.full_like(log_det, -math.log(1.0 * 0.5 * 0.01)), atol=0.05, rtol=0)


def test_draws_in_a_row_that_share_a_condition_are_as_those_alone() -> None:
    flow = MixtureAutoregression(3, nn.Linear, condition_channels=2)
    z, condition = torch.randn(7, 3), torch.randn(3, 2)[[0, 0, 1, 2, 2, 2, 0]]
    with torch.no_grad():
        together = flow.draw(z, condition)
        alone = torch.cat([flow.draw(z[i : i + 1], condition[i : i + 1]) for i in range(7)])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together, flow.draw(z, condition).detach())


def zero_linear(in_channels: int, out_channels: int) -> nn.Module:
    return zero_init(nn.Linear(in_channels, out_channels))


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(FlowError, match=r"'chess' is unknown; give 'checkerboard'"):
        AffineCoupling(4, nn.Linear, identity="chess")
    for margin in (-0.1, 0.5, float("nan")):
        with pytest.raises(FlowError, match=r"less than 0\.5"):
            Logit(margin)


def test_a_float64_flow_stays_in_float64() -> None:
    z, log_det = Chain([HaarDownsampling(), ActNorm(4)]).double()(torch.randn(1, 1, 4, 4, dtype=torch.float64))
    assert isinstance(z, Tensor)
    assert z.dtype == log_det.dtype == torch.float64
