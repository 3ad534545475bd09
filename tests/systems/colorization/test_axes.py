"""Axes of colour: fitted, saved in the checkpoint, and stepped along."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer
from cinn_app.checkpoints import save_checkpoint
from cinn_app.errors import CinnError
from cinn_app.systems.colorization.encoded import Canvas
from cinn_app.systems.colorization.steering import Steering


def colours(seed: int, height: int = 64, width: int = 96) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """The tiny model with its axes, loaded from a file."""
    found = Colorizer.load(tiny_checkpoint, "cpu").fit_axes([colours(seed) for seed in range(4)])
    path = tmp_path_factory.mktemp("axes") / "steered.safetensors"
    save_checkpoint(path, found)
    return Colorizer.load(path, "cpu")


def test_axes_are_orthogonal_and_sorted_by_share(colorizer: Colorizer) -> None:
    directions = torch.stack([axis.direction for axis in colorizer.axes])
    torch.testing.assert_close(directions @ directions.T, torch.eye(len(directions)), atol=1e-3, rtol=0)
    shares = [axis.share for axis in colorizer.axes]
    assert shares == sorted(shares, reverse=True)
    assert 0.5 < sum(shares) <= 1.001
    assert len({axis.name for axis in colorizer.axes}) == len(colorizer.axes)


def test_a_step_along_the_first_axis_has_the_effect_of_its_name(colorizer: Colorizer) -> None:
    first = colorizer.axes[0]
    growing = {
        "warmer": lambda ab: ab[1].mean(),
        "greener": lambda ab: -ab[0].mean(),
        "more vivid": lambda ab: ab.norm(dim=0).mean(),
    }[first.name]
    steps = [
        growing(colorizer.colorize(colours(9)[..., 0], seed=1, steering=Steering(axes={first.name: step}))[0].ab)
        for step in (-1.0, 0.0, 1.0)
    ]
    assert steps[0] < steps[1] < steps[2]


@pytest.mark.slow
def test_the_first_axis_moves_mean_colour_more_than_any_other_direction(colorizer: Colorizer) -> None:
    """Compared with steps in random directions, on the pictures that the axes were fitted to."""

    def effect(direction: torch.Tensor) -> float:
        total = 0.0
        for seed in range(4):
            colouring = colorizer.encode(colours(seed))
            lightness = Canvas.of(colouring.photograph, 64).lightness(colouring.photograph)
            with torch.inference_mode():
                conditions = colorizer.model.condition(lightness)
                latents = [z[None] for z in colouring.latents]
                ends = []
                for sign in (1, -1):
                    moved = latents[-1] + sign * direction[:, None, None]
                    ends.append(colorizer.model.decode((*latents[:-1], moved), conditions)[0].mean((0, 2, 3)))
            total += float((ends[0] - ends[1]).square().sum())
        return total

    others = torch.nn.functional.normalize(torch.randn(20, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert effect(colorizer.axes[0].direction) > max(effect(other) for other in others)


def test_axes_can_be_given_by_number(colorizer: Colorizer) -> None:
    name = colorizer.axes[0].name
    by_name, by_number, by_text = (
        colorizer.colorize(colours(5)[..., 0], steering=Steering(axes={key: 0.5}))[0].ab for key in (name, 1, "1")
    )
    torch.testing.assert_close(by_name, by_number, atol=1e-3, rtol=0)
    torch.testing.assert_close(by_name, by_text, atol=1e-3, rtol=0)


def test_unknown_axes_and_steps_out_of_range_are_refused(colorizer: Colorizer, tiny_checkpoint: Path) -> None:
    picture = colours(0)[..., 0]
    with pytest.raises(CinnError, match=rf"no axis 'blurrier': choose one of 1 {colorizer.axes[0].name}"):
        colorizer.colorize(picture, steering=Steering(axes={"blurrier": 1}))
    for step in (3.5, -4, float("nan")):
        with pytest.raises(CinnError, match="out of range"):
            colorizer.colorize(picture, steering=Steering(axes={1: step}))
    old = Colorizer.load(tiny_checkpoint, "cpu")
    assert old.axes == ()
    with pytest.raises(CinnError, match="no axes"):
        old.colorize(picture, steering=Steering(axes={1: 1}))
    with pytest.raises(CinnError, match="without colour photographs"):
        old.fit_axes([picture])
