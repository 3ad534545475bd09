"""The arm: postures worked by hand."""

import math

import torch

from cinn_app.systems.inverse_problems.problems import kinematics


def hand(*posture: float) -> list[float]:
    return kinematics.sketch(torch.tensor([posture]))[0, -1].tolist()


def close(found: list[float], expected: tuple[float, float]) -> bool:
    return all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(found, expected, strict=True))


def test_hand_of_postures() -> None:
    right = math.pi / 2
    assert close(hand(0.3, 0, 0, 0), (2, 0.3)), "straight, at the height of the slider"
    assert close(hand(0.3, right, 0, 0), (0, 2.3)), "straight up"
    assert close(hand(0, 0, math.pi, 0), (-1, 0)), "folded at the second joint"
    assert close(hand(0, right, -right, right), (0.5, 1.5)), "steps: up, across, up"


def test_segments_keep_their_lengths() -> None:
    generator = torch.Generator().manual_seed(0)
    joints = kinematics.sketch(kinematics.prior(50, generator))
    lengths = joints.diff(dim=1).norm(dim=2)
    torch.testing.assert_close(lengths, torch.tensor([kinematics.LENGTHS]).expand(50, 3))


def test_prior_and_noise_have_the_stated_spreads() -> None:
    generator = torch.Generator().manual_seed(0)
    x = kinematics.prior(20_000, generator)
    torch.testing.assert_close(x.std(0), torch.tensor([0.25, 0.5, 0.5, 0.5]), rtol=0.03, atol=0)
    errors = kinematics.simulate(x, generator) - kinematics.sketch(x)[:, -1]
    torch.testing.assert_close(errors.std(0), torch.full((2,), kinematics.NOISE), rtol=0.03, atol=0)
