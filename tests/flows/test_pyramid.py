"""A pyramid takes any size, is conditioned from coarse to fine, and its scales have densities of their own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cinn_app.flows import (
    AffineCouplingPair,
    Bijection,
    Chain,
    ConditionalAffine,
    Flatten,
    HaarPyramid,
    OrthogonalMixing,
    ShapeError,
)


def conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, out_channels, 3, padding=1))


def pyramid(details: int = 2, channels: int = 2, condition_channels: int = 3) -> HaarPyramid:

    def flow(band: int, condition: int) -> Bijection:
        blocks = (ConditionalAffine(band, conv, condition), AffineCouplingPair(band, conv, condition))
        return Chain([*blocks, OrthogonalMixing(band, seed=0)])

    return HaarPyramid(
        flow(4 * channels, condition_channels),
        [flow(3 * channels, condition_channels + channels) for _ in range(details)],
    )


def conditions_for(flow: HaarPyramid, shape: tuple[int, ...], condition_channels: int = 3) -> list[Tensor]:
    return [torch.randn(shape[0], condition_channels, h, w) for _, h, w in flow.latent_shape(shape[1:])]


@settings(max_examples=20, deadline=None)
@given(details=st.integers(0, 3), height=st.integers(1, 4), width=st.integers(1, 4))
def test_the_pyramid_takes_any_size_that_its_scales_divide(details: int, height: int, width: int) -> None:
    flow, factor = pyramid(details), 2 ** (details + 1)
    x = torch.randn(2, 2, height * factor, width * factor)
    condition = conditions_for(flow, x.shape)
    with torch.no_grad():
        z, log_det = flow(x, condition)
        back, log_det_back = flow.inverse(z, condition)
    assert tuple(tuple(scale.shape[1:]) for scale in z) == flow.latent_shape(x.shape[1:])
    assert sum(scale.numel() for scale in z) == x.numel()
    torch.testing.assert_close(back, x, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(log_det_back, -log_det, atol=1e-3, rtol=1e-4)


def test_a_pyramid_is_conditioned_from_coarse_to_fine_only() -> None:
    flow, x = pyramid(), torch.randn(2, 2, 16, 16)
    condition = conditions_for(flow, x.shape)
    fine_noise = torch.randn(2, 2, 8, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)
    fine_noise[:, :, :, 1::2] *= -1  # without any mean over blocks of two pixels
    (d1, d2, base), _ = flow(x, condition)
    (e1, e2, same_base), _ = flow(x + fine_noise, condition)
    assert not torch.allclose(d1, e1, atol=0.1)
    torch.testing.assert_close(e2, d2, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(same_base, base, atol=1e-5, rtol=1e-5)


def test_details_are_conditioned_on_the_coarser_image_in_the_units_of_the_data() -> None:
    def shift_by_the_coarser_image(in_channels: int, out_channels: int) -> nn.Module:
        subnet = nn.Conv2d(in_channels, out_channels, 1)
        nn.init.zeros_(subnet.weight)
        nn.init.zeros_(subnet.bias)
        subnet.weight.data[out_channels // 2 :, -1] = 1  # the coarser image comes last
        return subnet

    details = [ConditionalAffine(3, shift_by_the_coarser_image, 2 + 1) for _ in range(3)]
    flow, x = HaarPyramid(Chain([]), details), torch.full((1, 1, 16, 16), 5.0)
    condition = [torch.randn(1, 2, h, w) for _, h, w in flow.latent_shape(x.shape[1:])]
    (*fine, base), _ = flow(x, condition)
    for z in fine:  # a constant image has no details, so that what is left is the shift
        torch.testing.assert_close(z, torch.full_like(z, -5.0))
    torch.testing.assert_close(base[:, 0], torch.full((1, 1, 1), 16 * 5.0))


def test_the_log_dets_of_the_scales_sum_to_the_whole() -> None:
    flow, x = pyramid(), torch.randn(2, 2, 16, 16)
    condition = conditions_for(flow, x.shape)
    z, log_det = flow(x, condition)
    latents, log_dets = flow.forward_by_scale(x, condition)
    assert len(log_dets) == flow.condition_count == len(latents)
    torch.testing.assert_close(torch.stack(log_dets).sum(0), log_det)
    torch.testing.assert_close(list(z), list(latents))


def test_finest_scales_can_be_skipped() -> None:
    flow, x = pyramid(), torch.randn(2, 2, 16, 16)
    condition = conditions_for(flow, x.shape)
    latents, log_dets = flow.forward_by_scale(x, condition)
    for skip in (1, 2):
        coarser, coarser_log_dets = flow.forward_by_scale(x, condition, skip)
        torch.testing.assert_close((coarser, coarser_log_dets), (latents[skip:], log_dets[skip:]))


def test_a_pyramid_with_blocks_that_change_shapes_knows_its_latents() -> None:
    flow = HaarPyramid(Chain([Flatten((4, 2, 2)), OrthogonalMixing(16, 0)]), [Flatten((3, 4, 4))])
    assert flow.latent_shape((1, 8, 8)) == ((48,), (16,))
    assert flow.event_shape(((48,), (16,))) == (1, 8, 8)
    with pytest.raises(ShapeError, match=r"\(\(40,\), \(16,\)\) where \(\(48,\), \(16,\)\)"):
        flow.event_shape(((40,), (16,)))
