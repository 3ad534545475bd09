"""An independent implementation, FrEIA 0.2, with the same weights gives the same latents and likelihoods."""

import math

import pytest
import torch
from FrEIA.framework import SequenceINN
from FrEIA.modules import Fixed1x1Conv, GLOWCouplingBlock, NICECouplingBlock
from FrEIA.modules import HaarDownsampling as FreiaHaar
from torch import Tensor, nn

from cinn_app.flows import (
    AdditiveCouplingPair,
    AffineCouplingPair,
    Bijection,
    Chain,
    HaarDownsampling,
    OrthogonalMixing,
)

CLAMP = 1.3
SHAPES = [(4,), (5,), (4, 6, 8), (5, 3, 2)]


def exact_clamp(raw: Tensor) -> Tensor:
    """The papers' clamp; FrEIA's own "ATAN" rounds 2 / pi to 0.636."""
    return 2 / math.pi * torch.atan(raw)


def dense(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Linear(in_channels, 16), nn.ReLU(), nn.Linear(16, out_channels))


def conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, out_channels, 3, padding=1))


def subnet_for(shape: tuple[int, ...]):
    return dense if len(shape) == 1 else conv


def copy_pair(theirs: nn.Module, ours: Chain, names: tuple[str, str]) -> None:
    """Copy the subnets, which have other names in FrEIA, in the order in which they are applied."""
    for name, coupling in zip(names, ours, strict=True):
        coupling.subnet.load_state_dict(getattr(theirs, name).state_dict())


def assert_same(ours: Bijection, theirs: nn.Module, x: Tensor, condition: Tensor | None) -> None:
    conditions = [] if condition is None else [condition]
    for ours_way, reverse in ((ours, False), (ours.inverse, True)):
        made, log_det = ours_way(x, condition)
        (expected,), expected_log_det = theirs([x], c=conditions, rev=reverse)
        torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-5)
        expected_log_det = torch.as_tensor(expected_log_det).expand(len(x))
        torch.testing.assert_close(log_det, expected_log_det, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("condition_channels", [0, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_affine_coupling_pair(shape: tuple[int, ...], condition_channels: int) -> None:
    subnet, channels = subnet_for(shape), shape[0]
    ours = AffineCouplingPair(channels, subnet, condition_channels, clamp=CLAMP)
    theirs = GLOWCouplingBlock(
        [shape],
        [(condition_channels, *shape[1:])] if condition_channels else [],
        subnet_constructor=subnet,
        clamp=CLAMP,
        clamp_activation=exact_clamp,
        split_len=channels - channels // 2,
    )
    copy_pair(theirs, ours, ("subnet2", "subnet1"))
    condition = torch.randn(7, condition_channels, *shape[1:]) if condition_channels else None
    assert_same(ours, theirs, torch.randn(7, *shape), condition)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_additive_coupling_pair(shape: tuple[int, ...]) -> None:
    subnet, channels = subnet_for(shape), shape[0]
    ours = AdditiveCouplingPair(channels, subnet, 3)
    theirs = NICECouplingBlock(
        [shape],
        [(3, *shape[1:])],
        subnet_constructor=subnet,
        split_len=channels - channels // 2,
    )
    copy_pair(theirs, ours, ("F", "G"))
    assert_same(ours, theirs, torch.randn(7, *shape), torch.randn(7, 3, *shape[1:]))


def test_haar_up_to_the_order_of_channels() -> None:
    channels, x = 3, torch.randn(2, 3, 6, 8)
    (expected,), expected_log_det = FreiaHaar([x.shape[1:]])([x])
    # FrEIA keeps the four bands of a channel together; here the three channels of a band are together.
    by_band = expected.view(2, channels, 4, 3, 4).transpose(1, 2).flatten(1, 2)
    z, log_det = HaarDownsampling()(x)
    torch.testing.assert_close(z, by_band, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_det, torch.full((2,), float(expected_log_det)))


def test_chain_of_four_blocks_with_conditions() -> None:
    shape, condition_channels = (6, 4, 4), 5
    ours = Chain(
        block
        for seed in range(4)
        for block in (OrthogonalMixing(6, seed), AffineCouplingPair(6, conv, condition_channels, CLAMP))
    )
    theirs = SequenceINN(*shape, force_tuple_output=True)
    for mixing, pair in zip(ours[0::2], ours[1::2], strict=True):
        theirs.append(Fixed1x1Conv, M=mixing.matrix.T)
        theirs.append(
            GLOWCouplingBlock,
            cond=0,
            cond_shape=(condition_channels, *shape[1:]),
            subnet_constructor=conv,
            clamp=CLAMP,
            clamp_activation=exact_clamp,
        )
        copy_pair(theirs[-1], pair, ("subnet2", "subnet1"))
    x, condition = torch.randn(7, *shape), torch.randn(7, condition_channels, *shape[1:])

    z, log_det = ours(x, condition)
    (expected,), expected_log_det = theirs(x, c=[condition])
    torch.testing.assert_close(z, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(log_det, expected_log_det, atol=1e-5, rtol=1e-5)
