"""Every variant is what its name says, is a density, and learns; the table is printed."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from colorization.ablations import VARIANTS, Grid, UntrainedEncoder, altered, details_of
from colorization.flow import Flow
from colorization.training import train_baseline
from colorization_ablations import parse, run
from PIL import Image

from cinn_app.flows import AffineCoupling, ConditionalAffine, OrthogonalMixing
from cinn_app.imaging import read_photograph
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.recipes import parse_recipe
from cinn_app.systems.colorization.data import ColourBatch
from cinn_app.systems.colorization.model import normalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe

pytestmark = pytest.mark.slow

Variant = Callable[[str], Flow]


@pytest.fixture
def variant(tiny_recipe: dict[str, Any]) -> Variant:
    """Make a variant by its name, as small as the tiny recipe, with the same random numbers for all variants.

    The encoder is frozen, as it is in the recipe that ships.
    """
    recipe = parse_recipe(tiny_recipe, "the tests")
    assert isinstance(recipe, ColorizationRecipe)
    recipe = altered(recipe, "training", encoder_pace=0.0)
    torch.manual_seed(3)
    encoder = ImageEncoder()

    def make(name: str) -> Flow:
        torch.manual_seed(0)
        return VARIANTS[name](encoder, recipe, torch.zeros(1, 2, 16, 16))

    return make


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_learns_is_still_a_density_and_colours(variant: Variant, name: str, views: Callable) -> None:
    flow = variant(name)
    flow.configure()
    flow.train()
    torch.manual_seed(1)
    losses = [flow.train_step(views()) for _ in range(12)]
    assert sum(losses[-3:]) < sum(losses[:3])
    shaken(flow)
    batch = views()
    with torch.inference_mode():
        conditions = flow.model.condition(batch.lightness)
        latents, log_prob = flow.model.encode(batch.ab, conditions)
        back, log_prob_back = flow.model.decode(latents, conditions)
    torch.testing.assert_close(back, batch.ab, rtol=0, atol=2e-2)
    torch.testing.assert_close(log_prob_back, log_prob, rtol=1e-4, atol=1e-1)
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 6), dtype=np.uint8))
    photograph = read_photograph(small.resize((64, 64)))
    first, second = flow.painter().colorize(photograph, 2)
    assert math.isfinite(first.bits_per_dim) and not torch.equal(first.ab, second.ab)


def test_the_encoders_learn_as_their_names_say(variant: Variant, views: Callable) -> None:
    """A step changes nothing, the layers above the stem, or all layers."""
    moved = {}
    for name in ("whole", "learning encoder", "encoder from scratch"):
        flow = variant(name)
        before = {key: value.clone() for key, value in flow.encoder.state_dict().items()}
        flow.configure()
        flow.train()
        for _ in range(3):  # the flow's last layers begin at zero, and let nothing through to the encoder at first
            flow.train_step(views())
        moved[name] = {key for key, value in flow.encoder.state_dict().items() if not torch.equal(before[key], value)}
    stem = {key for key in before if key.startswith(("trunk.conv_stem", "trunk.bn1", "trunk.blocks.0"))}
    weights = {key for key, _ in flow.encoder.named_parameters()}
    assert moved["whole"] == set()
    assert moved["learning encoder"] and not moved["learning encoder"] & stem
    assert moved["encoder from scratch"] > weights | stem  # and the statistics of batch normalisation


def test_the_encoder_from_scratch_has_nothing_of_the_pretrained_one(variant: Variant, views: Callable) -> None:
    whole, scratch = variant("whole").encoder, variant("encoder from scratch").encoder
    assert isinstance(scratch, UntrainedEncoder)
    same = zip(whole.named_parameters(), scratch.named_parameters(), strict=True)
    assert all(a.shape == b.shape and not (a.dim() == 4 and torch.equal(a, b)) for (_, a), (_, b) in same)
    batch = views()
    with torch.inference_mode():
        blind, seeing = scratch.eval()(batch.lightness), scratch.eval()(batch.lightness, *batch.features)
    torch.testing.assert_close(blind, seeing)  # the cache is of another stem


def test_the_averaged_encoder_from_scratch_has_the_batches_statistics(
    variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: Callable
) -> None:
    class Views:
        def batch(self, indices: np.ndarray) -> ColourBatch:
            return views(len(indices))

    ticks = itertools.count(step=3)
    monkeypatch.setattr("colorization.training.time.monotonic", lambda: float(next(ticks)))
    flow = variant("encoder from scratch")
    trained = train_baseline("scratch", flow, Views(), np.arange(8), 0.5, tmp_path)  # type: ignore[arg-type]
    averaged = dict(trained.baseline.named_buffers())
    statistics = {key: value for key, value in flow.named_buffers() if key.endswith("running_mean")}
    assert statistics and all(value.any() and torch.equal(value, averaged[key]) for key, value in statistics.items())


def test_the_flows_are_what_their_names_say(variant: Variant) -> None:
    parts = {name: census(variant(name)) for name in VARIANTS}
    whole = parts["whole"]
    assert whole == {"affine": 3, "couplings": [2] * 3, "mixing": 6, "flipped": 0, "grid": False, "share": 0.5}
    changes = {
        name: {key: value for key, value in found.items() if value != whole[key]} for name, found in parts.items()
    }
    assert changes == {
        "whole": {},
        "encoder from scratch": {},
        "learning encoder": {},
        "grid instead of segments": {"grid": True},
        "no conditional affine": {"affine": 0},
        "no mixing": {"mixing": 0, "flipped": 3},
        "half the couplings": {"couplings": [1] * 3, "mixing": 3},
        "twice the couplings": {"couplings": [4] * 3, "mixing": 12},
        "details on all of each batch": {"share": 1.0},
    }


def test_without_mixing_every_value_is_still_moved(variant: Variant, views: Callable) -> None:
    """The couplings move every value: the conditional affine is set to the identity."""
    flow, given = shaken(variant("no mixing")), []
    for scale in details_of(flow):
        scale.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
        for affine in (member for member in scale if isinstance(member, ConditionalAffine)):
            affine.subnet.apply(lambda layer: [weight.data.zero_() for weight in layer.parameters()])
    batch = views()
    with torch.inference_mode():
        conditions = flow.model.condition(batch.lightness)
        latents, _ = flow.model.flow(normalise(batch.ab) - conditions.mean, conditions.of_flow)
    for z, details in zip(latents[:-1], given, strict=True):
        assert ((z - details).abs().amax((0, 2, 3)) > 1e-3).all()


def test_the_grid_has_a_cell_for_each_square_and_pairs_of_neighbours_merge_first() -> None:
    segments = Grid()(torch.rand(2, 1, 64, 96))
    assert segments.masks.shape == (2, 6, 16, 24)
    assert torch.equal(segments.sizes(), torch.full((2, 6), 64.0))
    assert (segments.masks[1, 4, 8:, 8:16] == 1).all()  # row by row
    # The whole is split across, then each half down.
    columns = segments.columns()[0]
    assert columns[1].mean(0).std() > 0.1 and columns[1].mean(1).std() < 1e-6
    assert sorted(columns.sum((1, 2)).tolist()) == [64, 64, 64, 128, 128, 384]
    assert torch.linalg.matrix_rank(columns.flatten(1)) == 6


def test_the_table_is_printed(
    smallest_comparison: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(parse([*smallest_comparison, "--variant", "encoder from scratch"]))
    found = json.loads((tmp_path / "out.json").read_text())["encoder from scratch"]
    figures, training = found["figures"], found["training"]
    expected = {
        "bits/dim": f"{figures['bits_per_dim']:.3f}",
        "best guess, of gray": f"{figures['of_gray_best_guess']:.3f}",
        "best of 2, of gray": f"{figures['of_gray_best_of_2']:.3f}",
        "training views/s": f"{training['views_per_second']:.0f}",
    }
    assert training["views_per_second"] * 60 * training["minutes"] == pytest.approx(4 * training["steps"])
    shown = capsys.readouterr().out
    for words in ("encoder from scratch", *expected, *expected.values()):
        assert words in shown


def test_unknown_variants_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    paths = ["--data", "a", "--held-out", "b", "--minutes", "2"]
    assert parse([*paths, "--variant", "no mixing"]).chosen == ["no mixing"]
    with pytest.raises(SystemExit):
        parse([*paths, "--variant", "no flow"])
    assert "no flow" in capsys.readouterr().err


def census(flow: Flow) -> dict[str, Any]:
    """Count the parts of the details' flows, and say what else may differ."""
    members = [list(scale) for scale in details_of(flow)]
    everything = [member for scale in members for member in scale]
    return {
        "affine": sum(isinstance(member, ConditionalAffine) for member in everything),
        "couplings": [sum(isinstance(member, AffineCoupling) for member in scale) for scale in members],
        "mixing": sum(isinstance(member, OrthogonalMixing) for member in everything),
        "flipped": sum(getattr(member, "flip", False) for member in everything),
        "grid": isinstance(flow.model.segmenter, Grid),
        "share": flow.recipe.objective.details_share,
    }


def shaken(flow: Flow) -> Flow:
    """Change all weights of the flow, since its blocks start as the identity."""
    generator = torch.Generator().manual_seed(2)
    for weight in flow.model.flow.parameters():
        weight.data += 0.05 * torch.randn(weight.shape, generator=generator)
    return flow.eval()
