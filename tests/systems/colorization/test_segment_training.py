"""The second stage of training: the flow of the segments' colours alone, from what is cached."""

from pathlib import Path
from typing import Any

import pytest
import torch
from bijection_checks import randomise
from pixels import save_pictures

from cinn_app.checkpoints import Checkpoint
from cinn_app.recipes import parse_recipe
from cinn_app.systems.colorization.decoder import Decoded
from cinn_app.systems.colorization.model import ColorizationModel, normalise
from cinn_app.systems.colorization.segment_training import SegmentBatch, SegmentTraining
from cinn_app.systems.colorization.segments import Segments
from cinn_app.systems.colorization.tree_flow import Summary, summarise
from cinn_app.training.callbacks import StateSaver
from cinn_app.training.run import train


def test_the_likelihood_of_what_is_cached_is_that_in_the_whole_flow(tiny_recipe: dict[str, Any]) -> None:
    recipe = parse_recipe(tiny_recipe, "here")
    torch.manual_seed(0)
    model = ColorizationModel(recipe.architecture).eval()
    randomise(torch.nn.ModuleList([model.decoder, model.splits, model.flow]))
    lightness, ab = 100 * torch.rand(3, 1, 96, 96), 20 * torch.randn(3, 2, 24, 24)
    summary, coordinates = model.summarise(lightness, ab, ())
    conditions = model.condition(lightness)
    residual = normalise(ab) - conditions.mean
    latents, log_probs = model.distribution(conditions).encode_by_scale(residual)
    expected = -log_probs[-1].mean() / latents[-1][0].numel()
    torch.testing.assert_close(model.segment_nats(summary, coordinates, 0.0), expected, rtol=1e-3, atol=1e-3)


def test_a_mirrored_summary_is_that_of_the_mirrored_picture() -> None:
    torch.manual_seed(0)
    masks = (10 * torch.rand(2, 9, 3, 3)).softmax(1).repeat_interleave(8, 2).repeat_interleave(8, 3)
    sides = (torch.rand(2, 2, 8, 9) < 0.5).float()
    lightness, mean = 100 * torch.rand(2, 1, 96, 96), torch.randn(2, 2, 24, 24)
    levels = [torch.randn(2, 4, 24 >> scale, 24 >> scale) for scale in (1, 2, 3)]

    def summary(turn: bool) -> Summary:
        def flipped(part: torch.Tensor) -> torch.Tensor:
            return part.flip(-1) if turn else part

        decoded = Decoded(flipped(mean), tuple(map(flipped, levels)))
        return summarise(Segments(flipped(masks), *sides), flipped(lightness), [*map(flipped, levels)], decoded)

    mirrored = SegmentBatch(torch.zeros(2, 2, 9), summary(False)).mirrored().summary
    torch.testing.assert_close(mirrored, summary(True), rtol=1e-4, atol=1e-4)
    assert (mirrored.pooled - summary(False).pooled).abs().max() > 0.1


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pictures(tmp_path_factory.mktemp("pictures"), range(30), cells=3, size=(64, 64))


def trained(recipe: dict[str, Any], pictures: Path, folder: Path, **options: Any) -> Checkpoint:
    output, cache = folder / "t.safetensors", folder.parent / "cache"
    return train(parse_recipe(recipe, "here"), [pictures], output, folder / "run", cache, "cpu", **options)


@pytest.mark.slow
@pytest.mark.parametrize("fresh", [False, True], ids=["cached", "fresh"])
def test_the_second_stage_changes_its_flow_alone_and_resumes_where_it_was_killed(
    pictures: Path, tmp_path: Path, tiny_recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    tiny_recipe["data"]["fresh"] = fresh
    tiny_recipe["training"]["steps"] = 3
    first = trained(tiny_recipe, pictures, tmp_path / "first")
    tiny_recipe["segment_training"] = {**tiny_recipe["training"], "steps": 6, "batch_size": 8, "learning_rate": 1e-2}
    del tiny_recipe["segment_training"]["encoder_pace"]
    both = trained(tiny_recipe, pictures, tmp_path / "both")
    assert (both.figures["steps"], both.figures["views_seen"]) == (9, 3 * 4 + 6 * 8)
    changed = {name for name, value in both.weights.items() if not torch.allclose(value, first.weights[name])}
    assert changed and all(name.startswith(("splits.", "flow.base.")) for name in changed)

    # Killed after four steps of the second stage, each of which saved the state.
    monkeypatch.setattr(StateSaver.__init__, "__defaults__", (0.0,))
    steps, loss = [], SegmentTraining.loss

    def killed(training: SegmentTraining, batch: SegmentBatch) -> Any:
        steps.append(len(batch.coordinates))
        if len(steps) == 5:
            raise KeyboardInterrupt
        return loss(training, batch)

    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, SystemExit)):
        patch.setattr(SegmentTraining, "loss", killed)
        trained(tiny_recipe, pictures, tmp_path / "killed")
    again = trained(tiny_recipe, pictures, tmp_path / "killed", resume=True)
    assert again.figures == both.figures
    for name, value in both.weights.items():
        torch.testing.assert_close(again.weights[name], value, rtol=1e-4, atol=1e-5)
