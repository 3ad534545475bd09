"""The colorization model: an exact likelihood, an exact inverse, any size."""

import copy
import itertools
import math
from pathlib import Path

import pytest
import torch

from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.model import AB_SCALE, ColorizationModel, Conditions, denormalise, normalise
from cinn_app.systems.colorization.recipe import ColorizationObjective
from cinn_app.systems.colorization.segments import Segments
from cinn_app.systems.colorization.tree_flow import Splits

OBJECTIVE = ColorizationObjective(noise=1e-6, mean_weight=1.0, details_share=1.0)


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> ColorizationModel:
    return Colorizer.load(tiny_checkpoint, "cpu").model


def photographs(batch: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lightness = 100 * torch.rand(batch, 1, height, width, generator=generator)
    ab = 20 * torch.randn(batch, 2, height // 4, width // 4, generator=generator)
    return lightness, ab


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (64, 192), (128, 64)])
def test_round_trip_at_any_size(model: ColorizationModel, height: int, width: int) -> None:
    lightness, ab = photographs(2, height, width)
    with torch.inference_mode():
        conditions = model.condition(lightness)
        latents, log_prob = model.encode(ab, conditions)
        back, again = model.decode(latents, conditions)
    details = [(2, 6, height // stride, width // stride) for stride in (8, 16, 32)]
    assert [tuple(z.shape) for z in latents] == [*details, (2, 2, height * width // 32**2)]
    torch.testing.assert_close(back, ab, rtol=0, atol=2e-3)
    torch.testing.assert_close(again, log_prob, rtol=1e-4, atol=0.05)


def test_likelihood_is_exact(model: ColorizationModel) -> None:
    """log p(ab) in Lab units, with the normalisation, equals that from autograd's Jacobian."""
    exact = copy.deepcopy(model)
    exact.flow.double()
    lightness, ab = photographs(1, 32, 64)
    with torch.no_grad():
        conditions = model.condition(lightness)
    conditions = Conditions(
        conditions.mean.double(),
        tuple(condition.double() for condition in conditions.details),
        Segments(*(part.double() for part in conditions.segments)),
        Splits(*(part.double() for part in conditions.splits)),
        conditions.levels,
    )
    ab = ab.double() / 2

    def flat(values: torch.Tensor) -> torch.Tensor:
        latents, _ = exact.encode(values.view_as(ab), conditions)
        return torch.cat([z.flatten() for z in latents])

    jacobian = torch.autograd.functional.jacobian(flat, ab.flatten())
    z = flat(ab.flatten())
    expected = -(z.square().sum() + len(z) * math.log(2 * math.pi)) / 2 + torch.linalg.slogdet(jacobian).logabsdet
    log_prob = exact.encode(ab, conditions)[1][0]
    torch.testing.assert_close(log_prob, expected, rtol=1e-9, atol=1e-6)


def test_denormalise_is_the_inverse_of_normalise() -> None:
    ab = 50 * torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(denormalise(normalise(ab)), ab, atol=1e-4, rtol=1e-5)


def gradients(part: torch.nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None)


@pytest.mark.parametrize("mean_weight", [0.0, 1.0])
def test_only_the_squared_error_trains_the_mean_and_all_else_learns_without_it(
    model: ColorizationModel, mean_weight: float
) -> None:
    trained = copy.deepcopy(model)
    objective = ColorizationObjective(noise=0.05, mean_weight=mean_weight, details_share=1.0)
    trained.losses(*photographs(2, 64, 64), (), objective).total.backward()
    assert (gradients(trained.decoder) > 0) == (mean_weight > 0)
    assert gradients(trained.encoder) == 0
    for part in (trained.segmenter, trained.splits, trained.to_details, trained.flow.base, trained.flow.details):
        assert gradients(part) > 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in trained.parameters())


def test_likelihood_does_not_train_where_the_segments_lie(model: ColorizationModel) -> None:
    trained = copy.deepcopy(model)
    lightness, ab = photographs(2, 64, 64)
    conditions = trained.condition(lightness)
    fixed = conditions._replace(segments=type(conditions.segments)(*(part.detach() for part in conditions.segments)))
    trained.encode(ab, fixed)[1].sum().backward()
    assert gradients(trained.segmenter) == 0 < gradients(trained.splits)


def test_details_learn_from_a_share_of_the_batch_and_all_else_from_all(model: ColorizationModel) -> None:
    lightness, ab = photographs(4, 64, 64)
    with torch.inference_mode():
        whole = model.losses(lightness, ab, (), OBJECTIVE)
        shared = model.losses(lightness, ab, (), OBJECTIVE, details_share=0.3)
        half = model.losses(lightness[:2], ab[:2], (), OBJECTIVE)  # a share is rounded up
    torch.testing.assert_close(shared.bits_per_dim, half.bits_per_dim)
    torch.testing.assert_close(shared.nats_by_scale[:3], half.nats_by_scale[:3])
    for one, other in zip(
        (shared.mean_rmse, shared.held_energy, shared.nats_by_scale[3]),
        (whole.mean_rmse, whole.held_energy, whole.nats_by_scale[3]),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    assert (whole.mean_rmse - half.mean_rmse).abs() > 1e-3
    assert 0 < whole.held_energy < 1


@pytest.mark.parametrize("strides", [1, 3])
def test_cached_features_give_the_same_conditions(model: ColorizationModel, strides: int) -> None:
    lightness, _ = photographs(1, 64, 128)
    with torch.inference_mode():
        direct = model.condition(lightness)
        cached = model.condition(lightness, model.encoder(lightness)[:strides])
    torch.testing.assert_close(direct.mean, cached.mean)
    torch.testing.assert_close(direct.of_flow, cached.of_flow)


def test_conditions_of_a_photograph_do_not_depend_on_the_batch(model: ColorizationModel) -> None:
    lightness, ab = photographs(3, 64, 96)
    with torch.inference_mode():
        together, alone = model.condition(lightness), model.condition(lightness[1:2])
        row = together.rows(1, 2)
        torch.testing.assert_close(row.of_flow, alone.of_flow, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(model.encode(ab[1:2], row)[1], model.encode(ab, together)[1][1:2], rtol=1e-4, atol=0)
    assert all(len(part) == 1 for part in (*row.of_flow, *row.segments, *row.levels, row.mean))


def test_bits_per_dim_of_the_objective_agree_with_encode(model: ColorizationModel) -> None:
    lightness, ab = photographs(2, 64, 64)
    with torch.inference_mode():
        losses = model.losses(lightness, ab, (), OBJECTIVE)
        _, log_prob = model.encode(ab, model.condition(lightness))
    bits = -log_prob.mean() / math.log(2) / ab[0].numel()
    torch.testing.assert_close(losses.bits_per_dim, bits, rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def drawn(model: ColorizationModel) -> tuple[Conditions, tuple[torch.Tensor, ...], torch.Tensor]:
    """Conditions of one photograph, and latents and chroma of 16 draws."""
    with torch.inference_mode():
        conditions = model.condition(photographs(1, 96, 128)[0])
        generator = torch.Generator().manual_seed(0)
        shapes = model.distribution(conditions).latent_shapes
        latents = tuple(torch.randn(16, *shape, generator=generator) for shape in shapes)
        return conditions, latents, model.decode(latents, conditions)[0]


@torch.inference_mode()
def test_cooling_leads_from_a_sample_to_the_mean(model: ColorizationModel, drawn: tuple) -> None:
    conditions, _, ab = drawn
    mean = denormalise(conditions.mean)
    torch.testing.assert_close(model.cool(ab, conditions, [1] * 5), ab, atol=1e-3, rtol=0)
    torch.testing.assert_close(model.cool(ab, conditions, [0] * 5), mean.expand_as(ab), atol=1e-4, rtol=0)
    torch.testing.assert_close(model.cool(ab, conditions, [0.5] * 5), (ab + mean) / 2, atol=1e-3, rtol=0)
    each = [model.cool(ab, conditions, [float(scale == other) for other in range(5)]) - mean for scale in range(5)]
    torch.testing.assert_close(torch.stack(each).sum(0), ab - mean, atol=1e-3, rtol=0)
    assert all(part.abs().mean() > 0.1 for part in each)
    for one, other in itertools.combinations(each, 2):  # the scales have nothing in common
        inner = ((one / ab.new_tensor(AB_SCALE)[:, None, None].square()) * other).sum((1, 2, 3))
        assert inner.abs().max() < 1e-3 * ab.square().sum()


@torch.inference_mode()
def test_the_last_temperature_is_that_of_the_first_eight_splits(model: ColorizationModel, drawn: tuple) -> None:
    conditions, _, ab = drawn
    things = model.cool(ab, conditions, [0, 0, 0, 0, 1]) - denormalise(conditions.mean)
    columns = conditions.segments.columns()[0, :8].flatten(1).T.double()
    wanted = things.flatten(0, 1).flatten(1).T.double()
    left = wanted - columns @ torch.linalg.lstsq(columns, wanted).solution
    assert left.abs().max() < 1e-3 < things.abs().mean()


@torch.inference_mode()
def test_samples_that_vary_evenly_around_the_mean_are_never_paler_at_more_temperature(
    model: ColorizationModel, drawn: tuple
) -> None:
    conditions, _, ab = drawn
    mean = denormalise(conditions.mean)
    around = torch.cat([ab, 2 * mean - ab])
    steps = torch.linspace(0, 1, 6)
    for scales in ([1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0.3, 0.5, 0.7, 0.8, 1]):
        chroma = [float(model.cool(around, conditions, [t * s for s in scales]).norm(dim=1).mean()) for t in steps]
        assert chroma == sorted(chroma) and chroma[-1] > chroma[0]


@torch.inference_mode()
def test_decoding_segments_alone_leaves_the_details_of_the_mean(model: ColorizationModel, drawn: tuple) -> None:
    conditions, latents, ab = drawn
    for temperature in (1.0, 0.4):
        expected = model.cool(ab, conditions, (0, 0, 0, temperature, temperature))
        found = model.decode_segments(latents[-1], conditions, temperature)
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


@torch.inference_mode()
def test_the_mean_can_be_predicted_alone(model: ColorizationModel) -> None:
    lightness, _ = photographs(2, 64, 96)
    torch.testing.assert_close(model.predict_mean(lightness), model.condition(lightness).mean, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_segments_are_drawn_as_wholes(model: ColorizationModel, drawn: tuple) -> None:
    """What is drawn at the segments' scale lies in the span of their masks."""
    conditions, latents, _ = drawn
    departure = normalise(model.decode_segments(latents[-1], conditions)) - conditions.mean
    masks = conditions.segments.masks[0].flatten(1).T.double()
    wanted = departure.flatten(0, 1).flatten(1).T.double()
    left = wanted - masks @ torch.linalg.lstsq(masks, wanted).solution
    assert left.abs().max() < 1e-3 < departure.abs().mean()
