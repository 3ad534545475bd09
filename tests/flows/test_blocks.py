"""One harness for all blocks: a new block is one more entry in ``CASES``.

Parameters are always randomised, so that nothing is tested at its zero start, where most mistakes vanish. A block whose
inverse or log-determinant is approximate declares its ``tolerance``, which widens the bounds of all checks.
"""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from bijection_checks import check_log_det, check_round_trip, randomise, scales
from torch import Tensor, nn

import cinn_app.flows as flows
from cinn_app.flows import (
    ActNorm,
    AdditiveCoupling,
    AdditiveCouplingPair,
    AffineCoupling,
    AffineCouplingPair,
    Bijection,
    Chain,
    Condition,
    ConditionalAffine,
    ConditionalSpline,
    Conditioned,
    Flatten,
    HaarDownsampling,
    HaarPyramid,
    Inverse,
    Logit,
    LULinear,
    MixtureAutoregression,
    OrthogonalMixing,
    Permutation,
    ShapeError,
    SpanFirst,
    SpanPyramid,
    SplineCoupling,
    SplineCouplingPair,
    Split,
    Squeeze,
    Triangular,
    standard_normal_log_prob,
)

BATCH = 2
DEVICES = [
    "cpu",
    *(["cuda"] if torch.cuda.is_available() else []),
    *(["mps"] if torch.backends.mps.is_available() else []),
]


def dense(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Linear(in_channels, 8), nn.LeakyReLU(), nn.Linear(8, out_channels))


def conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(8, out_channels, 1))


@dataclass(frozen=True)
class Case:
    """A block with the shapes, without the batch, of its data and of its condition or conditions.

    ``prepare`` maps normal noise into the domain of the block.
    """

    name: str
    build: Callable[[], Bijection]
    data: tuple[int, ...]
    condition: tuple[int, ...] | list[tuple[int, ...] | None] | None = None
    prepare: Callable[[Tensor], Tensor] = torch.clone


VECTOR, IMAGE, VECTOR_CONDITION, IMAGE_CONDITION = (5,), (5, 2, 3), (3,), (3, 2, 3)


def conv_of(dims: int) -> Callable[[int, int], nn.Module]:
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
    return lambda i, o: nn.Sequential(kind(i, 8, 3, padding=1), nn.LeakyReLU(), kind(8, o, 1))


def both(name: str, build: Callable[..., Bijection], **options: Any) -> list[Case]:
    """Return a coupling on vectors and images, without and with a condition."""
    return [
        Case(f"{name}-vector", lambda: build(5, dense, **options), VECTOR),
        Case(f"{name}-vector-condition", lambda: build(5, dense, 3, **options), VECTOR, VECTOR_CONDITION),
        Case(f"{name}-image", lambda: build(5, conv, **options), IMAGE),
        Case(f"{name}-image-condition", lambda: build(5, conv, 3, **options), IMAGE, IMAGE_CONDITION),
    ]


def plain(name: str, build: Callable[[], Bijection]) -> list[Case]:
    """Return a block without a condition, and once with one that it must ignore."""
    return [
        Case(f"{name}-vector", build, VECTOR),
        Case(f"{name}-image", build, IMAGE),
        Case(f"{name}-image-ignored-condition", build, IMAGE, IMAGE_CONDITION),
    ]


