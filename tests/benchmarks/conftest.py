"""What the tests of the comparing scripts share."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def smallest_comparison(tiny_recipe: dict[str, Any], tmp_path: Path) -> list[str]:
    """The options of a script that learns a moment from twelve pictures, measures on two and writes `out.json`."""
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(12):
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        small.resize((72, 64), Image.Resampling.BICUBIC).save(tmp_path / "pictures" / f"{number}.png")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(as_toml(tiny_recipe))
    places = {"--data": "pictures", "--held-out": "pictures", "--cache": "cache", "--run": "run", "--json": "out.json"}
    paths = [word for option, place in places.items() for word in (option, str(tmp_path / place))]
    numbers = ["--recipe", str(recipe), "--minutes", "0.005", "--limit", "2", "--samples", "2", "--device", "cpu"]
    return [*paths, *numbers]


def as_toml(recipe: dict[str, Any]) -> str:
    """Write a recipe as a file: JSON's values are TOML's, too."""
    top = [f"{key} = {json.dumps(value)}" for key, value in recipe.items() if not isinstance(value, dict)]
    for name, section in recipe.items():
        if isinstance(section, dict):
            top += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    return "\n".join(top)
