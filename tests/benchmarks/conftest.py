"""Fixtures for the tests of the comparing scripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pixels import save_pictures

from cinn_app.systems.colorization.data import ColourBatch


@pytest.fixture
def smallest_comparison(tiny_recipe: dict[str, Any], tmp_path: Path, as_toml: Callable) -> list[str]:
    """The options of a script that trains briefly on twelve pictures, measures on two and writes `out.json`."""
    (tmp_path / "pictures").mkdir()
    save_pictures(tmp_path / "pictures", range(12))
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(as_toml(tiny_recipe))
    places = {"--data": "pictures", "--held-out": "pictures", "--cache": "cache", "--run": "run", "--json": "out.json"}
    paths = [word for option, place in places.items() for word in (option, str(tmp_path / place))]
    numbers = ["--recipe", str(recipe), "--minutes", "0.005", "--limit", "2", "--samples", "2", "--device", "cpu"]
    return [*paths, *numbers]


@pytest.fixture
def views() -> Callable[..., ColourBatch]:
    """Photographs whose chroma follows from their lightness, with noise as features of the encoder's stem."""

    def make(count: int = 4) -> ColourBatch:
        generator = torch.Generator().manual_seed(0)
        lightness = torch.nn.functional.interpolate(100 * torch.rand(count, 1, 4, 4, generator=generator), (64, 64))
        small = torch.nn.functional.avg_pool2d(lightness, 4)
        ab = torch.cat([0.5 * small - 20, 30 - 0.6 * small], 1)
        return ColourBatch(lightness, ab, (torch.randn(count, 40, 8, 8, generator=generator),))

    return make