class FeaturePyramid(nn.Module):
    """A conditioning network with an output for each of two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(1, 2, 2, 2), nn.Conv2d(2, 3, 2, 2)

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(condition)
        return fine, self.coarse(fine)


def mixed_chain() -> Bijection:
    """Build a chain of conditional and unconditional members."""
    return Chain(
        [
            ConditionalAffine(5, conv, 3),
            ActNorm(5),
            AffineCouplingPair(5, conv, 3),
            LULinear(5, seed=1),
            AdditiveCoupling(5, conv),
            OrthogonalMixing(5, seed=2),
            AffineCoupling(5, conv, flip=True),
        ]
    )


class OfTwoConditions(AffineCoupling):
    """A coupling that takes its condition in two parts."""

    condition_count = 2

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return super().forward(x, torch.cat([*condition], 1))

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return super().inverse(z, torch.cat([*condition], 1))


def two_scales() -> Bijection:
    """Build a multi-scale flow with a condition per scale and nested splits."""
    inner = Chain([HaarDownsampling(), AffineCouplingPair(8, conv, 2), Split(6, AffineCoupling(2, conv))])
    return Chain([Squeeze(), AffineCouplingPair(4, conv, 3), Split(2, inner)])


def mixture_autoregression(low: float, high: float, condition_channels: int) -> Bijection:
    """Build a mixture autoregression whose last two channels are bounded."""
    block = MixtureAutoregression(5, dense, condition_channels, 3, order=[2, 0, 4, 1, 3])
    block.low[3:], block.high[3:] = low, high
    return block


CASES = [
    Case("mixture-autoregression", lambda: MixtureAutoregression(5, dense), VECTOR),
    Case("mixture-autoregression-bounded", lambda: mixture_autoregression(-6, 6, 3), VECTOR, VECTOR_CONDITION),
    *both("affine", AffineCoupling),
    *both("affine-flip", AffineCoupling, flip=True),
    *both("affine-pair", AffineCouplingPair),
    *both("spline", SplineCoupling),
    *both("spline-flip", SplineCoupling, bins=3, bound=2.0, flip=True),
    *both("additive", AdditiveCoupling),
    *both("additive-flip", AdditiveCoupling, flip=True),
    *both("additive-pair", AdditiveCouplingPair),
    *both("spline-pair", SplineCouplingPair, bins=2, clamp=0.5),
    *[
        case
        for name, build in (
            ("affine", AffineCoupling),
            ("additive", AdditiveCoupling),
            ("spline", partial(SplineCoupling, bins=3)),
        )
        for case in (
            *both(f"{name}-1-of-5", build, identity=1),
            *both(f"{name}-mask", build, identity=[False, True, True, False, True], flip=True),
            *both(f"{name}-checkerboard", build, identity="checkerboard")[2:],
        )
    ],
    *both("affine-pair-4-of-5", AffineCouplingPair, identity=4),
    *both("additive-pair-checkerboard", AdditiveCouplingPair, identity="checkerboard")[2:],
    *both(
        "spline-pair-mask",
        SplineCouplingPair,
        bins=2,
        clamp=0.5,
        bound=2.0,
        identity=torch.tensor([True, False, True, True, False]),
    ),
    Case("checkerboard-1d", lambda: AffineCoupling(1, conv_of(1), identity="checkerboard", flip=True), (1, 5)),
    Case(
        "checkerboard-3d", lambda: SplineCoupling(2, conv_of(3), 1, identity="checkerboard"), (2, 2, 3, 2), (1, 2, 3, 2)
    ),
    Case("conditional-affine-vector", lambda: ConditionalAffine(5, dense, 3), VECTOR, VECTOR_CONDITION),
    Case("conditional-affine-image", lambda: ConditionalAffine(5, conv, 3), IMAGE, IMAGE_CONDITION),
    Case("conditional-spline-vector", lambda: ConditionalSpline(5, dense, 3), VECTOR, VECTOR_CONDITION),
    Case("conditional-spline-one-value", lambda: ConditionalSpline(1, dense, 3), (1,), VECTOR_CONDITION),
    Case("conditional-spline-image", lambda: ConditionalSpline(5, conv, 3), IMAGE, IMAGE_CONDITION),
    *plain("orthogonal", lambda: OrthogonalMixing(5, seed=3)),
    *plain("permutation", lambda: Permutation(5, seed=3)),
    *plain("linear", lambda: LULinear(5, seed=3)),
    Case("span-first", SpanFirst, (2, 6), (6, 3)),
    *plain("actnorm", lambda: ActNorm(5)),
    *[replace(case, prepare=torch.sigmoid) for case in plain("logit", lambda: Logit(0.05))],
    *plain("empty-chain", lambda: Chain([])),
    *plain("split", lambda: Split(2, LULinear(3, seed=3))),
    *plain("split-in-three", lambda: Chain([LULinear(5, seed=3), Split(2, Split(1))])),
    Case("conditioned-vector", lambda: Conditioned(dense(4, 3), AffineCoupling(5, dense, 3)), VECTOR, (4,)),
    Case("conditioned-image", lambda: Conditioned(conv(4, 3), mixed_chain()), IMAGE, (4, 2, 3)),
    Case("inverse-vector", lambda: Inverse(AffineCoupling(5, dense, 3)), VECTOR, VECTOR_CONDITION),
    Case("inverse-image", lambda: Inverse(Chain([HaarDownsampling(), ActNorm(4)])), (4, 2, 2)),
    Case("flatten", lambda: Flatten((5, 2, 3)), IMAGE),
    Case("triangular", lambda: Triangular(2, 2, AffineCoupling(2, conv), AffineCoupling(3, conv, 2)), IMAGE),
    Case(
        "triangular-vector-condition",
        lambda: Triangular(2, 2, AffineCoupling(2, dense, 3), SplineCoupling(3, dense, 3 + 2)),
        VECTOR,
        VECTOR_CONDITION,
    ),
    Case(
        "triangular-of-shapes",
        lambda: Triangular(
            1,
            6,
            Flatten((1, 2, 3)),
            Chain([Conditioned(conv(3 + 1, 2), AffineCoupling(4, conv, 2)), Flatten((4, 2, 3))]),
        ),
        IMAGE,
        IMAGE_CONDITION,
    ),
    *[
        Case(f"{name}-{len(sizes)}d", block, (2, *sizes))
        for name, block in (("haar", HaarDownsampling), ("squeeze", Squeeze))
        for sizes in ((6,), (4, 6), (2, 4, 6))
    ],
    Case("chain-image-condition", mixed_chain, IMAGE, IMAGE_CONDITION),
    Case("two-scales", two_scales, (1, 4, 8), [(3, 2, 4), (2, 1, 2), None]),
    Case("pyramid", lambda: HaarPyramid(AffineCoupling(4, conv), [AffineCoupling(3, conv, 1)]), (1, 4, 8)),
    Case("pyramid-1d", lambda: HaarPyramid(AffineCoupling(4, conv_of(1)), [AffineCoupling(2, conv_of(1), 2)]), (2, 8)),
    Case(
        "pyramid-3d",
        lambda: HaarPyramid(AffineCoupling(8, conv_of(3)), [AffineCoupling(7, conv_of(3), 1 + 1)]),
        (1, 4, 4, 4),
        [(1, 2, 2, 2), None],
    ),
    Case("pyramid-no-details", lambda: HaarPyramid(AffineCoupling(4, conv), []), (1, 4, 6)),
    Case(
        "pyramid-conditions",
        lambda: HaarPyramid(
            AffineCouplingPair(4, conv, 4),
            [AffineCouplingPair(3, conv, 2 + 1), ConditionalAffine(3, conv, 3 + 1)],
        ),
        (1, 8, 8),
        [(2, 4, 4), (3, 2, 2), (4, 1, 1)],
    ),
    Case(
        "conditioned-by-a-feature-pyramid",
        lambda: Conditioned(
            FeaturePyramid(), HaarPyramid(AffineCoupling(4, conv, 3), [AffineCoupling(3, conv, 2 + 1)])
        ),
        (1, 4, 8),
        (1, 4, 8),
    ),
    Case(
        "pyramid-conditioned",
        lambda: HaarPyramid(
            Conditioned(conv(4, 2), SplineCoupling(4, conv, 2)),
            [Conditioned(conv(3 + 1, 5), AffineCouplingPair(3, conv, 5))],
        ),
        (1, 4, 8),
        [(3, 2, 4), (4, 1, 2)],
    ),
    Case(
        "span-pyramid",
        lambda: SpanPyramid(AffineCoupling(2, conv_of(1)), [AffineCoupling(6, conv, 8)]),
        (2, 4, 6),
        [None, None, (6, 4, 6)],
    ),
    Case(
        "span-pyramid-conditions",
        lambda: SpanPyramid(
            AffineCoupling(2, conv_of(1), 3), [ConditionalAffine(6, conv, 2 + 8), AffineCouplingPair(6, conv, 8)]
        ),
        (2, 8, 4),
        [(2, 4, 2), None, (3, 2), (2, 8, 4)],
    ),
    Case(
        "span-pyramid-base-of-two-conditions",
        lambda: SpanPyramid(OfTwoConditions(2, conv_of(1), 3 + 1), [AffineCoupling(6, conv, 1 + 8)]),
        (2, 4, 4),
        [(1, 2, 2), (3, 4), (1, 4), (4, 4, 4)],
    ),
]

#: Their members get data that others computed, which differ in the last bits on the way back.
COMPOSED = (Chain, HaarPyramid, SpanPyramid)

every_block = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def make(case: Case, dtype: torch.dtype = torch.float64) -> tuple[Bijection, Tensor, Condition]:
    """Build a case with random parameters, data and condition, drawn in float64 and rounded to ``dtype``."""
    torch.set_default_dtype(torch.float64)
    try:
        block = randomise(case.build()).to(dtype)
    finally:
        torch.set_default_dtype(torch.float32)
    generator = torch.Generator().manual_seed(1)

    def draw(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(BATCH, *shape, generator=generator, dtype=torch.float64).to(dtype)

    x = case.prepare(draw(case.data))
    if isinstance(case.condition, list):
        return block, x, tuple(None if shape is None else draw(shape) for shape in case.condition)
    return block, x, None if case.condition is None else draw(case.condition)


# ---- every block passes them -------------------------------------------------------------------------------


@every_block
def test_inverse_undoes_forward(case: Case) -> None:
    block, x, condition = make(case)
    check_round_trip(block, x, condition, atol=1e-10)


@every_block
def test_log_det_is_that_of_autograds_jacobian(case: Case) -> None:
    check_log_det(*make(case))


@every_block
def test_float32(case: Case) -> None:
    block, x, condition = make(case, torch.float32)
    check_round_trip(block, x, condition, atol=2e-5)


@every_block
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_are_finite_at_extreme_values(case: Case, direction: str) -> None:
    block, x, condition = make(case, torch.float32)
    x = case.prepare(torch.where(x > x.median(), 1e4, -1e4))
    z = block(x, condition)[0] if direction == "inverse" else None
    leaf = x.requires_grad_() if z is None else scales(z)[0].detach().requires_grad_()
    if z is None:
        made, log_det = block(leaf, condition)
    else:
        made, log_det = block.inverse(leaf if isinstance(z, Tensor) else (leaf, *z[1:]), condition)
    (standard_normal_log_prob(made) + log_det).sum().backward()
    used = [leaf.grad, *(p.grad for p in block.parameters() if p.grad is not None)]
    assert all(gradient.isfinite().all() for gradient in used)


@every_block
@pytest.mark.parametrize("data_dtype", [torch.float32, torch.bfloat16], ids=str)
def test_bfloat16_autocast_reaches_only_the_subnets(case: Case, data_dtype: torch.dtype) -> None:
    block, x, condition = make(case, torch.float32)
    x = x.to(data_dtype)
    with torch.autocast("cpu", torch.bfloat16):
        # Inside one block the inverse is as exact as in float32: the subnet sees the very same half twice.
        # In a chain its input may differ in the last bit, and round to a neighbour 2**-8 away.
        check_round_trip(block, x, condition, atol=0.02 if isinstance(block, COMPOSED) else 2e-5)
        z, _ = block(x, condition)
    exact, _ = block(x.float(), condition)
    has_subnet = any(isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d) for module in block.modules())
    same = all(torch.allclose(a, b, atol=1e-5, rtol=1e-5) for a, b in zip(scales(z), scales(exact), strict=True))
    assert same is not has_subnet
    for scale, reference in zip(scales(z), scales(exact), strict=True):
        torch.testing.assert_close(scale, reference, atol=0.05, rtol=0.05)


@every_block
@pytest.mark.parametrize("device", DEVICES)
def test_every_device_agrees_with_float64(case: Case, device: str) -> None:
    block, x, condition = make(case)
    exact, exact_log_det = block(x, condition)
    block, x, condition = make(case, torch.float32)
    if condition is not None:
        condition = (
            condition.to(device)
            if isinstance(condition, Tensor)
            else [None if c is None else c.to(device) for c in condition]
        )
    block, x = block.to(device), x.to(device)
    check_round_trip(block, x, condition, atol=1e-4)
    z, log_det = block(x, condition)
    tolerance = 1e-4 if device == "cpu" else 1e-2  # accelerators may round a subnet's products to 10 bits
    for scale, reference in zip(scales(z), scales(exact), strict=True):
        torch.testing.assert_close(scale.cpu().double(), reference, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(log_det.cpu().double(), exact_log_det, atol=tolerance, rtol=tolerance)


@every_block
def test_state_dict_restores_the_map(case: Case) -> None:
    block, x, condition = make(case)
    other, _, _ = make(case)
    with torch.no_grad():
        for tensor in other.state_dict().values():
            tensor.copy_(tensor.flip(0) if tensor.dim() else tensor)
    other.load_state_dict(block.state_dict())
    torch.testing.assert_close(other(x, condition), block(x, condition))


@every_block
def test_copies_are_independent_and_equal(case: Case) -> None:
    block, x, condition = make(case)
    expected = block(x, condition)
    copies = [copy.deepcopy(block), pickle.loads(pickle.dumps(block))]  # as averaging and worker processes do
    randomise(block, seed=5)
    for other in copies:
        torch.testing.assert_close(other(x, condition), expected)


@every_block
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_block_in_half_precision_computes_in_float32(case: Case, dtype: torch.dtype) -> None:
    block, x, condition = make(case, torch.float32)
    exact, _ = block(x, condition)
    block = block.to(dtype)
    check_round_trip(block, x, condition, atol=0.05 if isinstance(block, COMPOSED) else 1e-4)
    z, _ = block(x, condition)
    for scale, reference in zip(scales(z), scales(exact), strict=True):
        assert scale.dtype == torch.float32
        torch.testing.assert_close(scale, reference, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.condition and "ignored" not in case.name], ids=lambda case: case.name
)
def test_a_tuple_of_conditions_is_refused_unless_it_has_one_per_scale(case: Case) -> None:
    block, x, condition = make(case)
    one = condition if isinstance(condition, Tensor) else condition[0]
    for count in (block.condition_count - 1, block.condition_count + 1, 2 * block.condition_count):
        with pytest.raises(ShapeError, match="condition"):
            block(x, (one,) * count)
        if block.condition_count > 1:
            with pytest.raises(ShapeError, match="condition"):
                block.inverse(block(x, condition)[0], (one,) * count)


@pytest.mark.parametrize("restored", [False, True])
def test_float64_is_exact_after_36_layers(restored: bool) -> None:
    """Also if the flow was built, or its weights were saved, in float32."""

    def build(seed: int) -> Chain:
        layers = [layer for n in range(12) for layer in (OrthogonalMixing(24, seed + n), LULinear(24, seed + n))]
        return Chain([*layers, *[AffineCoupling(24, dense, clamp=0.5) for _ in range(12)]])

    chain = build(0).double()
    if restored:
        weights = {name: tensor.float() for name, tensor in build(0).state_dict().items()}
        chain = build(100).double()
        chain.load_state_dict(weights)
    x = torch.randn(50, 24, dtype=torch.float64)
    check_round_trip(chain, x, None, atol=1e-12)
    mixing = chain[0].matrix
    torch.testing.assert_close(mixing @ mixing.T, torch.eye(24, dtype=torch.float64), atol=1e-14, rtol=0)


@pytest.mark.parametrize(("autocast", "bound"), [(False, 1e-4), (True, 0.05)])
def test_a_hundred_blocks_in_float32(autocast: bool, bound: float) -> None:
    chain = Chain(
        block for seed in range(50) for block in (OrthogonalMixing(6, seed), AffineCoupling(6, conv, 3, clamp=0.6))
    )
    x, condition = torch.randn(8, 6, 4, 4), torch.randn(8, 3, 4, 4)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert chain(x, condition)[1].abs().mean() > 1  # it is far from the identity
        check_round_trip(chain, x, condition, atol=bound)


# ---- and the harness would notice --------------------------------------------------------------------------


def test_every_exported_block_is_among_the_cases() -> None:
    exported = [getattr(flows, name) for name in flows.__all__]
    blocks = {b for b in exported if isinstance(b, type) and issubclass(b, Bijection) and b is not Bijection}
    tried = {type(module) for case in CASES for module in case.build().modules()}
    assert blocks - tried == {flows.Coupling, flows.CouplingPair}  # which are there to be derived from


class _NoLogDet(AffineCoupling):
    """A coupling that claims to preserve volume in both directions, so that its log-determinants cancel."""

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z, log_det = super().forward(x, condition)
        return z, torch.zeros_like(log_det)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x, log_det = super().inverse(z, condition)
        return x, torch.zeros_like(log_det)


class _BatchLogDet(AffineCoupling):
    """A coupling that returns the mean log-determinant of the batch for every sample."""

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z, log_det = super().forward(x, condition)
        return z, log_det.mean().expand(len(log_det))


class _WrongSign(AffineCoupling):
    """A coupling whose inverse returns the log-determinant of the other direction."""

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x, log_det = super().inverse(z, condition)
        return x, -log_det


class _ForgetsCondition(AffineCoupling):
    """A coupling whose inverse has another condition than its forward."""

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        return super().inverse(z, torch.zeros_like(condition))


def faulty(block: type[AffineCoupling]) -> tuple[Bijection, Tensor, Condition]:
    return make(Case("faulty", lambda: block(5, dense, 3), VECTOR, VECTOR_CONDITION))


@pytest.mark.parametrize("block", [_NoLogDet, _BatchLogDet])
def test_the_harness_catches_a_wrong_log_det(block: type[AffineCoupling]) -> None:
    with pytest.raises(AssertionError):
        check_log_det(*faulty(block))


def test_cancelling_alone_would_not_catch_it() -> None:
    check_round_trip(*faulty(_NoLogDet), atol=1e-10)


@pytest.mark.parametrize("block", [_WrongSign, _ForgetsCondition])
def test_the_harness_catches_a_wrong_inverse(block: type[AffineCoupling]) -> None:
    with pytest.raises(AssertionError):
        check_round_trip(*faulty(block), atol=1e-10)


class _Residual(Bijection):
    """A residual block, whose log-determinant is a truncated power series and whose inverse is iterated.

    Behrmann et al. 2019 (arXiv 1811.00995).
    """

    tolerance = 1e-3

    def __init__(self, terms: int = 8) -> None:
        super().__init__()
        self.terms = terms
        self.weight = nn.Parameter(torch.zeros(5, 5))

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        jacobian = self._step(x)[1]
        powers = [torch.linalg.matrix_power(jacobian, k) for k in range(1, self.terms + 1)]
        traces = [power.diagonal(dim1=-2, dim2=-1).sum(-1) for power in powers]
        return x + self._step(x)[0], sum((-1) ** k / (k + 1) * trace for k, trace in enumerate(traces))

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = z
        for _ in range(2 * self.terms):
            x = z - self._step(x)[0]
        return x, -self(x)[1]

    def _step(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weight = 0.4 * self.weight / torch.linalg.matrix_norm(self.weight, 2)
        step = torch.tanh(x @ weight.T)
        return step, (1 - step.square()).unsqueeze(-1) * weight


class _ExactResidual(_Residual):
    tolerance = 0.0


def test_an_approximate_block_passes_within_the_tolerance_that_it_declares() -> None:
    block, x, _ = make(Case("residual", _Residual, VECTOR))
    for approximate in (block, Chain([block, OrthogonalMixing(5, 0).double()])):
        check_round_trip(approximate, x, None, atol=1e-10)
        check_log_det(approximate, x, None)
    block, x, _ = make(Case("residual", _ExactResidual, VECTOR))
    with pytest.raises(AssertionError):
        check_log_det(block, x, None)
    with pytest.raises(AssertionError):
        check_round_trip(block, x, None, atol=1e-10)
    block, x, _ = make(Case("residual", lambda: _Residual(terms=1), VECTOR))
    with pytest.raises(AssertionError):
        check_log_det(block, x, None)
